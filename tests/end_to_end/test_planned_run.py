"""A pipeline goes by one plan of one model: what is wrong with either ends it before any data is read."""

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from components.artifacts import FreezePlan as FreezePlanArtifact
from components.custom_config import pack_custom_config
from components.freeze_planner.executor import Executor as Planner
from pipeline.config_file import load_config
from pipeline.pipeline import create_pipeline
from pipeline.runners.component_events import component_events
from tests.support.project import Project
from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hugging_face.hub_export import save_hub_encoder
from trainer_module.trainer import run_fn


@dataclasses.dataclass
class Listener:
    """Hears of a run, with the errors and how long the components took that failed."""

    started_at: dict[str, float] = dataclasses.field(default_factory=dict)
    errors: dict[str, Exception] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def started(self, component: str, run_id: str) -> None:
        self.started_at[component] = time.monotonic()

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None:
        self.errors[component] = error
        self.seconds[component] = time.monotonic() - self.started_at[component]


@pytest.fixture
def project(make_small_project: Callable[..., Project], tiny_hub: Path) -> Project:
    """It has a model of its own, a copy of the tiny one."""
    project = make_small_project(freeze='[{ freeze = "embeddings" }]', hub="model")
    shutil.copytree(tiny_hub, project.folder / "model")
    return project


def flip_one_bit(model: Path) -> tuple[str, str]:
    """Saves the model again with another last bit in one weight; gives its digest before and after."""
    before = HubModel(str(model))
    digest, weights = before.digest, {name: value.copy() for name, value in before.weights.items()}
    weights["transformer/layer_1/output/kernel"].view(np.uint32)[3, 5] ^= 1
    vocab = model.with_name("vocab.txt")
    shutil.copy(before.vocab_path or "", vocab)
    layout = before.layout
    shutil.rmtree(model)
    save_hub_encoder(model, layout, weights, activation="gelu_tanh", epsilon=1e-12, vocab_path=vocab, lower_case=True)
    after = HubModel(str(model)).digest
    assert after != digest
    return digest, after


def plan(folder: Path, custom_config: dict[str, Any]) -> str:
    """What FreezePlanner makes of the settings: the plan's file."""
    artifact = FreezePlanArtifact()
    artifact.uri = str(folder)
    Planner().Do({}, {"freeze_plan": [artifact]}, {"custom_config": pack_custom_config(custom_config)})
    return str(folder / "freeze_plan.json")


@pytest.mark.slow
@pytest.mark.parametrize("runner", [BeamDagRunner, LocalDagRunner])
def test_a_bad_rule_fails_the_planner_in_seconds_and_no_row_is_read(
    project: Project, runner: type[BeamDagRunner] | type[LocalDagRunner]
) -> None:
    """Without `run_pipeline`, which would have refused the rule before any component."""
    config = load_config(project.config_file, ['model.freeze=[{ freeze = "embedings" }]'])
    made = create_pipeline(config, metadata=sqlite_metadata_connection_config(str(project.folder / "metadata.sqlite")))
    listener = Listener()
    # BeamDagRunner passes the error on as text only.
    with component_events(listener), pytest.raises(Exception, match="did you mean `embeddings`"):
        runner().run(made)
    assert list(listener.errors) == ["FreezePlanner"]
    error = listener.errors["FreezePlanner"]
    assert isinstance(error, UserError)
    assert error.problems == [
        "rule 1 `freeze embedings`: selects no variable of this model; did you mean `embeddings`?"
    ]
    assert listener.seconds["FreezePlanner"] < 20
    assert set(listener.started_at) <= {"FreezePlanner", "live_model"}
    planned = list((project.artifacts / "FreezePlanner").rglob("*"))
    assert [path for path in planned if path.is_file()] == []


def test_everything_waits_for_the_planner_but_the_search_for_the_live_model(project: Project) -> None:
    made = create_pipeline(load_config(project.config_file))
    (planner,) = [node for node in made.components if node.id == "FreezePlanner"]
    after, waiting = set(), [planner]
    while waiting:
        node = waiting.pop()
        after.add(node.id)
        waiting.extend(node.downstream_nodes)
    assert {node.id for node in made.components} - after == {"live_model"}


@pytest.mark.slow
def test_a_changed_model_is_refused_by_pipeline_planner_and_trainer_where_its_digest_is_pinned(
    project: Project,
) -> None:
    before, after = flip_one_bit(project.folder / "model")
    message = (
        f"model.hub_digest: {project.folder}/model has changed: it is {after}, not {before}; "
        "fetch the model you meant, or put the new digest in the config"
    )
    pin = f'model.hub_digest="{before}"'
    with pytest.raises(UserError) as caught:
        project.run(pin)
    assert str(caught.value) == message
    assert project.events.heard == []

    custom_config = load_config(project.config_file, [pin]).bert_settings().to_custom_config()
    with pytest.raises(UserError) as caught:
        plan(project.folder, custom_config)
    assert str(caught.value) == message
    assert not (project.folder / "freeze_plan.json").exists()

    with pytest.raises(UserError) as caught:
        run_fn(FnArgs(custom_config=custom_config))
    assert str(caught.value) == message


@pytest.mark.slow
def test_a_model_that_changed_after_it_was_planned_is_not_trained(project: Project) -> None:
    settings = load_config(project.config_file).bert_settings()
    planned = settings.model_copy(update={"freeze_plan": plan(project.folder, settings.to_custom_config())})
    before, after = flip_one_bit(project.folder / "model")
    with pytest.raises(UserError) as caught:
        run_fn(FnArgs(custom_config=planned.to_custom_config()))
    assert str(caught.value) == (
        f"model.hub: {project.folder}/model has changed since it was planned: it is {after}, planned was {before}; "
        "set model.hub_digest to the one you mean, so that everything goes by it"
    )
