"""Jobs from their first step to their last."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.compiled.artifact_store import ArtifactStore, Run
from pipeline.compiled.executor_input import BadOutput
from pipeline.compiled.outcome import read_outcome
from pipeline.compiled.parameters import runtime_parameters
from pipeline.compiled.run import run_job
from pipeline.compiled.step_process import StepFailed
from trainer_module.errors import UserError

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""
Heard = Any
"""`conftest.Heard`, likewise."""

EXAMPLE_GEN_DRIVER = """
tell(parameterValues={"span": 7, "input_config": "span7/*"},
     artifacts={"examples": {"artifacts": [{"name": "ignored", "metadata": {"span": 7}}]}})
"""
EXAMPLE_GEN = """
assert parameters == {"input_config": "span7/*", "span": 7}, parameters
assert outputs["examples"]["artifacts"][0]["metadata"] == {"span": 7}
open(os.path.join(uri("examples"), "rows"), "w").write("rows of " + parameters["input_config"])
tell(artifacts={"examples": {"artifacts": [{"metadata": {"rows": 2}}]}})
"""
TRAINER = """
examples = artifacts["examples"]["artifacts"][0]
assert examples["metadata"] == {"span": 7, "rows": 2}, examples
assert examples["type"]["instanceSchema"].startswith("title: tfx.Examples"), examples
base = [each["name"] for each in artifacts["base_model"].get("artifacts", [])]
rows = open(os.path.join(examples["uri"], "rows")).read()
open(os.path.join(uri("model"), "weights"), "w").write(rows + f", {parameters['steps']:.0f} steps, from {base}")
"""
EVALUATOR = """
tell(artifacts={"blessing": {"artifacts": [{"metadata":
    {"blessed": int(parameters["bless"]), "current_model_id": artifacts["model"]["artifacts"][0]["name"]}}]}})
"""
PUSHER = """
blessed = artifacts["blessing"]["artifacts"][0]["metadata"]["blessed"]
tell(artifacts={"pushed_model": {"artifacts": [{"metadata": {"pushed": blessed, "pushed_destination": "/serving/1"}}]}})
"""
BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
ITS_MODEL = "schema_title=\"tfx.Model\" AND name=\"{{$.inputs.artifacts['input'].metadata['current_model_id']}}\""


@pytest.fixture
def pipeline(job: Job) -> Job:
    """A pipeline of TFX's shape, whose steps check what they are given."""
    job.parameter("train_steps", "NUMBER_INTEGER", defaultValue=3)
    job.parameter("bless", "BOOLEAN", defaultValue=True)
    job.container(
        "ExampleGen",
        EXAMPLE_GEN,
        EXAMPLE_GEN_DRIVER,
        parameters={"input_config": "{SPAN}/*"},
        outputs={"examples": "tfx.Examples"},
    )
    job.resolver("live-blessing", "blessing", BLESSED, "tfx.ModelBlessing")
    job.resolver("live-model", "model", ITS_MODEL, "tfx.Model", inputs={"input": "live-blessing.blessing"})
    job.container(
        "Trainer",
        TRAINER,
        inputs={"examples": "ExampleGen.examples", "base_model": "live-model.model"},
        parameters={"steps": {"componentInputParameter": "train_steps"}},
        outputs={"model": "tfx.Model"},
    )
    job.container(
        "Evaluator",
        EVALUATOR,
        inputs={"model": "Trainer.model"},
        parameters={"bless": {"componentInputParameter": "bless"}},
        outputs={"blessing": "tfx.ModelBlessing"},
    )
    job.container(
        "Pusher", PUSHER, inputs={"blessing": "Evaluator.blessing"}, outputs={"pushed_model": "tfx.PushedModel"}
    )
    return job


def run(job: Job, heard: Heard, *overrides: str) -> Run:
    loaded = job.load()
    return run_job(loaded, runtime_parameters(loaded, overrides), job.folder / "root", heard)


def weights(run: Run) -> str:
    return Path(run.step("Trainer").outputs["model"][0].uri, "weights").read_text()


