"""What is told of earlier runs, out of a store made by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from components.atomic_pusher.model_files import describe_files, files_to_json
from pipeline.config import PipelineConfig
from pipeline.history import PastRun, read_history
from pipeline.rollback_record import record_rollback
from pipeline.run_lock import run_lock
from pipeline.run_record import Outcome, record_outcome

RULES = json.dumps({"bert": {"hub": "bert", "freeze": [{"freeze": "embeddings"}, {"freeze": "encoder[:3]"}]}})


class Past:
    """A pipeline with a past.

    Args:
        folder: Its root.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.config = PipelineConfig.model_validate({
            "pipeline": {"name": "mine", "root": str(folder)},
            "data": {"train": "rows-{SPAN}.csv", "text": ["body"], "label": "topic"},
            "model": {"hub": "models/bert"},
        })  # fmt: skip
        self.store = MetadataStore(sqlite_metadata_connection_config(str(folder / "metadata.sqlite")))
        self._types = {
            name: self.store.put_artifact_type(mlmd.ArtifactType(name=name))
            for name in ("Examples", "Model", "ModelBlessing", "PushedModel")
        }
        self._execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="component"))
        self._contexts = {
            name: self.store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }

    def artifact(self, kind: str, uri: str = "", **properties: int | str) -> mlmd.Artifact:
        artifact = mlmd.Artifact(type_id=self._types[kind], uri=uri or str(self.root), state=mlmd.Artifact.LIVE)
        for name, value in properties.items():
            setattr(artifact.custom_properties[name], "int_value" if isinstance(value, int) else "string_value", value)
        return artifact

    def execute(self, run: str, component: str, *artifacts: mlmd.Artifact, pipeline: str = "mine") -> list[int]:
        names = {"pipeline": pipeline, "pipeline_run": run, "node": f"{pipeline}.{component}"}
        contexts = [mlmd.Context(type_id=self._contexts[kind], name=name) for kind, name in names.items()]
        execution = mlmd.Execution(type_id=self._execution_type, last_known_state=mlmd.Execution.COMPLETE)
        execution.custom_properties["custom_config"].string_value = RULES
        pairs = [(artifact, mlmd.Event(type=mlmd.Event.OUTPUT)) for artifact in artifacts]
        _, ids, _ = self.store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
        return list(ids)

    def begin(self, run: str, last_span: int = 8) -> None:
        self.execute(run, "FreezePlanner")
        window = self.artifact("Examples", first_span=1, last_span=last_span, spans="[]", missing_spans="[]")
        self.execute(run, "ExampleGen", window)

    def push(self, run: str, version: str) -> int:
        """A whole run that ended with a push; gives the model's id."""
        self.begin(run)
        for name in ("saved_model.pb", "variables.index"):
            self.model_file(run, name).parent.mkdir(parents=True, exist_ok=True)
            self.model_file(run, name).write_text(run)
        files = files_to_json(describe_files(str(self.model_file(run, ""))))
        (model,) = self.execute(run, "Trainer", self.artifact("Model", uri=str(self.root / run)))
        self.execute(run, "Evaluator", self.artifact("ModelBlessing", blessed=1, current_model_id=model))
        pushed = self.artifact("PushedModel", pushed=1, model_id=model, pushed_version=version, model_files=files)
        self.execute(run, "Pusher", pushed)
        return model

    def model_file(self, run: str, name: str) -> Path:
        return self.root / run / "Format-Serving" / name

    def end(self, run: str, outcome: Outcome, **summary: Any) -> None:
        record_outcome(self.store, run, outcome, summary)

    def told(self, limit: int | None = None) -> list[PastRun]:
        return read_history(self.config, limit)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_a_pushed_run(past: Past) -> None:
    past.push("monday", "17")
    past.end("monday", "pushed", metrics={"accuracy": 0.9})
    (run,) = past.told()
    assert (run.run_id, run.outcome, run.reason, run.blessed) == ("monday", "pushed", "", True)
    assert run.spans is not None
    assert (run.spans.first_span, run.spans.last_span) == (1, 8)
    assert run.rules == ("freeze embeddings", "freeze encoder[:3]")
    assert run.metrics == {"accuracy": 0.9}
    assert (run.version, run.is_live, run.is_withdrawn) == ("17", True, False)
    assert json.loads(json.dumps(run.to_json()))["spans"]["last_span"] == 8


def test_the_newest_comes_first_and_one_is_live(past: Past) -> None:
    past.push("monday", "17")
    past.push("tuesday", "18")
    assert [(run.version, run.is_live) for run in past.told()] == [("18", True), ("17", False)]
    assert [run.version for run in past.told(limit=1)] == ["18"]


@pytest.mark.parametrize(
    ("outcome", "summary", "reason"),
    [
        ("not_blessed", {"not_blessed_because": ["accuracy is 0.5", "mse is 2"]}, "accuracy is 0.5; mse is 2"),
        ("stopped", {"error": "2 anomalies", "component": "DataGate"}, "DataGate: 2 anomalies"),
        ("failed", {"error": "Trainer failed: OSError", "component": "Trainer"}, "Trainer failed: OSError"),
    ],
)
def test_why_nothing_was_pushed(past: Past, outcome: Outcome, summary: dict[str, Any], reason: str) -> None:
    past.begin("monday")
    past.end("monday", outcome, **summary)
    (run,) = past.told()
    assert (run.outcome, run.reason, run.version, run.blessed) == (outcome, reason, None, None)


