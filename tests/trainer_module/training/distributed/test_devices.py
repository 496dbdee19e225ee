"""Two devices train as one: the same losses and metrics at every step, whatever is frozen and however rows divide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.plan_in_model import read_plan
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

HALF = [{"freeze": "embeddings"}, {"freeze": "encoder[:2]"}]
CASES: dict[str, dict[str, Any]] = {
    "nothing frozen": {},
    "half frozen": {"freeze": HALF, "pooling": "mean"},
    "gradual": {"freeze": [{"freeze": "encoder[:2]", "until_epoch": 1}, {"train": "embeddings", "lr": 0.1}]},
    # Most batches have one row or two; nothing is cached, because rows are read once.
    "few tokens": {"freeze": HALF, "tokens_per_batch": 9, "epochs": 1},
    "float16": {"freeze": HALF, "compute_dtype": "float16"},
}


@pytest.fixture(scope="module")
def seen(trainings: Any, settings: Callable[..., Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Each case on one device and on two."""
    wanted = [(case, distribution) for case in CASES for distribution in ("none", "mirrored")]
    given = [settings(**CASES[case], distribution=distribution) for case, distribution in wanted]
    (results,) = trainings(*given, devices=2)
    return dict(zip(wanted, results, strict=True))


@pytest.mark.parametrize("case", [case for case in CASES if case != "float16"])
def test_every_steps_loss_and_metrics_are_those_of_one_device(
    case: str, seen: dict[tuple[str, str], Any], check_same: Callable[..., None]
) -> None:
    single, double = seen[case, "none"], seen[case, "mirrored"]
    assert (single["replicas"], double["replicas"]) == (1, 2)
    check_same(double, single)
    assert double["head"] == single["head"] == ["bert_classifier/head/kernel:0", "bert_classifier/head/bias:0"]


def test_losses_in_float16_stay_near(seen: dict[tuple[str, str], Any]) -> None:
    """Which sums are rounded depends on which rows are together."""
    single, double = seen["float16", "none"], seen["float16", "mirrored"]
    one, two = ([step["loss"] for step in result["steps"]] for result in (single, double))
    np.testing.assert_allclose(one, two, rtol=5e-3)


@pytest.mark.parametrize("case", CASES)
def test_frozen_variables_stay_bit_identical_and_the_others_move(case: str, seen: dict[tuple[str, str], Any]) -> None:
    double = seen[case, "mirrored"]
    assert set(double["moved"]) <= set(double["planned"])
    # A key's bias adds the same to all scores of a query, which the softmax takes out again. A mean needs no pooler.
    unmoved = {name.rpartition("/")[0] for name in set(double["planned"]) - set(double["moved"])}
    assert all(name.endswith(("/key", "pooler_transform")) for name in unmoved)


@pytest.mark.parametrize("distribution", ["none", "mirrored"])
def test_each_row_runs_through_the_prefix_once(distribution: str, seen: dict[tuple[str, str], Any]) -> None:
    encoded = [sorted(rows) for rows in seen["half frozen", distribution]["encoded"]]
    assert encoded == [list(range(64))] * 2


def test_every_replica_has_dropout_of_its_own_in_every_step(seen: dict[tuple[str, str], Any]) -> None:
    assert seen["nothing frozen", "none"]["noise"] == [0, 1, 2]
    assert seen["nothing frozen", "mirrored"]["noise"] == [0, 1, 2, 3, 4, 5]


def test_auto_takes_all_gpus_and_the_whole_run_is_one_devices(
    trainings: Any, settings: Callable[..., Any], check_same: Callable[..., None], tiny_model: HubModel
) -> None:
    """GPUs are counted, but not found, so CPU devices take their place."""
    outputs = {distribution: str(trainings.folder / distribution) for distribution in ("none", "auto")}
    given = [
        settings(freeze=HALF, dropout=0.0, distribution=distribution) | {"outputs": folder}
        for distribution, folder in outputs.items()
    ]
    (results,) = trainings(*given, devices=2, gpus=2)
    check_same(results[1], results[0])
    moved = []
    for folder in outputs.values():
        plan = read_plan(f"{folder}/model")
        assert plan is not None
        record = audit(f"{folder}/model", plan, tiny_model)
        assert record.problems == ()
        moved.append({each.name for each in record.variables if each.moved and not each.name.endswith("key/bias")})
    assert moved[0] == moved[1] and len(moved[0]) == 15 + 2


def test_a_program_that_is_not_rebuilt_trains_on_two_devices(
    trainings: Any, settings: Callable[..., Any], check_same: Callable[..., None], hub_model: Callable[[str], Path]
) -> None:
    """With its own dropout off, as something in it is frozen."""
    rules = {"hub": str(hub_model("mobilebert_L-3")), "freeze": ["freeze embeddings"]}
    given = [
        settings(**rules, distribution=distribution) | {"outputs": str(trainings.folder / f"program {distribution}")}
        for distribution in ("none", "mirrored")
    ]
    (results,) = trainings(*given, devices=2)
    check_same(results[1], results[0])
