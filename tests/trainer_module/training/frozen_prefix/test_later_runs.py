"""With a folder that is kept, a later run encodes only what no run has seen; without, nothing is left behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.prefix_cache.inventory import read_inventory
from trainer_module.training.rows import Rows

pytestmark = pytest.mark.slow

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[0]"})


def window(rows: Rows, start: int, end: int) -> Rows:
    offsets = rows.offsets[start : end + 1]
    return Rows(rows.word_ids[offsets[0] : offsets[-1]], None, offsets - offsets[0], rows.labels[start:end])


def encoded(seen: Any) -> list[list[float]]:
    return [sorted(given) for given in seen.encoded]


def test_a_second_run_encodes_nothing_and_a_moved_window_only_its_new_rows(
    run: Callable[..., Any], plain: Callable[..., Any], train_rows: Rows, eval_rows: Rows, tmp_path: Path
) -> None:
    kept = {"prefix_cache_dir": str(tmp_path / "kept")}
    before, after = window(train_rows, 0, 18), window(train_rows, 4, 22)
    first, second = (run(HALF, before, instead=lambda: None, **kept) for _ in range(2))
    assert encoded(first) == [sorted(before.labels), sorted(eval_rows.labels)]
    assert encoded(second) == [[], []]
    moved = run(HALF, after, evaluated=window(train_rows, 0, 9), instead=lambda: None, **kept)
    assert encoded(moved) == [[18, 19, 20, 21], []]
    last = run(HALF, **kept)
    assert encoded(last) == [[], []]
    np.testing.assert_allclose(last.losses, plain(HALF).losses, atol=1e-5, rtol=0)
    np.testing.assert_allclose(last.val_losses, plain(HALF).val_losses, atol=1e-5, rtol=0)
    (prefix,) = read_inventory(str(tmp_path / "kept"))
    assert prefix.rows == 22 + 9
    assert prefix.description.depth == "embeddings + 1 block"


def test_other_settings_of_training_find_the_same_rows_and_another_max_tokens_does_not(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    kept = {"prefix_cache_dir": str(tmp_path / "kept"), "epochs": 1}
    counts = []
    for more in ({}, {"learning_rate": 1e-4, "seed": 9, "batch_size": 7}, {"max_tokens": 15}):
        counts.append([len(given) for given in run(HALF, instead=lambda: None, **kept, **more).encoded])
    assert counts == [[22, 9], [0, 0], [22, 9]]


@pytest.mark.parametrize("form", ["memory", "disk"])
def test_only_the_rows_that_are_visited_are_encoded(
    form: str, run: Callable[..., Any], plain: Callable[..., Any]
) -> None:
    """Training ends within the first epoch, and does not reach the first row."""
    rules, more = ({"freeze": "all"}, {"train": "pooler"}), {"steps": 2, "batch_size": 4, "seed": 1}
    seen = run(rules, prefix_cache=form, **more)
    assert 0 not in seen.encoded[0]
    assert [len(given) for given in seen.encoded] == [8, 9]
    np.testing.assert_allclose(seen.losses, plain(rules, **more).losses, atol=1e-5, rtol=0)
    np.testing.assert_allclose(seen.val_losses, plain(rules, **more).val_losses, atol=1e-5, rtol=0)


def test_the_scratch_folder_is_gone_at_the_end_and_was_there_meanwhile(
    run: Callable[..., Any], scratch_parent: Path
) -> None:
    meanwhile = []
    run(HALF, prefix_cache="disk", instead=lambda: meanwhile.append(len(list(scratch_parent.rglob("*.segment")))))
    assert meanwhile == [2]
    assert [path for path in scratch_parent.rglob("*") if path.parent != scratch_parent] == []


def test_the_scratch_folder_is_gone_after_an_error(run: Callable[..., Any], scratch_parent: Path) -> None:
    def interrupted() -> None:
        assert len(list(scratch_parent.rglob("*.segment"))) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(HALF, prefix_cache="disk", instead=interrupted)
    assert [path for path in scratch_parent.rglob("*") if path.parent != scratch_parent] == []