def test_three_runs_of_a_pipeline(pipeline: Job, heard: Heard) -> None:
    first = run(pipeline, heard)
    assert first.state == "SUCCEEDED"
    assert weights(first) == "rows of span7/*, 3 steps, from []"
    order = ["live-blessing", "live-model", "ExampleGen", "Trainer", "Evaluator", "Pusher"]
    assert heard.events == [(event, task) for task in order for event in ("started", "ended")]
    assert [step.task for step in first.steps] == order
    outcome = read_outcome(first, pipeline.folder)
    assert (outcome.blessed, outcome.pushed_model, outcome.is_refused) == (True, "/serving/1", False)

    refused = run(pipeline, heard, "train_steps=5", "bless=false")
    name = first.step("Trainer").outputs["model"][0].name
    assert weights(refused) == f"rows of span7/*, 5 steps, from ['{name}']"
    outcome = read_outcome(refused, pipeline.folder)
    assert (outcome.blessed, outcome.pushed_model, outcome.is_refused) == (False, None, True)

    third = run(pipeline, heard, "train_steps=7")
    assert weights(third) == f"rows of span7/*, 7 steps, from ['{name}']", "the refused model is no base"


def test_where_everything_is(pipeline: Job, heard: Heard) -> None:
    done = run(pipeline, heard)
    folder = pipeline.folder / "root" / "mine" / done.run_id
    assert sorted(path.name for path in folder.iterdir()) == [
        "Evaluator_5", "ExampleGen_3", "Pusher_6", "Trainer_4", "logs", "run.json"
    ]  # fmt: skip
    trainer = done.step("Trainer")
    assert trainer.outputs["model"][0].name == f"mine/{done.run_id}/Trainer/model"
    assert trainer.outputs["model"][0].uri == str(folder / "Trainer_4" / "model")
    assert trainer.outputs["model"][0].state == "LIVE"
    assert trainer.inputs == {"base_model": [], "examples": [f"mine/{done.run_id}/ExampleGen/examples"]}
    assert trainer.parameters == {"steps": 3}
    assert done.step("ExampleGen").outputs["examples"][0].metadata == {"span": 7, "rows": 2}
    assert done.step("ExampleGen").parameters == {"input_config": "span7/*", "span": 7}
    assert ArtifactStore(pipeline.folder / "root", "mine").runs() == [done]
    assert sorted(path.name for path in (folder / "logs").iterdir()) == [
        "Evaluator.log", "ExampleGen.log", "Pusher.log", "Trainer.log"
    ]  # fmt: skip


def test_parameters_from_step_to_step(job: Job, heard: Heard) -> None:
    job.container("A", "tell(parameterValues={'span': 7})", output_parameters={"span": "NUMBER_INTEGER"})
    span = {"taskOutputParameter": {"producerTask": "A_task", "outputParameterKey": "span"}}
    check = "assert parameters == {'span': 7, 'text': 'span 7', 'plain': 'a', 'default': 5}, parameters"
    text = "span {{$.inputs.parameters['span']}}"
    job.container("B", check, parameters={"span": span, "text": text, "plain": "a"})
    job.spec["components"]["B"]["inputDefinitions"]["parameters"] |= {
        "default": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5},
        "optional": {"parameterType": "STRING", "isOptional": True},
    }
    assert run(job, heard).step("B").parameters["text"] == "span 7"


def test_a_job_of_parameters_only(job: Job, heard: Heard) -> None:
    """As the kfp compiler writes one: no input as a whole, but placeholders for parts of it."""
    job.parameter("greeting", defaultValue="hello")
    command = ["sh", "-c", 'echo "$0 $1 $LEVEL" > "$2"', "{{$.inputs.parameters['g']}}", "{{$.pipeline_job_name}}"]
    env = [{"name": "LEVEL", "value": "{{$.pipeline_task_name}}"}]
    out = "{{$.outputs.parameters['said'].output_file}}"
    job.task(
        "say",
        {"container": {"image": "any", "command": command, "args": [out], "env": env}},
        parameters={"g": {"componentInputParameter": "greeting"}},
        output_parameters={"said": "STRING"},
    )
    done = run(job, heard, "greeting=good day")
    assert done.step("say").output_parameters == {"said": f"good day mine-{done.run_id} say\n"}


def test_schema_2_0(job: Job, heard: Heard) -> None:
    job.spec["schemaVersion"] = "2.0.0"
    job.spec["root"]["inputDefinitions"]["parameters"] = {"steps": {"type": "INT"}}
    job.content["runtimeConfig"]["parameters"] = {"steps": {"intValue": 3}}
    code = "assert given['inputs']['parameters'] == {'a': {'stringValue': 'x'}, 'b': {'intValue': '3'}}, given"
    constant = {"runtimeValue": {"constantValue": {"stringValue": "x"}}}
    job.container("A", code, parameters={"a": constant, "b": {"runtimeValue": {"runtimeParameter": "steps"}}})
    assert run(job, heard).state == "SUCCEEDED"


