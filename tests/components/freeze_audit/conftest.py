"""An exported model with the artifacts around it, as Trainer and FreezePlanner leave them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components import artifacts
from components.freeze_audit.executor import Executor
from trainer_module.audit.audit_record import AuditRecord
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

    def export(self, export_variables: Callable[..., Path], also_moved: str | None) -> None:
        """Writes model, plan and record; adds 1 to the last number of `also_moved`, too."""
        values = {
            name: value + np.float32(self.plan.is_trainable(name)) for name, value in self.hub_model.weights.items()
        }
        if also_moved is not None:
            values[also_moved].reshape(-1)[-1] += 1
        self.artifact(standard_artifacts.Model, "model")
        export_variables(self.folder / "model" / "Format-Serving", values, self.plan)
        record = record_training(self.plan, self.hub_model.weights.__getitem__, values.__getitem__)
        self.artifact(standard_artifacts.ModelRun, "model_run")
        (self.folder / "model_run" / RECORD_FILE).write_text(record.to_json(), encoding="utf-8")
        self.artifact(artifacts.FreezePlan, "freeze_plan")
        (self.folder / "freeze_plan" / "freeze_plan.json").write_text(self.plan.to_json(), encoding="utf-8")

    def copy_to(self, folder: Path) -> "Audited":
        return replace(self, folder=Path(shutil.copytree(self.folder, folder)), outputs={})

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


@pytest.fixture(scope="session")
def exported_once(
    tiny_model: HubModel, export_variables: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str | None], Audited]:
    """Exports what a test takes a copy of."""
    bert = {
        "hub": tiny_model.handle,
        "text": ["a"],
        "label": "b",
        "max_tokens": 16,
        "freeze": ["freeze encoder[:2]"],
    }
    plan = plan_freeze(BertSettings.model_validate(bert), tiny_model)

    @cache
    def export(also_moved: str | None) -> Audited:
        audited = Audited(tmp_path_factory.mktemp("exported"), bert, tiny_model, plan)
        audited.export(export_variables, also_moved)
        return audited

    return export


@pytest.fixture
def sound(exported_once: Callable[[str | None], Audited], tmp_path: Path) -> Audited:
    """A model that is as planned."""
    return exported_once(None).copy_to(tmp_path / "sound")


@pytest.fixture
def wrong(exported_once: Callable[[str | None], Audited], tmp_path: Path) -> Audited:
    """A model with one number changed in a frozen matrix."""
    return exported_once(FROZEN).copy_to(tmp_path / "wrong")