def test_a_reason_of_pushers(past: Past) -> None:
    past.begin("monday")
    past.execute("monday", "Pusher", past.artifact("PushedModel", pushed=0, reason="it was withdrawn"))
    past.end("monday", "not_blessed")
    assert [run.reason for run in past.told()] == ["it was withdrawn"]


def test_a_run_without_an_end_goes_on_or_was_killed(past: Past) -> None:
    past.begin("monday")
    past.begin("tuesday")
    assert [run.outcome for run in past.told()] == ["killed", "killed"]
    with run_lock(str(past.root)):
        assert [run.outcome for run in past.told()] == ["running", "killed"]
    past.end("tuesday", "failed", error="the run was killed while Trainer ran", component="Trainer", killed=True)
    assert past.told()[0].outcome == "killed"


def test_a_run_of_an_earlier_release(past: Past) -> None:
    past.push("monday", "17")
    past.begin("tuesday")
    past.execute("tuesday", "Pusher", past.artifact("PushedModel", pushed=0))
    assert [run.outcome for run in past.told()] == ["not_blessed", "pushed"]


def test_a_rollback_is_told_too(past: Past) -> None:
    first, second = past.push("monday", "17"), past.push("tuesday", "18")
    models = {model.id: model for model in past.store.get_artifacts_by_type("Model")}
    models[second].custom_properties["withdrawn"].int_value = 1
    record_rollback(
        past.store,
        "mine",
        inputs=[models[second], models[first]],
        output=past.artifact("PushedModel", pushed=1, model_id=first, pushed_version="19"),
        summary={"from_version": "18", "to_version": "17", "version": "19", "pushed_model": "serving/19"},
    )
    told = [(run.outcome, run.version, run.is_live, run.is_withdrawn) for run in past.told()]
    assert told == [
        ("rolled_back", "19", True, False),
        ("pushed", "18", False, True),
        ("pushed", "17", False, False),
    ]
    assert past.told()[0].reason == "from version 18 to the model of version 17"


def test_which_versions_a_rollback_can_go_back_to(past: Past) -> None:
    runs = {"monday": "17", "tuesday": "18", "wednesday": "19", "thursday": "20"}
    for run, version in runs.items():
        past.push(run, version)
    past.begin("friday")
    past.model_file("tuesday", "variables.index").unlink()
    past.model_file("wednesday", "variables.index").write_text("longer than before")
    folders = {run: past.model_file(run, "") for run in runs}
    assert [(run.version, run.can_roll_back, run.no_rollback_because) for run in past.told()] == [
        (None, False, ""),
        ("20", False, ""),
        ("19", False, f"its model in {folders['wednesday']} can't be used: variables.index has changed"),
        ("18", False, f"its model in {folders['tuesday']} can't be used: variables.index is gone"),
        ("17", True, ""),
    ]
    assert [run.to_json()["can_roll_back"] for run in past.told(limit=2)] == [False, False]


def test_other_pipelines_in_the_database_are_not_told(past: Past) -> None:
    past.begin("monday")
    past.execute("their monday", "FreezePlanner", pipeline="theirs")
    assert [run.run_id for run in past.told()] == ["monday"]


def test_the_table(past: Past, permafrost: Any) -> None:
    file = past.root / "mine.toml"
    file.write_text(
        f'[pipeline]\nname = "mine"\nroot = "{past.root}"\n[data]\ntrain = "rows-{{SPAN}}.csv"\ntext = ["body"]\n'
        'label = "topic"\n[model]\nhub = "bert"\n'
    )
    past.push("saturday", "15")
    past.push("sunday", "16")
    past.model_file("sunday", "saved_model.pb").unlink()
    past.push("monday", "17")
    past.end("monday", "pushed", metrics={"accuracy": 0.91239, "baseline_accuracy": 0.5})
    past.begin("tuesday")
    past.end("tuesday", "not_blessed", not_blessed_because=["accuracy is 0.5"])
    assert permafrost("history", "--config", str(file)) == 0
    header, tuesday, monday, *earlier = (line for line in permafrost.out.splitlines() if any(map(str.isalnum, line)))
    assert [cell.strip() for cell in header.strip("┃").split("┃")] == [
        "started", "outcome", "version", "rollback", "spans", "frozen by", "accuracy", "baseline_accuracy", "why"
    ]  # fmt: skip
    frozen = "freeze embeddings; freeze encoder[:3]"
    assert [cell.strip() for cell in tuesday.strip("│").split("│")][1:] == [
        "not blessed", "", "", "1 to 8", frozen, "", "", "accuracy is 0.5"
    ]  # fmt: skip
    assert [cell.strip() for cell in monday.strip("│").split("│")][1:] == [
        "pushed", "17 live", "", "1 to 8", frozen, "0.9124", "0.5000", ""
    ]  # fmt: skip
    assert ["│ 16      │ no       │" in permafrost.out, "│ 15      │ possible │" in permafrost.out] == [True, True]
    assert "its model's files are gone from" in "".join(earlier)


def test_a_pipeline_that_never_ran(tmp_path: Path, permafrost: Any) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[pipeline]\nname = "mine"\nroot = "run"\n[data]\ntrain = "rows.csv"\ntext = ["body"]\nlabel = "topic"\n'
        '[model]\nhub = "bert"\n'
    )
    assert permafrost("history", "--config", str(file), "--json") == 0
    assert json.loads(permafrost.out) == {"pipeline": "mine", "runs": []}
    assert not (tmp_path / "run" / "metadata.sqlite").exists()
