"""Two worker processes train as one, and only the chief's results stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.plan_in_model import read_plan
from trainer_module.audit.variable_record import RECORD_FILE, TrainingRecord
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

HALF = [{"freeze": "embeddings"}]


@pytest.fixture(scope="module")
def seen(trainings: Any, settings: Callable[..., Any]) -> dict[str, Any]:
    """A whole run by two workers, then one by a single process that finds what they stored; and nothing frozen."""
    half = settings(freeze=HALF, prefix_cache_dir=str(trainings.folder / "kept"))
    nothing = settings(steps=12)
    workers, (single,) = trainings(
        {"trainings": [half | {"outputs": str(trainings.folder / "two")}, nothing], "workers": 2},
        {"trainings": [half | {"outputs": str(trainings.folder / "one")}, nothing]},
    )
    return {"workers": workers, "single": single}


def test_every_steps_loss_and_metrics_are_those_of_one_process_in_both_workers(
    seen: dict[str, Any], check_same: Callable[..., None]
) -> None:
    for worker in seen["workers"]:
        for ours, single in zip(worker, seen["single"], strict=True):
            check_same(ours, single)


def test_a_worker_encodes_the_rows_that_it_reads_and_leaves_them_to_later_runs(seen: dict[str, Any]) -> None:
    """The rows of the evaluation are those of the training: what both read is found when the second asks for it."""
    first, second = (worker[0]["encoded"] for worker in seen["workers"])
    # A worker that is ahead may evaluate rows, and leave them, before the other trains on them.
    assert set().union(*first, *second) == set(range(64))
    for training, evaluation in (first, second):
        assert len(training) == len(set(training)) < 64
        assert set(training).isdisjoint(evaluation)
    assert seen["single"][0]["encoded"] == [[], []]


def test_only_the_chief_leaves_a_model_and_logs(seen: dict[str, Any], trainings: Any) -> None:
    folder: Path = trainings.folder / "two"
    assert sorted(path.name for path in folder.iterdir()) == ["model", "run"]
    # All workers leave `run_fn` when everything is there.
    assert [worker[0]["found"] for worker in seen["workers"]] == [["model", "run"]] * 2
    one = {path.relative_to(trainings.folder / "one").as_posix() for path in (trainings.folder / "one").rglob("*")}
    two = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {path for path in two if "tfevents" not in path} == {path for path in one if "tfevents" not in path}
    for split in ("train", "validation"):
        (events,) = (folder / "run" / split).glob("events.out.tfevents.*")
        tags = {
            value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value
        }
        assert "epoch_loss" in tags
    left = {path.name for index in range(2) for path in (trainings.folder / f"tmp0-{index}").iterdir()}
    # Code that TensorFlow wrote, and the copies of models, which a forked process leaves for the next one to remove.
    written = ("__pycache__", "__autograph_generated_file", "permafrost-")
    assert not {name for name in left if not name.startswith(written)}


def test_the_chiefs_model_passes_the_audit(seen: dict[str, Any], trainings: Any, one_block_model: HubModel) -> None:
    folder: Path = trainings.folder / "two"
    model = str(folder / "model")
    trained = TrainingRecord.from_json((folder / "run" / RECORD_FILE).read_text())
    plan = read_plan(model)
    assert plan is not None
    record = audit(model, plan, one_block_model, trained)
    assert record.problems == ()
    one, two = (
        tf.saved_model.load(str(trainings.folder / name / "model")).signatures["predict_text"](
            sentence=tf.constant(["the film is good", "very awful"])
        )["probabilities"]
        for name in ("one", "two")
    )
    np.testing.assert_allclose(one, two, atol=1e-4)
