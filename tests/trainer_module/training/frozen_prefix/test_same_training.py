"""Training from behind the prefix is the training that it replaces, step by step, and each row is encoded once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.encoder import HubLayerEncoder
from trainer_module.hub.hub_model import HubModel
from trainer_module.training.rows import Rows

pytestmark = pytest.mark.slow

CASES: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], list[str]]] = {
    "half": (({"freeze": "embeddings"}, {"freeze": "encoder[0]"}), {}, ["embeddings + 1 block"]),
    "pooled": (({"freeze": "all"},), {}, ["the whole encoder"]),
    "cls": (({"freeze": "all"},), {"pooling": "cls"}, ["the whole encoder"]),
    "mean": (({"freeze": "all"},), {"pooling": "mean"}, ["the whole encoder"]),
    "few tokens": (({"freeze": "all"}, {"train": "pooler"}), {"tokens_per_batch": 40}, ["embeddings + 2 blocks"]),
    "gradual": (
        (
            {"freeze": "embeddings"},
            {"freeze": "encoder[0]", "until_epoch": 4},
            {"freeze": "encoder[1]", "until_epoch": 2},
            {"freeze": "pooler", "until_epoch": 2},
        ),
        {"epochs": 5},
        ["embeddings", "the whole encoder", "embeddings + 1 block"],
    ),
    "embeddings thaw last": (
        (
            {"freeze": "embeddings", "until_epoch": 4},
            {"freeze": "encoder[0]", "until_epoch": 4},
            {"freeze": "encoder[1]", "until_epoch": 2},
        ),
        {"epochs": 5},
        ["embeddings + 2 blocks", "embeddings + 1 block"],
    ),
    "pooler thaws": (
        ({"freeze": "all"}, {"freeze": "pooler", "until_epoch": 2}),
        {},
        ["embeddings + 2 blocks", "the whole encoder"],
    ),
}

# One place for each prefix: where its output is kept doesn't depend on how far it reaches. Two prefixes are in two.
PLACED: list[tuple[str, str, bool]] = [
    ("half", "memory", False),
    ("half", "disk", False),
    ("pooled", "auto", False),
    ("cls", "disk", True),
    ("mean", "auto", True),
    ("few tokens", "memory", True),
    ("gradual", "memory", False),
    ("gradual", "auto", True),
    ("embeddings thaw last", "disk", False),
    ("pooler thaws", "memory", False),
]


def check_same(ours: Any, plain: Any) -> None:
    assert len(ours.losses) == len(plain.losses)
    if plain.settings.tokens_per_batch:
        assert len(plain.losses) > 5 * plain.settings.epochs
    else:
        assert len(plain.losses) == 5 * plain.settings.epochs
    assert len(set(plain.losses)) > 10
    assert np.isfinite(plain.losses).all()
    np.testing.assert_allclose(ours.losses, plain.losses, atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours.val_losses, plain.val_losses, atol=1e-5, rtol=0)


def check_encoded_once(seen: Any, rows: Rows, evaluated: Rows, prefixes: int) -> None:
    assert [sorted(given) for given in seen.encoded] == [sorted(rows.labels), sorted(evaluated.labels)] * prefixes


@pytest.mark.parametrize(("case", "form", "kept"), PLACED)
def test_every_steps_loss_is_the_same_and_each_row_is_encoded_once(
    case: str,
    form: str,
    kept: bool,
    run: Callable[..., Any],
    plain: Callable[..., Any],
    train_rows: Rows,
    eval_rows: Rows,
    tmp_path: Path,
) -> None:
    rules, more, prefixes = CASES[case]
    expected = plain(rules, **more)
    assert expected.encoded == []
    directory = {"prefix_cache_dir": str(tmp_path / "kept")} if kept else {}
    seen = run(rules, prefix_cache=form, **directory, **more)
    check_same(seen, expected)
    check_encoded_once(seen, train_rows, eval_rows, len(prefixes))
    assert [message.partition(", of ")[0] for message in seen.messages if "computing" in message][::2] == prefixes
    assert seen.traces == expected.traces == [1] * len(seen.plan.stages)


@pytest.mark.parametrize(
    "rules",
    [
        ({"freeze": "all"}, {"train": "pooler"}),
        pytest.param(({"freeze": "embeddings"},), marks=pytest.mark.soak),
    ],
)
def test_one_block_that_is_applied_many_times(
    rules: tuple[dict[str, Any], ...],
    run: Callable[..., Any],
    loaded_once: Callable[[str], HubModel],
    train_rows: Rows,
    eval_rows: Rows,
) -> None:
    plain, seen = (run(rules, prefix_cache=form, hub=loaded_once("albert_L-4_H-32")) for form in ("off", "memory"))
    check_same(seen, plain)
    check_encoded_once(seen, train_rows, eval_rows, 1)


def test_of_a_program_that_runs_as_a_whole_the_whole_is_kept(
    run: Callable[..., Any], one_block_model: HubModel, train_rows: Rows, eval_rows: Rows
) -> None:
    # Loaded for each training, because the program itself trains; as the embeddings stay frozen, its dropout is off.
    hub = HubModel(one_block_model.path)
    rules = ({"freeze": "embeddings"}, {"freeze": "encoder", "until_epoch": 2}, {"freeze": "pooler", "until_epoch": 2})
    plain, seen = (
        run(
            rules,
            prefix_cache=form,
            hub=hub,
            make=lambda plan: HubLayerEncoder(hub, plan.is_trainable),
        )
        for form in ("off", "memory")
    )
    check_same(seen, plain)
    check_encoded_once(seen, train_rows, eval_rows, 1)