def test_an_imported_artifact(job: Job, heard: Heard) -> None:
    schema = job.folder / "schema"
    schema.write_text("s")
    job.importer("schema", "tfx.Schema", {"constant": str(schema)})
    job.container(
        "A", "assert open(artifacts['s']['artifacts'][0]['uri']).read() == 's'", inputs={"s": "schema.result"}
    )
    first, second = run(job, heard), run(job, heard)
    names = [each.step("A").inputs["s"] for each in (first, second)]
    assert names == [[f"mine/{first.run_id}/schema/result"]] * 2, "it is imported once"


def failed(job: Job, heard: Heard, error: type[Exception]) -> tuple[Exception, Run]:
    with pytest.raises(error) as caught:
        run(job, heard)
    (record,) = ArtifactStore(job.folder / "root", "mine").runs()
    return caught.value, record


def test_a_step_that_fails_ends_the_run(job: Job, heard: Heard) -> None:
    job.container("A", "print('why'); sys.exit(4)", outputs={"model": "tfx.Model"})
    job.container("B", after=["A"])
    error, record = failed(job, heard, StepFailed)
    assert str(error) == "A ended with exit code 4"
    assert isinstance(error, StepFailed)
    assert error.log_end == "why"
    assert heard.events == [("started", "A"), ("failed", "A")]
    assert (record.state, [(step.task, step.state) for step in record.steps]) == ("FAILED", [("A", "FAILED")])
    assert record.steps[0].outputs["model"][0].state == "ABANDONED"
    assert ArtifactStore(job.folder / "root", "mine").live_artifacts() == []


def test_a_users_mistake_that_a_step_finds(job: Job, heard: Heard) -> None:
    code = "from trainer_module.errors import UserError; raise UserError(['a: is bad', 'b: is worse'])"
    job.container("FreezePlanner", code)
    error, record = failed(job, heard, UserError)
    assert str(error) == "2 problems:\n  - a: is bad\n  - b: is worse"
    assert record.steps[0].state == "FAILED"


def test_a_driver_that_fails(job: Job, heard: Heard) -> None:
    job.container("ExampleGen", "open('never', 'w')", "sys.exit('no rows')", outputs={"examples": "tfx.Examples"})
    error, _ = failed(job, heard, StepFailed)
    assert isinstance(error, StepFailed)
    assert error.log_end == "no rows"


def test_a_step_that_tells_nonsense(job: Job, heard: Heard) -> None:
    job.container("A", "tell(artifacts=3)")
    error, record = failed(job, heard, BadOutput)
    assert "executor_output.json: is not an ExecutorOutput" in str(error)
    assert record.state == "FAILED"


def test_an_input_that_nobody_puts_out(job: Job, heard: Heard) -> None:
    job.container("A")
    job.container("B", inputs={"x": "A.model"})
    error, _ = failed(job, heard, UserError)
    assert str(error) == "task B: input x: A puts out no 'model'"


def test_a_parameter_that_nobody_puts_out(job: Job, heard: Heard) -> None:
    job.container("A")
    job.container("B", parameters={"p": {"taskOutputParameter": {"producerTask": "A", "outputParameterKey": "span"}}})
    error, _ = failed(job, heard, UserError)
    assert str(error) == "task B: A puts out no parameter 'span'"


def test_a_constant_of_another_type(job: Job, heard: Heard) -> None:
    job.container("A", parameters={"steps": 3})
    job.tasks["A"]["inputs"]["parameters"]["steps"]["runtimeValue"]["constant"] = 3.5
    error, _ = failed(job, heard, UserError)
    assert str(error) == "task A: parameter steps: should be an integer; given 3.5"


def test_a_run_that_is_stopped(job: Job, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.compiled.job_step.run_command", stop)
    job.container("A", outputs={"model": "tfx.Model"})
    with pytest.raises(KeyboardInterrupt):
        run(job, heard)
    (record,) = ArtifactStore(job.folder / "root", "mine").runs()
    assert (record.state, record.steps[0].state) == ("FAILED", "FAILED")
    assert record.steps[0].outputs["model"][0].state == "ABANDONED"
