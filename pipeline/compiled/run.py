"""A compiled job, step by step."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact, ArtifactStore, Run, Step, now
from pipeline.compiled.executor_input import (
    make_executor_input,
    make_outputs,
    output_values,
    read_output,
    read_output_parameters,
    set_parameter,
    updated_artifacts,
)
from pipeline.compiled.job import CompiledJob, Task
from pipeline.compiled.order import topological_order
from pipeline.compiled.parameters import constant, parameter_kind, typed_value
from pipeline.compiled.placeholders import Placeholders
from pipeline.compiled.resolver import import_artifact, resolve
from pipeline.compiled.step_process import local_image, run_command
from trainer_module.errors import UserError


class StepListener(Protocol):
    """Hears of each step of a run."""

    def started(self, component: str, run_id: str) -> None: ...

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...


def run_job(job: CompiledJob, parameters: Mapping[str, Any], root: Path, listener: StepListener) -> Run:
    """Runs a job to its end: one step after the other, each container as a process of its own.

    Args:
        job: See `load_job`.
        parameters: See `runtime_parameters`.
        root: Where artifacts, logs and the record of the run are kept, by pipeline and run.
        listener: Hears of each step.

    Raises:
        UserError: The job can't be run, or a step ended by one.
        StepFailed: A step's process failed.
        BadOutput: A step left an output that can't be read.
    """
    order = topological_order(job)
    store = ArtifactStore(root, job.name)
    run = store.new_run(dict(parameters))
    try:
        for number, task in enumerate(order, start=1):
            _JobStep(job, task, number, run, store).run(listener)
    except BaseException:
        run.state = "FAILED"
        raise
    else:
        run.state = "SUCCEEDED"
    finally:
        run.ended = now()
        store.save(run)
    return run


def log_file(store: ArtifactStore, run: Run, task: str) -> Path:
    """Where a step's output goes."""
    return store.run_folder(run) / "logs" / f"{task}.log"


