"""AtomicPusher, run as TFX runs it."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.atomic_pusher.executor import Executor
from components.atomic_pusher.model_files import describe_files, files_to_json


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Callable[..., Artifact]:
    """Runs the executor on the model, whose artifact has the id 7; gives its output."""

    def execute(blessed: int = 1, infra: int = 1, reason: str = "", withdrawn: int = 0, **properties: Any) -> Artifact:
        artifact = standard_artifacts.Model()
        artifact.uri, artifact.id = str(model.parent), 7
        if withdrawn:
            artifact.set_int_custom_property("withdrawn", withdrawn)
        model_blessing, infra_blessing = standard_artifacts.ModelBlessing(), standard_artifacts.InfraBlessing()
        model_blessing.set_int_custom_property("blessed", blessed)
        infra_blessing.set_int_custom_property("blessed", infra)
        if reason:
            infra_blessing.set_string_custom_property("reason", reason)
        pushed = standard_artifacts.PushedModel()
        pushed.uri = tempfile.mkdtemp(dir=model.parent)
        inputs = {"model": [artifact], "model_blessing": [model_blessing], "infra_blessing": [infra_blessing]}
        destination = json.dumps({"filesystem": {"base_directory": str(tmp_path / "serving")}})
        Executor().Do(inputs, {"pushed_model": [pushed]}, {"push_destination": destination, **properties})
        return pushed

    return execute


def custom_properties(artifact: Artifact) -> dict[str, Any]:
    values = artifact.mlmd_artifact.custom_properties
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def test_what_is_pushed_is_known_to_ml_metadata(run: Callable[..., Artifact], model: Path, tmp_path: Path) -> None:
    pushed = run()
    (version,) = (tmp_path / "serving").iterdir()
    assert custom_properties(pushed) == {
        "pushed": 1,
        "pushed_destination": str(version),
        "pushed_version": version.name,
        "model_id": 7,
        "model_files": files_to_json(describe_files(str(model))),
    }
    assert Path(pushed.uri, "saved_model.pb").samefile(model / "saved_model.pb"), "the archive takes no room"
    assert not (version / "saved_model.pb").samefile(model / "saved_model.pb")


def test_a_push_that_was_not_noted_is_found_again(run: Callable[..., Artifact], tmp_path: Path) -> None:
    assert custom_properties(run()) == custom_properties(run())
    assert len(list((tmp_path / "serving").iterdir())) == 1


def test_only_as_many_versions_stay_as_wanted(run: Callable[..., Artifact], tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / "serving" / name).mkdir(parents=True)
    version = custom_properties(run(keep_versions=2))["pushed_version"]
    assert sorted(path.name for path in (tmp_path / "serving").iterdir()) == [version, "2"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"blessed": 0}, "Evaluator didn't bless the model"),
        ({"infra": 0, "reason": "1 frozen variables differ"}, "1 frozen variables differ"),
        ({"infra": 0}, "its InfraBlessing was withheld"),
        ({"withdrawn": 1}, "this model (artifact 7) was withdrawn by a rollback, and is never pushed again"),
    ],
)
def test_what_must_not_be_pushed_is_not_and_says_why(
    run: Callable[..., Artifact],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, Any],
    reason: str,
) -> None:
    assert custom_properties(run(**given)) == {"pushed": 0, "reason": reason}
    assert not (tmp_path / "serving").exists()
    assert f"nothing is pushed: {reason}" in caplog.messages
