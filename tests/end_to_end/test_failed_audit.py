"""A model that isn't as frozen as planned ends the run with 3: blessed by Evaluator, but not pushed."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ml_metadata import MetadataStore
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from tests.support.project import Project
from trainer_module import trainer
from trainer_module.export import ServingModel, export
from trainer_module.freezing.freeze_plan import FreezePlan

pytestmark = pytest.mark.slow

FROZEN = "transformer/layer_1/output/kernel"
PROBLEMS = (
    f"1 frozen variables differ from the Hub model's: {FROZEN}",
    f"1 variables are not in the exported model as the Trainer left them: {FROZEN}",
)


def export_with_a_flipped_bit(model: ServingModel, path: str, plan: FreezePlan) -> None:
    """After the Trainer's own check, so that only the audit can find it."""
    (kernel,) = (variable for variable in model.model_variables if variable.name == f"{FROZEN}:0")
    value = kernel.numpy()
    value.view(np.uint32)[3, 5] ^= 1
    kernel.assign(value)
    export(model, path, plan)


def test_a_failed_audit_pushes_nothing_and_says_why(
    make_small_project: Callable[..., Project], permafrost: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_small_project(freeze='[{ freeze = "embeddings" }, { freeze = "encoder" }]')
    monkeypatch.setattr(trainer, "export", export_with_a_flipped_bit)

    assert permafrost("run", "--config", str(project.config_file), "--json") == 3

    content = json.loads(permafrost.out)
    assert (content["blessed"], content["audit"], content["pushed_model"]) == (True, "failed", None)
    lines = permafrost.err.splitlines()
    start = lines.index("audit failed:")
    assert lines[start + 1 : start + 3] == [f"  {problem}" for problem in PROBLEMS]
    assert "nothing was pushed" in lines
    assert project.pushed() == []
    store = MetadataStore(sqlite_metadata_connection_config(str(project.folder / "run" / "metadata.sqlite")))
    (model,) = store.get_artifacts_by_type("Model")
    assert model.custom_properties["freeze_audit"].string_value == "failed"
    blessings = store.get_artifacts_by_type("InfraBlessing")
    assert [each.custom_properties["blessed"].int_value for each in blessings] == [0, 0]
    # FreezeAudit's, and therefore ReleaseGate's too.
    assert {each.custom_properties["reason"].string_value for each in blessings} == {"; ".join(PROBLEMS)}
