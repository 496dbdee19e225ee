"""`permafrost audit`: any exported model, by the plan that it carries."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from trainer_module.audit.audit_record import AuditRecord
from trainer_module.audit.plan_in_model import PLAN_IN_MODEL, write_plan
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings

COMMAND = Path(sys.executable).with_name("permafrost")
FROZEN = "transformer/layer_0/output/kernel"


@pytest.fixture(scope="module")
def plan(tiny_hub: Path) -> FreezePlan:
    settings = ModelSettings.model_validate({"hub": str(tiny_hub), "freeze": ["freeze encoder[:2]"], "max_tokens": 16})
    return plan_freeze(settings, HubModel(str(tiny_hub)))


@pytest.fixture(scope="module")
def serving(plan: FreezePlan, export_variables: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A serving folder: version 9 has a changed number in a frozen matrix, version 10 is sound.

    What else is in there has a number, but is no version.
    """
    folder = tmp_path_factory.mktemp("serving")
    for version, changed in (("9", FROZEN), ("10", None)):
        values = {
            name: value + np.float32(plan.is_trainable(name) or name == changed)
            for name, value in HubModel(plan.model.hub).weights.items()
        }
        export_variables(folder / version, values, plan)
    (folder / "11").symlink_to(folder / "9")
    (folder / "12").touch()
    (folder / str(2**63)).mkdir()
    (folder / str(2**63) / "saved_model.pb").touch()
    return folder


