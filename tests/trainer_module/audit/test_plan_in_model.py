"""The plan travels in the exported model, where TensorFlow Serving doesn't look."""

import os
from pathlib import Path

import pytest

from trainer_module.audit.plan_in_model import read_plan, write_plan
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan, PlannedModel

PLAN = FreezePlan(
    model=PlannedModel(family="bert", blocks=1, hidden=2, parameters=6, hub="model", hub_digest="sha256:1"),
    rules=(),
    variables=(),
)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_plan(str(tmp_path), PLAN)
    assert read_plan(str(tmp_path)) == PLAN
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file == tmp_path / "assets.extra" / "permafrost" / "freeze_plan.json"


def test_a_model_may_have_extra_assets_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"theirs")
    write_plan(str(tmp_path), PLAN)
    assert (tmp_path / "assets.extra" / "tf_serving_warmup_requests").read_bytes() == b"theirs"


def test_other_models_carry_none(tmp_path: Path) -> None:
    assert read_plan(str(tmp_path)) is None
    assert read_plan(str(tmp_path / "nowhere")) is None


def test_a_plan_that_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    write_plan(str(tmp_path), PLAN)
    (tmp_path / "assets.extra" / "permafrost" / "freeze_plan.json").write_text("{}")
    with pytest.raises(UserError, match=r"freeze plan\.model: is missing"):
        read_plan(str(tmp_path))


def test_a_folder_in_a_plans_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "assets.extra" / "permafrost" / "freeze_plan.json").mkdir(parents=True)
    with pytest.raises(UserError, match=r"^freeze plan: can't be read \(.*Is a directory\); export the model again$"):
        read_plan(str(tmp_path))


def test_a_pipe_in_a_plans_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "assets.extra" / "permafrost").mkdir(parents=True)
    os.mkfifo(tmp_path / "assets.extra" / "permafrost" / "freeze_plan.json")
    with pytest.raises(UserError, match=r"freeze_plan.json is not a regular file but a pipe"):
        read_plan(str(tmp_path))
