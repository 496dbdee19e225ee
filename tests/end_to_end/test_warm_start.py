"""`train.start_from = "live"`: a run goes on from the model that the run before pushed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.run_result import RunResult
from tests.support.project import Project
from trainer_module.audit.plan_in_model import read_plan
from trainer_module.audit.saved_weights import SavedWeights
from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.start_record import StartRecord

pytestmark = pytest.mark.slow

FREEZE = '["freeze embeddings", "freeze encoder[:2]"]'
LIVE = 'train.start_from="live"'
# So small that no weight moves by more than this times the number of steps.
HARDLY = "train.learning_rate=1e-9"


@pytest.fixture(scope="module")
def project(make_small_project: Callable[..., Project]) -> Project:
    return make_small_project(FREEZE)


@pytest.fixture(scope="module")
def first(project: Project) -> RunResult:
    """There is no live model yet."""
    return project.run(LIVE, "train.epochs=4", "train.learning_rate=1e-2")


@pytest.fixture(scope="module")
def second(project: Project, first: RunResult) -> RunResult:
    return project.run(LIVE, HARDLY)


def weights(result: RunResult) -> SavedWeights:
    assert result.pushed_model is not None
    return SavedWeights(result.pushed_model)


def test_the_first_run_starts_from_the_hub_and_says_so(first: RunResult) -> None:
    assert first.start == StartRecord()
    assert first.to_json()["start"]["live_model"] is None


def test_the_second_starts_with_what_the_first_had_learnt(
    project: Project, first: RunResult, second: RunResult, tiny_hub: Path
) -> None:
    before, after, hub = weights(first), weights(second), HubModel(str(tiny_hub))
    plan = read_plan(str(second.pushed_model))
    assert plan is not None
    moved = 0
    for variable in plan.variables:
        value, of_hub = after.read(variable.name), hub.weights[variable.name]
        if variable.trainable:
            np.testing.assert_allclose(value, before.read(variable.name), rtol=0, atol=1e-7)
            moved += np.abs(value - of_hub).max() > 1e-3
        else:
            assert value.tobytes() == of_hub.tobytes()
    assert moved >= 16  # an attention's key bias changes nothing, so it hardly trains
    head = {name for name in after.shapes if "/head/" in name}
    assert len(head) == 2
    for name in head:
        np.testing.assert_allclose(after.read(name), before.read(name), rtol=0, atol=1e-7)


def test_it_says_which_model_that_was_and_passes_the_audit(
    project: Project, first: RunResult, second: RunResult
) -> None:
    assert second.start is not None
    assert second.start.live_model is not None
    live = Path(second.start.live_model)
    assert live.is_relative_to(project.artifacts / "Trainer" / "model")
    assert (live / "saved_model.pb").read_bytes() == Path(str(first.pushed_model), "saved_model.pb").read_bytes()
    assert (second.start.variables, second.start.new_classes, second.start.frozen_again) == (18, (), ())
    assert second.audit.verdict == "passed"


def test_another_hub_model_is_refused_and_nothing_is_pushed(
    project: Project, second: RunResult, tiny_hub: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(tiny_hub, tmp_path / "other")
    vocabulary = other / "assets" / "vocab.txt"
    vocabulary.write_text(vocabulary.read_text(encoding="utf-8").replace("awful", "worse"), encoding="utf-8")
    pushed = project.pushed()
    with pytest.raises(UserError) as error:
        project.run(LIVE, f'model.hub="{other}"')
    assert "can't be continued: it was trained from another Hub model, " in str(error.value)
    assert project.pushed() == pushed
