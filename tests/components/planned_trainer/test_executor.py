"""PlannedTrainer, run as TFX runs it. The training itself is shown by tests/end_to_end."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.artifacts import DataProfile
from components.artifacts import FreezePlan as FreezePlanArtifact
from components.freeze_planner.executor import Executor as Planner
from components.planned_trainer.executor import Executor
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

FREEZE_EMBEDDINGS = [{"freeze": "embeddings"}]


@dataclass
class Training:
    """One execution of the Trainer in a folder, with a plan of `FREEZE_EMBEDDINGS`."""

    folder: Path
    hub: Path
    outputs: dict[str, list[Artifact]] = field(default_factory=dict)

    def bert(self, freeze: list[dict[str, str]]) -> dict[str, Any]:
        return {"hub": str(self.hub), "text": ["a"], "label": "b", "max_tokens": 16, "freeze": freeze}

    def artifact(self, kind: type[Artifact], name: str) -> Artifact:
        made = kind()
        made.uri = str(self.folder / name)
        (self.folder / name).mkdir()
        return made

    def run(self, custom_config: dict[str, Any], data_profile: str | None = None) -> dict[str, Any]:
        """Plans and trains; gives the execution properties as they are afterwards."""
        plan = self.artifact(FreezePlanArtifact, "plan")
        Planner().Do({}, {"freeze_plan": [plan]}, {"custom_config": json.dumps({"bert": self.bert(FREEZE_EMBEDDINGS)})})
        examples = self.artifact(standard_artifacts.Examples, "examples")
        examples.split_names = json.dumps(["train", "eval"])
        graph = self.artifact(standard_artifacts.TransformGraph, "graph")
        self.outputs = {
            "model": [self.artifact(standard_artifacts.Model, "model")],
            "model_run": [self.artifact(standard_artifacts.ModelRun, "model_run")],
        }
        properties = {
            "run_fn": "trainer_module.run_fn",
            "train_args": "{}",
            "eval_args": "{}",
            "custom_config": json.dumps(custom_config),
        }
        inputs = {"examples": [examples], "transform_graph": [graph], "freeze_plan": [plan]}
        if data_profile is not None:
            inputs["data_profile"] = [self.artifact(DataProfile, "profile")]
            (self.folder / "profile" / "data_profile.json").write_text(data_profile)
        Executor().Do(inputs, self.outputs, properties)
        return properties


@pytest.fixture
def training(tmp_path: Path, tiny_hub: Path) -> Training:
    return Training(tmp_path, tiny_hub)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[FnArgs]:
    """Puts a `run_fn` in place that leaves what training leaves, and keeps what it was given."""
    calls: list[FnArgs] = []

    def run_fn(fn_args: FnArgs) -> None:
        calls.append(fn_args)
        settings = BertSettings.from_custom_config(fn_args.custom_config)
        plan = plan_freeze(settings, HubModel.from_settings(settings))
        Path(fn_args.model_run_dir, "freeze_plan.json").write_text(plan.to_json(), encoding="utf-8")
        Path(fn_args.serving_model_dir).mkdir()

    monkeypatch.setattr("trainer_module.trainer.run_fn", run_fn)
    return calls


@pytest.mark.parametrize("as_text", [lambda bert: bert, json.dumps], ids=["dict", "JSON text"])
def test_run_fn_is_told_where_the_plan_is(
    training: Training, seen: list[FnArgs], as_text: Callable[[dict[str, Any]], Any]
) -> None:
    training.run({"bert": as_text(training.bert(FREEZE_EMBEDDINGS)), "of_vertex": {"replicas": 2}})
    (fn_args,) = seen
    plan = str(training.folder / "plan" / "freeze_plan.json")
    assert fn_args.custom_config == {
        "bert": training.bert(FREEZE_EMBEDDINGS) | {"freeze_plan": plan},
        "of_vertex": {"replicas": 2},
    }
    assert fn_args.serving_model_dir == str(training.folder / "model" / "Format-Serving")


def test_the_stored_properties_do_not_hold_the_path_so_that_the_cache_works(
    training: Training, seen: list[FnArgs]
) -> None:
    custom_config = {"bert": training.bert(FREEZE_EMBEDDINGS)}
    assert json.loads(training.run(custom_config)["custom_config"]) == custom_config


def test_the_model_says_by_which_plan_it_was_trained(training: Training, seen: list[FnArgs], tiny_hub: Path) -> None:
    training.run({"bert": training.bert(FREEZE_EMBEDDINGS)})
    plan = FreezePlan.from_json((training.folder / "plan" / "freeze_plan.json").read_text(encoding="utf-8"))
    (model,) = training.outputs["model"]
    assert model.get_string_custom_property("hub") == str(tiny_hub)
    assert model.get_string_custom_property("hub_digest") == HubModel(str(tiny_hub)).digest
    assert model.get_string_custom_property("plan_digest") == plan.digest()
    assert model.get_int_custom_property("frozen_params") == 7072
    assert model.get_int_custom_property("trainable_params") == 33760 - 7072


def test_other_rules_than_the_planned_ones_are_refused(training: Training) -> None:
    with pytest.raises(UserError) as caught:
        training.run({"bert": training.bert([{"freeze": "pooler"}])})
    assert str(caught.value) == (
        f"model.freeze: this is not the plan in {training.folder}/plan/freeze_plan.json: "
        "`word_embeddings/embeddings` (frozen, now trains), `position_embedding/embeddings` (frozen, now trains), "
        "`type_embeddings/embeddings` (frozen, now trains), 4 more differ; planned were `freeze embeddings`, given are "
        "`freeze pooler`; give FreezePlanner and Trainer the same custom_config"
    )
    assert list((training.folder / "model").iterdir()) == []


def test_settings_that_are_wrong_are_refused_before_anything_else(training: Training) -> None:
    with pytest.raises(UserError, match=r"^bert: is not valid JSON: "):
        training.run({"bert": "{"})


def test_the_profile_of_the_rows_travels_with_the_model(training: Training, seen: list[FnArgs]) -> None:
    training.run({"bert": training.bert(FREEZE_EMBEDDINGS)}, data_profile="{}")
    model = training.folder / "model" / "Format-Serving"
    assert str(model) == seen[0].serving_model_dir
    assert (model / "assets.extra" / "data_profile.json").read_text() == "{}"
