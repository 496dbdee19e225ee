"""FreezeAudit, run as TFX runs it: Pusher pushes what passes, and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tfx.components.pusher.executor import Executor as Pusher
from tfx.components.util import model_utils
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from trainer_module.errors import UserError

FROZEN = "transformer/layer_1/intermediate/kernel"
PROBLEM = f"1 frozen variables differ from the Hub model's: {FROZEN}"


def custom_properties(artifact: Artifact) -> Mapping[str, Any]:
    values = artifact.mlmd_artifact.custom_properties
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def push(audited: Any) -> list[Path]:
    """Lets TFX's own Pusher decide; gives the versions that it pushed."""
    model_blessing = audited.artifact(standard_artifacts.ModelBlessing, "model_blessing")
    model_blessing.set_int_custom_property("blessed", 1)
    inputs = {
        "model": [audited.artifact(standard_artifacts.Model, "model")],
        "model_blessing": [model_blessing],
        "infra_blessing": audited.outputs["blessing"],
    }
    outputs = {"pushed_model": [audited.artifact(standard_artifacts.PushedModel, "pushed")]}
    serving = audited.folder / "serving"
    destination = json.dumps({"filesystem": {"base_directory": str(serving)}})
    Pusher().Do(inputs, outputs, {"push_destination": destination})
    return list(serving.iterdir()) if serving.exists() else []


def test_a_sound_model_is_blessed_and_pushed_with_its_plan(sound: Any) -> None:
    record = sound.run()
    assert (record.verdict, record.problems) == ("passed", ())
    (blessing,) = sound.outputs["blessing"]
    assert files(sound.folder / "blessing") == ["INFRA_BLESSED"]
    assert custom_properties(blessing) == {"blessed": 1}
    assert model_utils.is_infra_validated(blessing)
    (version,) = push(sound)
    assert (version / "saved_model.pb").is_file()
    plan = (version / "assets.extra" / "permafrost" / "freeze_plan.json").read_text(encoding="utf-8")
    assert plan == sound.plan.to_json()


def test_a_model_that_is_not_as_planned_is_not_pushed(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    record = wrong.run()
    assert (record.verdict, record.problems) == ("failed", (PROBLEM,))
    (blessing,) = wrong.outputs["blessing"]
    assert files(wrong.folder / "blessing") == ["INFRA_NOT_BLESSED"]
    assert custom_properties(blessing) == {"blessed": 0, "reason": PROBLEM}
    assert f"freeze audit: {PROBLEM}" in caplog.messages
    assert push(wrong) == []


def test_ml_metadata_can_be_asked_for_verdict_and_counts(sound: Any) -> None:
    sound.run()
    plan = sound.plan
    (audit,) = sound.outputs["audit"]
    assert custom_properties(audit) == {
        "verdict": "passed",
        "plan_digest": plan.digest(),
        "frozen_params": plan.frozen_params,
        "trainable_params": plan.trainable_params,
        "moved_variables": len(plan.trainable_names),
    }
    assert files(sound.folder / "audit") == ["freeze_audit.html", "freeze_audit.json"]


def test_a_failed_audit_says_so_in_ml_metadata(wrong: Any) -> None:
    wrong.run()
    properties = custom_properties(wrong.outputs["audit"][0])
    assert properties["verdict"] == "failed"
    assert properties["moved_variables"] == len(wrong.plan.trainable_names) + 1


def test_what_the_trainer_recorded_must_have_been_exported(sound: Any) -> None:
    path = sound.folder / "model_run" / "variables.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    (kernel,) = (each for each in record["variables"] if each["name"] == "pooler_transform/kernel")
    kernel["sha256_after"] = "0" * 64
    path.write_text(json.dumps(record), encoding="utf-8")
    assert sound.run().problems == (
        "1 variables are not in the exported model as the Trainer left them: pooler_transform/kernel",
    )
    assert sound.run(with_model_run=False).verdict == "passed"


def test_a_model_run_without_a_record_is_a_mistake_in_the_pipeline(sound: Any) -> None:
    (sound.folder / "model_run" / "variables.json").unlink()
    with pytest.raises(UserError) as caught:
        sound.run()
    assert str(caught.value) == (
        f"model_run: there is no {sound.folder}/model_run/variables.json; give FreezeAudit the `model_run` of a "
        'Trainer with run_fn="trainer_module.run_fn", or none'
    )


def test_a_hub_model_that_changed_since_fails_the_audit_instead_of_the_run(sound: Any, tiny_model: Any) -> None:
    """Although its digest is pinned: what is wrong is told along with all else."""
    other = "sha256:" + "0" * 64
    plan = json.loads((sound.folder / "freeze_plan" / "freeze_plan.json").read_text(encoding="utf-8"))
    plan["model"]["hub_digest"] = other
    (sound.folder / "freeze_plan" / "freeze_plan.json").write_text(json.dumps(plan), encoding="utf-8")
    record = sound.run(bert=sound.bert | {"hub_digest": other})
    assert record.problems == (
        f"the Hub model {tiny_model.handle} is not the one that was planned: its content is {tiny_model.digest}, "
        f"the plan says {other}",
        f"the exported model was trained from another Hub model: {tiny_model.digest}, the plan says {other}",
    )


def test_bert_may_be_json_text(sound: Any) -> None:
    assert sound.run(bert=json.dumps(sound.bert)).verdict == "passed"


def test_wrong_settings_are_refused(sound: Any) -> None:
    with pytest.raises(UserError, match=r"^bert\.hub: is missing$"):
        sound.run(bert={"text": ["a"], "label": "b"})
    assert files(sound.folder / "blessing") == []


def test_an_exported_model_that_is_damaged_is_not_blessed(sound: Any) -> None:
    (sound.folder / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"\xff")
    (problem,) = sound.run().problems
    assert problem.startswith(f"the exported model {sound.folder}/model/Format-Serving can't be read: ")
    assert files(sound.folder / "blessing") == ["INFRA_NOT_BLESSED"]
