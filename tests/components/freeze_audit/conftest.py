"""An exported model with the artifacts around it, as Trainer and FreezePlanner leave them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components import artifacts
from components.freeze_audit.executor import Executor
from trainer_module.audit.audit_record import AuditRecord
from trainer_module.audit.plan_in_model import write_plan
from trainer_module.audit.variable_record import RECORD_FILE, record_training
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

FROZEN = "transformer/layer_1/intermediate/kernel"


@dataclass
class Audited:
    """One execution of FreezeAudit in a folder.

    The first two blocks are planned to be frozen; what trains was moved by 1.
    """

    folder: Path
    bert: dict[str, Any]
    hub_model: HubModel
    plan: FreezePlan
    outputs: dict[str, list[Artifact]] = field(default_factory=dict)

    def artifact(self, kind: type[Artifact], name: str) -> Artifact:
        made = kind()
        made.uri = str(self.folder / name)
        Path(made.uri).mkdir(exist_ok=True)
        return made

    def export(self, **also_moved: float) -> None:
        """Writes model, plan and record; `also_moved` adds to the last number of a variable, `/` written `__`."""
        values = {
            name: value + np.float32(self.plan.is_trainable(name)) for name, value in self.hub_model.weights.items()
        }
        for name, difference in also_moved.items():
            values[name.replace("__", "/")].reshape(-1)[-1] += np.float32(difference)
        self.artifact(standard_artifacts.Model, "model")
        root = tf.Module()
        root.model_variables = [tf.Variable(value, name=name) for name, value in values.items()]
        serving = str(self.folder / "model" / "Format-Serving")
        tf.saved_model.save(root, serving)
        write_plan(serving, self.plan)
        record = record_training(self.plan, self.hub_model.weights.__getitem__, values.__getitem__)
        self.artifact(standard_artifacts.ModelRun, "model_run")
        (self.folder / "model_run" / RECORD_FILE).write_text(record.to_json(), encoding="utf-8")
        self.artifact(artifacts.FreezePlan, "freeze_plan")
        (self.folder / "freeze_plan" / "freeze_plan.json").write_text(self.plan.to_json(), encoding="utf-8")

    def run(self, *, with_model_run: bool = True, bert: Any = None) -> AuditRecord:
        """Runs the executor; `outputs` then holds what it put out."""
        inputs = {
            "model": [self.artifact(standard_artifacts.Model, "model")],
            "freeze_plan": [self.artifact(artifacts.FreezePlan, "freeze_plan")],
        }
        if with_model_run:
            inputs["model_run"] = [self.artifact(standard_artifacts.ModelRun, "model_run")]
        self.outputs = {
            "blessing": [self.artifact(standard_artifacts.InfraBlessing, "blessing")],
            "audit": [self.artifact(artifacts.FreezeAudit, "audit")],
        }
        Executor().Do(
            inputs, self.outputs, {"custom_config": json.dumps({"bert": self.bert if bert is None else bert})}
        )
        return AuditRecord.from_json((self.folder / "audit" / "freeze_audit.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def tiny_model(tiny_hub: Path) -> HubModel:
    return HubModel(str(tiny_hub))


@pytest.fixture
def make_audited(tmp_path: Path, tiny_model: HubModel) -> Callable[..., Audited]:
    def make(**also_moved: float) -> Audited:
        bert = {
            "hub": tiny_model.handle,
            "text": ["a"],
            "label": "b",
            "max_tokens": 16,
            "freeze": ["freeze encoder[:2]"],
        }
        settings = BertSettings.model_validate(bert)
        audited = Audited(tmp_path, bert, tiny_model, plan_freeze(settings, tiny_model))
        audited.export(**also_moved)
        return audited

    return make


@pytest.fixture
def sound(make_audited: Callable[..., Audited]) -> Audited:
    """A model that is as planned."""
    return make_audited()


@pytest.fixture
def wrong(make_audited: Callable[..., Audited]) -> Audited:
    """A model with one number changed in a frozen matrix."""
    return make_audited(**{FROZEN.replace("/", "__"): 1.0})
