"""Two devices train as one: the same losses and metrics at every step, whatever is frozen and however rows divide."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.plan_in_model import read_plan
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

HALF = [{"freeze": "embeddings"}]
CASES: dict[str, dict[str, Any]] = {
    # Everything trains in the second epoch. Most batches have one row or two.
    "gradual": {
        "freeze": [{"freeze": "encoder[0]", "until_epoch": 1}, {"train": "embeddings", "lr": 0.1}],
        "tokens_per_batch": 9,
    },
    "float16": {"freeze": HALF, "compute_dtype": "float16"},
}
WHOLE: dict[str, Any] = {"freeze": HALF, "pooling": "mean"}
PROGRAM: dict[str, Any] = {"freeze": ["freeze embeddings"]}


@pytest.fixture(scope="module")
def seen(trainings: Any, settings: Callable[..., Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Each case on one device and on two; on two, "whole" and "program" are whole runs."""
    given = {
        (case, form): settings(**CASES[case], distribution=form) for case in CASES for form in ("none", "mirrored")
    }
    given["whole", "none"] = settings(**WHOLE, distribution="none")
    # GPUs are counted, but not found, so CPU devices take their place.
    given["whole", "auto"] = settings(**WHOLE, distribution="auto") | {"gpus": 2}
    given["program", "none"] = settings(**PROGRAM, distribution="none") | {"program": True}
    given["program", "mirrored"] = settings(**PROGRAM, distribution="mirrored") | {"program": True}
    for case in (("whole", "auto"), ("program", "mirrored")):
        given[case]["outputs"] = str(trainings.folder / case[0])
    ((results,),) = trainings({"trainings": list(given.values()), "devices": 2})
    return dict(zip(given, results, strict=True))


def test_every_steps_loss_and_metrics_are_those_of_one_device(
    seen: dict[tuple[str, str], Any], check_same: Callable[..., None]
) -> None:
    single, double = seen["gradual", "none"], seen["gradual", "mirrored"]
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
    # A key's bias adds the same to all scores of a query, which the softmax takes out again.
    unmoved = {name.rpartition("/")[0] for name in set(double["planned"]) - set(double["moved"])}
    assert all(name.endswith("/key") for name in unmoved)


@pytest.mark.parametrize("distribution", ["none", "auto"])
def test_each_row_runs_through_the_prefix_once(distribution: str, seen: dict[tuple[str, str], Any]) -> None:
    encoded = [sorted(rows) for rows in seen["whole", distribution]["encoded"]]
    assert encoded == [list(range(64))] * 2


def test_every_replica_has_dropout_of_its_own_in_every_step(seen: dict[tuple[str, str], Any]) -> None:
    assert seen["gradual", "none"]["noise"] == [0, 1, 2]
    assert seen["gradual", "mirrored"]["noise"] == [0, 1, 2, 3, 4, 5]


def test_auto_takes_all_gpus_and_the_whole_run_is_one_devices(
    seen: dict[tuple[str, str], Any], trainings: Any, check_same: Callable[..., None], one_block_model: HubModel
) -> None:
    single, double = seen["whole", "none"], seen["whole", "auto"]
    assert (single["replicas"], double["replicas"]) == (1, 2)
    check_same(double, single)
    model = str(trainings.folder / "whole" / "model")
    plan = read_plan(model)
    assert plan is not None
    record = audit(model, plan, one_block_model)
    assert record.problems == ()
    # A mean needs no pooler.
    moved = {each.name for each in record.variables if each.moved and not each.name.endswith("key/bias")}
    assert moved == {name for name in single["moved"] if not name.endswith("key/bias")} and len(moved) == 15


def test_a_program_that_is_not_rebuilt_trains_on_two_devices(
    seen: dict[tuple[str, str], Any], check_same: Callable[..., None]
) -> None:
    """With its own dropout off, as something in it is frozen."""
    assert seen["program", "mirrored"]["replicas"] == 2
    check_same(seen["program", "mirrored"], seen["program", "none"])
