"""A pipeline compiled for Vertex AI, run here as the service would: to a pushed model, and once more on top of that.

The first run's Trainer and the step that fails have processes of their own; the other steps' commands are called in
this process, where they needn't import TensorFlow anew. `make soak` runs each step in a process.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.compiled.artifact_store import ArtifactStore, Run
from pipeline.compiled.job import load_job
from pipeline.compiled.outcome import read_outcome
from pipeline.compiled.parameters import runtime_parameters
from pipeline.config_file import load_config
from pipeline.runners.job_file import write_job
from pipeline.runners.vertex import compile_job
from tests.support.compiled_run import run_mostly_here
from tests.support.project import Project

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("permafrost")
CONFIG = """
[data]
train = "rows/{YYYY}-{MM}-{DD}/v{VERSION}.csv"
eval = "newest"
window = 3
text = ["text"]
label = "topic"

[model]
hub = "HUB"
max_tokens = 32
freeze = [{ freeze = "embeddings" }]

[train]
epochs = 1
batch_size = 16
learning_rate = 1e-3

[evaluate.thresholds.accuracy]
at_least = 0.05
no_worse_than_live_by = 1.0

[vertex]
project = "any-project"
region = "europe-west4"
staging_root = "compiled"
image = "any/image:1"
"""
FREEZE = 'freeze=[{"freeze": "all"}, {"train": "encoder[2]"}]'
TOPICS = ("billing", "praise", "technical")
STEPS = ["live_model-model-blessing-resolver", "live_model-model-resolver", "FreezePlanner", "ExampleGen",
         "StatisticsGen", "SchemaGen", "ExampleValidator", "DataProfile", "DataGate", "Transform", "Trainer",
         "Evaluator", "FreezeAudit", "ReleaseGate", "Pusher"]  # fmt: skip


@dataclass
class Done:
    """A run that came to its end.

    Attributes:
        printed: The object that `permafrost run-compiled --json` prints.
        run: Its record.
    """

    printed: dict[str, Any]
    run: Run


@pytest.fixture(scope="module")
def project(make_project: Callable[[str], Project]) -> Project:
    """Four days of twenty tickets of the quickstart, and the job that the config was compiled to."""
    project = make_project(CONFIG)
    with open(REPOSITORY / "examples" / "support_tickets.csv", encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["topic"]) for row in csv.DictReader(file) if row["topic"] in TOPICS][:80]
    for day in range(4):
        path = project.folder / "rows" / f"2026-11-{24 + day}" / "v1.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "topic"), *rows[day::4]])
    write_job(compile_job(load_config(project.config_file)), project.folder / "pipeline.json")
    return project


def run(project: Project, *parameters: str, in_processes: Collection[str] = ()) -> Done:
    job, root = load_job(project.folder / "pipeline.json"), project.folder / "compiled"
    record = run_mostly_here(job, runtime_parameters(job, parameters), root, in_processes)
    return Done(read_outcome(record, ArtifactStore(root, job.name).run_folder(record)).to_json(), record)


def call(project: Project, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command, in an environment without what tests set for themselves."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "CUDA_"))}
    return subprocess.run(
        [str(COMMAND), *arguments], cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def first(project: Project) -> Done:
    return run(project, FREEZE, "train_steps=3", "span=20783", in_processes={"Trainer"})


@pytest.fixture(scope="module")
def second(project: Project, first: Done) -> Done:
    return run(project, "train_steps=2", 'thresholds={"accuracy": {"at_least": 0.01, "no_worse_than_live_by": 1.0}}')


def test_each_step_ran_to_a_pushed_model(project: Project, first: Done) -> None:
    assert [step.task for step in first.run.steps][:3] == STEPS[:3]
    assert {(step.task, step.state) for step in first.run.steps} == {(step, "SUCCEEDED") for step in STEPS}
    pushed = Path(first.printed["pushed_model"])
    assert pushed.parent == project.serving
    assert (pushed / "saved_model.pb").is_file()
    assert first.printed["blessed"] is True


def test_the_rules_are_those_of_the_parameter(first: Done, second: Done) -> None:
    (plan,) = first.run.step("FreezePlanner").outputs["freeze_plan"]
    content = json.loads(Path(plan.uri, "freeze_plan.json").read_text())
    assert content["rules"] == [{"freeze": "all"}, {"train": "encoder[2]"}]
    (model,) = first.run.step("Trainer").outputs["model"]
    assert model.metadata["frozen_params"] == plan.metadata["frozen_params"]
    (audit,) = first.run.step("FreezeAudit").outputs["audit"]
    assert audit.metadata["verdict"] == "passed"
    (plan,) = second.run.step("FreezePlanner").outputs["freeze_plan"]
    content = json.loads(Path(plan.uri, "freeze_plan.json").read_text())
    assert content["rules"] == [{"freeze": "embeddings"}], "the config's"


def test_example_gens_driver_ran_before_it(first: Done) -> None:
    step = first.run.step("ExampleGen")
    (examples,) = step.outputs["examples"]
    assert step.parameters["span"] == 20783
    assert step.parameters["input_fingerprint"].count("num_files:1") == 3
    assert examples.metadata["split_names"] == '["train", "eval"]'
    assert examples.metadata["input_fingerprint"] == step.parameters["input_fingerprint"]


def test_the_window_ends_at_the_parameter_or_at_the_newest_day(first: Done, second: Done) -> None:
    for done, last in ((first, 20783), (second, 20784)):
        (examples,) = done.run.step("ExampleGen").outputs["examples"]
        assert (examples.metadata["first_span"], examples.metadata["last_span"]) == (last - 2, last)
        assert json.loads(examples.metadata["spans"]) == [
            {"span": span, "version": 1} for span in range(last - 2, last + 1)
        ]
        assert (examples.metadata["rows_train"], examples.metadata["rows_eval"]) == (40, 20)


def test_the_first_run_finds_no_model_to_compare_with(first: Done) -> None:
    for resolver in STEPS[:2]:
        assert list(first.run.step(resolver).outputs.values()) == [[]]
    evaluator = first.run.step("Evaluator")
    assert evaluator.inputs["baseline_model"] == []
    (blessing,) = evaluator.outputs["blessing"]
    assert "baseline_model_id" not in blessing.metadata
    assert blessing.metadata["current_model_id"] == first.run.step("Trainer").outputs["model"][0].name


def test_the_second_run_is_compared_with_the_model_that_the_first_blessed(first: Done, second: Done) -> None:
    (live,) = first.run.step("Trainer").outputs["model"]
    evaluator = second.run.step("Evaluator")
    assert evaluator.inputs["baseline_model"] == [live.name]
    (blessing,) = evaluator.outputs["blessing"]
    assert blessing.metadata["blessed"] == 1
    assert blessing.metadata["baseline_model_id"] == live.name
    assert blessing.metadata["baseline_model"] == live.uri
    (own,) = second.run.step("Trainer").outputs["model"]
    assert blessing.metadata["current_model_id"] == own.name != live.name
    assert second.printed["pushed_model"] not in (None, first.printed["pushed_model"])


def test_a_wrong_rule_ends_in_its_message_before_a_row_is_read(project: Project, second: Done) -> None:
    done = call(project, "run-compiled", "pipeline.json", "--param", 'freeze=[{"freeze": "layer_9"}]')
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "layer_9" in done.stderr
    assert "Traceback" not in done.stderr
    failed = ArtifactStore(project.folder / "compiled", "mine").runs()[0]
    assert [(step.task, step.state) for step in failed.steps][2:] == [("FreezePlanner", "FAILED")]


@pytest.mark.soak
def test_every_step_runs_in_a_process_of_its_own(project: Project) -> None:
    """As `permafrost run-compiled` runs it, in a root of its own; no step needs what tests have imported."""
    options = ["--root", "processes", "--json", "--param", FREEZE, "--param", "train_steps=3", "--param", "span=20783"]
    done = call(project, "run-compiled", "pipeline.json", *options)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["blessed"] is True
    pushed = Path(printed["pushed_model"])
    assert pushed.parent == project.serving
    assert (pushed / "saved_model.pb").is_file()
    (record,) = ArtifactStore(project.folder / "processes", "mine").runs()
    assert {(step.task, step.state) for step in record.steps} == {(step, "SUCCEEDED") for step in STEPS}