def error(permafrost: Any, *arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        permafrost("audit", *arguments)
    assert permafrost.out == ""
    return str(caught.value)


def test_a_sound_model_passes(permafrost: Any, serving: Path, plan: FreezePlan) -> None:
    assert permafrost("audit", str(serving / "10")) == 0
    rows = [" ".join(line.replace("│", " ").split()) for line in permafrost.out.splitlines()]
    assert "encoder[0] 8,544 100% 0 of 16 0 0" in rows
    assert any(row.startswith("encoder[2] 8,544 0% 16 of 16 ") and row.endswith(" 1") for row in rows)
    assert "frozen 17,088 50.6%" in rows
    assert "trainable 16,672 49.4%, and the task head" in rows
    assert f"model: {serving}/10" in rows
    assert f"hub: {plan.model.hub}" in rows
    assert f"hub digest: {plan.model.hub_digest}" in rows
    assert f"plan digest: {plan.digest()}" in rows
    assert rows[-1] == "audit passed: every frozen variable is bit-identical to the Hub model's"
    assert permafrost.err == ""


def test_a_failed_audit_ends_with_3_and_names_what_differs(permafrost: Any, serving: Path) -> None:
    assert permafrost("audit", str(serving / "9")) == 3
    assert permafrost.out.splitlines()[-2:] == [
        "audit failed:",
        f"  1 frozen variables differ from the Hub model's: {FROZEN}",
    ]


def test_of_a_serving_folder_the_highest_version_is_audited_and_said_so(permafrost: Any, serving: Path) -> None:
    assert permafrost("audit", str(serving)) == 0
    assert permafrost.err == f"auditing {serving}/10, the highest version\n"
    assert f"model: {serving}/10\n" in permafrost.out


def test_json_is_the_record_on_one_line(permafrost: Any, serving: Path, plan: FreezePlan) -> None:
    assert permafrost("audit", str(serving / "9"), "--json") == 3
    assert permafrost.out.count("\n") == 1
    record = AuditRecord.from_json(permafrost.out)
    assert (record.verdict, record.plan_digest) == ("failed", plan.digest())
    assert record.problems == (f"1 frozen variables differ from the Hub model's: {FROZEN}",)
    assert [each.name for each in record.variables if each.moved and not each.trainable] == [FROZEN]


def test_the_hub_model_may_lie_elsewhere(permafrost: Any, serving: Path, tiny_hub: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_hub, tmp_path / "moved")
    assert permafrost("audit", str(serving / "10"), "--hub", str(tmp_path / "moved")) == 0
    assert f"hub: {tmp_path}/moved\n" in permafrost.out


def test_another_hub_model_fails(permafrost: Any, serving: Path, hub_model) -> None:
    assert permafrost("audit", str(serving / "10"), "--hub", str(hub_model("bert_L-4_H-32"))) == 3
    assert "is not the one that was planned" in permafrost.out


def test_a_hub_model_is_not_refused_for_its_program_because_it_is_only_read(
    permafrost: Any, serving: Path, tiny_hub: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_hub, tmp_path / "unsafe")
    program = saved_model_pb2.SavedModel.FromString((tmp_path / "unsafe" / "saved_model.pb").read_bytes())
    program.meta_graphs[0].graph_def.node.add(name="write", op="WriteFile")
    (tmp_path / "unsafe" / "saved_model.pb").write_bytes(program.SerializeToString())
    with pytest.raises(UserError, match="WriteFile"):
        HubModel(str(tmp_path / "unsafe"))
    assert permafrost("audit", str(serving / "10"), "--hub", str(tmp_path / "unsafe"), "--json") == 3
    (problem,) = AuditRecord.from_json(permafrost.out).problems
    assert "is not the one that was planned" in problem


@pytest.fixture
def copied(serving: Path, tmp_path: Path) -> Path:
    """A sound model of one's own."""
    shutil.copytree(serving / "10", tmp_path / "model")
    return tmp_path / "model"


def test_a_raw_bit_flipped_in_the_values_fails(permafrost: Any, copied: Path, plan: FreezePlan) -> None:
    (file,) = (copied / "variables").glob("variables.data-*")
    content = bytearray(file.read_bytes())
    content[content.index(HubModel(plan.model.hub).weights[FROZEN].tobytes())] ^= 1
    file.write_bytes(content)
    assert permafrost("audit", str(copied)) == 3
    assert f"  the exported model is damaged: {FROZEN} can't be read (" in permafrost.out


def test_a_hub_model_that_is_gone_is_asked_for(permafrost: Any, copied: Path, plan: FreezePlan) -> None:
    gone = plan.model_copy(update={"model": plan.model.model_copy(update={"hub": "models/gone"})})
    write_plan(str(copied), gone)
    assert error(permafrost, str(copied)).endswith(
        "(this is the Hub model that the exported one names; if it lies elsewhere now, say where with --hub)"
    )
    assert error(permafrost, str(copied)).startswith("model.hub: no such folder: models/gone")
    assert permafrost("audit", str(copied), "--hub", plan.model.hub) == 0


def test_a_plan_that_names_no_hub_model_needs_one(permafrost: Any, copied: Path, plan: FreezePlan) -> None:
    unnamed = plan.model_copy(update={"model": plan.model.model_copy(update={"hub": "", "hub_digest": ""})})
    write_plan(str(copied), unnamed)
    assert error(permafrost, str(copied)) == (
        f"{copied}: its plan doesn't say which Hub model it was made for; name it with --hub"
    )
    assert permafrost("audit", str(copied), "--hub", plan.model.hub) == 0


def test_a_model_of_somebody_else_is_refused(permafrost: Any, tiny_hub: Path) -> None:
    assert error(permafrost, str(tiny_hub)) == (
        f"{tiny_hub}: this model was not exported by Permafrost: it carries no freeze plan"
    )


def test_a_plan_that_cannot_be_understood_is_refused(permafrost: Any, copied: Path) -> None:
    (copied / PLAN_IN_MODEL).write_text("nonsense")
    assert error(permafrost, str(copied)).startswith(f"{copied}/{PLAN_IN_MODEL}: freeze plan: ")


def test_a_folder_that_is_missing_or_holds_no_model_is_refused(permafrost: Any, tmp_path: Path) -> None:
    assert error(permafrost, str(tmp_path / "nowhere")) == (
        f"{tmp_path}/nowhere: no such folder; give an exported model, or the serving folder it was pushed to"
    )
    (tmp_path / "v1").mkdir()
    (tmp_path / "12").write_text("a file")
    assert error(permafrost, str(tmp_path)) == (
        f"{tmp_path}: there is neither a saved_model.pb nor a numbered version in it; "
        "give an exported model, or the serving folder it was pushed to"
    )


def test_a_version_that_is_still_being_copied_is_not_taken_for_a_model(
    permafrost: Any, serving: Path, tmp_path: Path
) -> None:
    """Pusher copies saved_model.pb last."""
    shutil.copytree(serving / "10", tmp_path / "10")
    (tmp_path / "11").mkdir()
    assert permafrost("audit", str(tmp_path)) == 0
    assert permafrost.err == f"auditing {tmp_path}/10, the highest version\n"


@pytest.mark.slow
def test_the_command_itself(serving: Path) -> None:
    """In a process of its own: quiet, with its exit code, without importing TFX."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*arguments], env=environment, capture_output=True, text=True, check=False)

    usage = call(str(COMMAND), "audit", "--help")
    assert (usage.returncode, usage.stderr) == (0, "")
    for part in ("MODEL_DIR", "--hub", "--json", "Exit code 0", "Example:"):
        assert part in usage.stdout
    # Python itself reports each import on stderr.
    done = call(sys.executable, "-X", "importtime", str(COMMAND), "audit", str(serving / "9"), "--json")
    imports = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert (done.returncode, len(done.stderr.splitlines()) - len(imports)) == (3, 0)
    assert json.loads(done.stdout)["verdict"] == "failed"
    imported = {line.rpartition("|")[2].strip() for line in imports}
    assert imported & {"trainer_module", "tfx", "apache_beam", "ml_metadata", "tensorflow_transform"} == {
        "trainer_module"
    }
    missing = call(str(COMMAND), "audit", str(serving / "8"))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith(f"error: {serving}/8: no such folder; ")