class _JobStep:
    """A task in one run."""

    def __init__(self, job: CompiledJob, task: Task, number: int, run: Run, store: ArtifactStore) -> None:
        self._job = job
        self._task = task
        self._run = run
        self._store = store
        self._folder = store.run_folder(run) / f"{task.name}_{number}"
        self._name_prefix = f"{job.name}/{run.run_id}/{task.name}"
        self._names = {
            "pipeline_root": str(store.run_folder(run).parent.parent),
            "pipeline_job_name": f"{job.name}-{run.run_id}",
            "pipeline_job_resource_name": f"{job.name}-{run.run_id}",
            "pipeline_job_uuid": f"{job.name}-{run.run_id}",
            "pipeline_job_create_time_utc": run.started.isoformat(),
            "pipeline_job_schedule_time_utc": run.started.isoformat(),
            "pipeline_task_name": task.name,
            "pipeline_task_uuid": self._folder.name,
        }
        self._step = Step(task=task.name)

    def run(self, listener: StepListener) -> None:
        """Runs the task, and records how it went at each turn."""
        self._run.steps.append(self._step)
        listener.started(self._task.name, self._run.run_id)
        start = time.monotonic()
        try:
            self._do()
        except BaseException as error:
            self._end("FAILED", "ABANDONED")
            if isinstance(error, Exception):
                listener.failed(self._task.name, error)
            raise
        self._end("SUCCEEDED", "LIVE")
        listener.ended(self._task.name, time.monotonic() - start)

    def _do(self) -> None:
        inputs = self._input_artifacts()
        self._step.inputs = {key: [artifact.name for artifact in artifacts] for key, artifacts in inputs.items()}
        self._step.parameters = self._parameters(inputs)
        self._store.save(self._run)
        if self._task.kind == "container":
            self._run_container(inputs)
            return
        message = make_executor_input(self._task, inputs, self._step.parameters, {}, self._folder)
        placeholders = Placeholders(message, self._names)
        if self._task.kind == "resolver":
            self._step.outputs = resolve(self._task, self._store, placeholders)
        else:
            self._step.outputs = import_artifact(
                self._task, self._store, self._step.parameters, placeholders, self._name_prefix
            )

    def _end(self, state: Any, of_artifacts: Any) -> None:
        self._step.state = state
        self._step.ended = now()
        for artifacts in self._step.outputs.values():
            for artifact in artifacts:
                if artifact.state == "PENDING":
                    artifact.state = of_artifacts
        self._store.save(self._run)

    def _run_container(self, inputs: Mapping[str, Sequence[Artifact]]) -> None:
        container = self._task.executor.container
        self._folder.mkdir()
        outputs = make_outputs(self._task, self._folder, self._name_prefix)
        message = make_executor_input(
            self._task, inputs, self._step.parameters, outputs, self._folder, self._job.is_legacy
        )
        self._record(outputs)
        hook = container.lifecycle.pre_cache_check
        if hook.command or hook.args:
            self._call([*hook.command, *hook.args], message)
            # What it found out is for the executor, too; that reads the same file once more.
            found = read_output(message)
            for key, value in output_values(found).items():
                set_parameter(message, key, value, self._job.is_legacy)
                self._step.parameters[key] = value
            outputs = updated_artifacts(outputs, found)
            message = make_executor_input(
                self._task, inputs, self._step.parameters, outputs, self._folder, self._job.is_legacy
            )
            self._record(outputs)
        self._call([*container.command, *container.args], message)
        output = read_output(message)
        self._record(updated_artifacts(outputs, output))
        self._step.output_parameters = read_output_parameters(self._task, message, output)

    def _call(self, command: Sequence[str], message: pb.ExecutorInput) -> None:
        placeholders = Placeholders(message, self._names)
        log = log_file(self._store, self._run, self._task.name)
        log.parent.mkdir(exist_ok=True)
        extra = {each.name: placeholders.fill(each.value) for each in self._task.executor.container.env}
        with local_image() as image:
            run_command(self._task.name, [placeholders.fill(part) for part in command], image, log, extra)

    def _record(self, outputs: Mapping[str, Artifact]) -> None:
        self._step.outputs = {key: [artifact] for key, artifact in outputs.items()}
        self._store.save(self._run)

    def _input_artifacts(self) -> dict[str, list[Artifact]]:
        inputs = {}
        for key, source in sorted(self._task.spec.inputs.artifacts.items()):
            producer = source.task_output_artifact
            outputs = self._run.step(producer.producer_task).outputs
            if producer.output_artifact_key not in outputs:
                raise UserError(
                    f"task {self._task.name}: input {key}: {producer.producer_task} puts out no "
                    f"{producer.output_artifact_key!r}"
                )
            inputs[key] = outputs[producer.output_artifact_key]
        return inputs

    def _parameters(self, inputs: Mapping[str, Sequence[Artifact]]) -> dict[str, Any]:
        """The task's parameters; a constant may refer to those that are none."""
        definitions = self._task.component.input_definitions.parameters
        values = {
            key: json_format.MessageToDict(definition.default_value)
            for key, definition in definitions.items()
            if definition.HasField("default_value")
        }
        constants = {}
        for key, source in sorted(self._task.spec.inputs.parameters.items()):
            if source.WhichOneof("kind") == "runtime_value" and source.runtime_value.WhichOneof("value") != (
                "runtime_parameter"
            ):
                constants[key] = constant(source.runtime_value)
                continue
            found, value = self._parameter(source)
            if found:
                values[key] = value
        message = make_executor_input(self._task, inputs, values, {}, self._folder)
        placeholders = Placeholders(message, self._names)
        values |= {key: placeholders.fill_value(value) for key, value in constants.items()}
        return {key: self._typed(key, value) for key, value in sorted(values.items())}

    def _typed(self, key: str, value: Any) -> Any:
        definitions = self._task.component.input_definitions.parameters
        if key not in definitions:
            return value
        try:
            return typed_value(parameter_kind(definitions[key]), value)
        except ValueError as error:
            raise UserError(f"task {self._task.name}: parameter {key}: {error}") from None

    def _parameter(self, source: Any) -> tuple[bool, Any]:
        """Whether there is a value, and which: an optional parameter of the pipeline may have none."""
        if source.WhichOneof("kind") == "task_output_parameter":
            producer = source.task_output_parameter
            outputs = self._run.step(self._job.producer(producer.producer_task)).output_parameters
            if producer.output_parameter_key not in outputs:
                raise UserError(
                    f"task {self._task.name}: {producer.producer_task} puts out no parameter "
                    f"{producer.output_parameter_key!r}"
                )
            return True, outputs[producer.output_parameter_key]
        name = source.component_input_parameter or source.runtime_value.runtime_parameter
        return name in self._run.parameters, self._run.parameters.get(name)
