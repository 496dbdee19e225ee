"""A training that was ended at any step goes on there, and ends with the very same weights, losses and metrics."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.errors import UserError

HALF = ({"freeze": "embeddings"},)
GRADUAL = ({"freeze": "all"}, {"freeze": "pooler", "until_epoch": 1}, {"freeze": "encoder", "until_epoch": 2})

# What a step, an epoch and a stage consist of are settings that don't depend on each other: each is in one of these.
CASES: dict[str, tuple[Any, dict[str, Any], list[int]]] = {
    "nothing frozen, float16": ((), {"compute_dtype": "float16"}, [12]),
    "all frozen, few tokens": (({"freeze": "all"},), {"tokens_per_batch": 30}, [9]),
    "half frozen, on disk, bfloat16, steps": (
        HALF,
        {"prefix_cache": "disk", "pooling": "mean", "compute_dtype": "bfloat16", "steps": 8},
        [6],
    ),
    "gradual": (GRADUAL, {}, [2, 8]),
}
# For what depends on checkpoints alone: it trains quickest.
HEAD = ({"freeze": "all"},)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_it_ends_with_the_same_weights_losses_and_metrics(
    case: str, run: Callable[..., Any], whole: Callable[..., Any]
) -> None:
    rules, settings, ends = CASES[case]
    done = 0
    for end in ends:
        ended = run(rules, end_at=end, **settings)
        assert (ended.digest, ended.steps) == ("", end - done)
        # It was ended before the step's checkpoint; an epoch's last step is only written with the epoch.
        done = end - 1
    resumed = run(rules, **settings)
    assert any(message.startswith(f"resuming at step {done} of ") for message in resumed.messages) or not done
    expected = whole(rules, **settings)
    assert expected.steps - resumed.steps == done
    assert resumed.digest == expected.digest
    assert resumed.history == expected.history


@pytest.mark.slow
def test_early_stopping_remembers_how_long_it_has_waited_and_the_best_weights(
    run: Callable[..., Any], whole: Callable[..., Any]
) -> None:
    settings = {"epochs": 12, "early_stopping_patience": 2, "learning_rate": 3e-2}
    rules = ({"freeze": "all"}, {"train": "pooler"})
    expected = whole(rules, **settings)
    losses = expected.history["val_loss"]
    stopped, best = len(losses), int(np.argmin(losses))
    assert best == stopped - 3 and stopped < 12, losses
    # Once after the best epoch, and again in the last one.
    run(rules, end_at=5 * (best + 1) + 3, **settings)
    run(rules, end_at=5 * stopped - 1, **settings)
    resumed = run(rules, **settings)
    assert resumed.steps == 2
    assert resumed.history == expected.history
    assert resumed.digest == expected.digest


@pytest.mark.slow
def test_a_training_that_had_ended_is_not_repeated(
    run: Callable[..., Any], whole: Callable[..., Any], tmp_path: Path
) -> None:
    first = run(HEAD)
    assert (first.digest, first.history) == (whole(HEAD).digest, whole(HEAD).history)
    again = run(HEAD)
    (folder,) = (tmp_path / "kept").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["finished.npz", "in_use"]
    assert again.steps == 0
    assert again.messages == [f"training had ended at step 15 of 15 ({folder})"]
    assert (again.digest, again.history) == (first.digest, first.history)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    run: Callable[..., Any], whole: Callable[..., Any], tmp_path: Path
) -> None:
    run(HEAD, end_at=9)
    (folder,) = (tmp_path / "kept").iterdir()
    before, newest = sorted(folder.glob("step-*.npz"))
    assert (before.name, newest.name) == ("step-000000007.npz", "step-000000008.npz")
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    torn = folder / "step-000000009.npz"
    torn.write_bytes(before.read_bytes()[:-100])
    (folder / "step-000000010.npz.0123.tmp").write_bytes(b"half")
    resumed = run(HEAD)
    damaged = [message.split(" is damaged")[0] for message in resumed.messages if "is damaged and not used" in message]
    assert damaged == [f"checkpoint {torn}", f"checkpoint {newest}"]
    assert f"resuming at step 7 of 15 ({folder})" in resumed.messages
    assert (resumed.digest, resumed.history) == (whole(HEAD).digest, whole(HEAD).history)
    assert sorted(path.name for path in folder.iterdir()) == ["finished.npz", "in_use"]


@pytest.mark.slow
def test_another_training_starts_anew_and_removes_what_was_left(run: Callable[..., Any], tmp_path: Path) -> None:
    run(HEAD, end_at=9)
    (before,) = (tmp_path / "kept").iterdir()
    other = run(HEAD, end_at=3, learning_rate=2e-3)
    (after,) = (tmp_path / "kept").iterdir()
    assert after != before
    assert other.steps == 3
    assert not any("resuming" in message for message in other.messages)


@pytest.mark.slow
def test_where_the_files_are_and_how_often_they_are_written_does_not_matter(run: Callable[..., Any]) -> None:
    run(HEAD, end_at=9)
    assert run(HEAD, checkpoint_steps=4).steps == 15 - 8


@pytest.mark.slow
def test_with_everything_frozen_a_checkpoint_is_a_few_kilobytes(run: Callable[..., Any], tmp_path: Path) -> None:
    """A head of 32 x 2, and two slots for it; nothing of the encoder."""
    ended = run(HEAD, end_at=2)
    (path,) = (tmp_path / "kept").rglob("step-*.npz")
    with np.load(path) as archive:
        trained = {name: archive[name].size for name in archive.files if name.startswith("trained/")}
        slots = sum(archive[name].size for name in archive.files if name.startswith("optimizer/"))
    assert trained == {"trained/bert_classifier/head/kernel:0": 64, "trained/bert_classifier/head/bias:0": 2}
    assert slots - 2 * 66 in (1, 2)  # the steps done, and maybe the rate
    size = path.stat().st_size
    assert size < 8 * 1024
    assert ended.messages == [f"checkpoint at step 1 ({-(-size // 1024)} KiB)"]


@pytest.mark.slow
def test_a_loss_that_is_no_number_leaves_no_checkpoint(run: Callable[..., Any], tmp_path: Path) -> None:
    """Or every later run would go on with the weights that led there."""
    with pytest.raises(UserError, match=r"^train\.learning_rate: the loss became nan at step \d+ of 15, at a rate of"):
        run(HEAD, learning_rate=1e37)
    (folder,) = (tmp_path / "kept").iterdir()
    assert [path.name for path in folder.iterdir()] == ["in_use"]


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_no_reason_not_to_train(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    seen = run(HEAD, epochs=1)
    assert seen.steps == 5
    assert seen.messages[0].startswith(f"train.checkpoint_dir: {tmp_path / 'kept'} can't be used as it should: ")
    assert sum("; training goes on without" in message for message in seen.messages) == 5
