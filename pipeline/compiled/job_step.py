"""One task of a job, in one run."""

from collections.abc import Mapping, Sequence

from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact, ArtifactState, ArtifactStore, Run, Step, StepState, now
from pipeline.compiled.executor_input import (
    make_executor_input,
    make_inputs,
    make_outputs,
    output_values,
    read_output,
    read_output_parameters,
    updated_artifacts,
)
from pipeline.compiled.job import CompiledJob, Task
from pipeline.compiled.placeholders import Placeholders
from pipeline.compiled.resolver import import_artifact, resolve
from pipeline.compiled.step_process import local_image, run_command
from pipeline.compiled.task_inputs import input_artifacts, input_parameters


class JobStep:
    """Does what a task says, and writes into the run's record how it went, at each turn.

    Args:
        job: The task's.
        task: What to do.
        number: Its place in the order.
        run: The record, which holds the steps before it.
        store: Where the record is kept, and earlier ones are.
    """

    def __init__(self, job: CompiledJob, task: Task, number: int, run: Run, store: ArtifactStore) -> None:
        self._job = job
        self._task = task
        self._run = run
        self._store = store
        self._folder = store.run_folder(run) / f"{task.name}_{number}"
        self._log_file = store.run_folder(run) / "logs" / f"{task.name}.log"
        self._name_prefix = f"{job.name}/{run.run_id}/{task.name}"
        job_name = f"{job.name}-{run.run_id}"
        self._names = {
            "pipeline_root": str(store.root),
            "pipeline_job_name": job_name,
            "pipeline_job_resource_name": job_name,
            "pipeline_job_uuid": job_name,
            "pipeline_job_create_time_utc": run.started.isoformat(),
            "pipeline_job_schedule_time_utc": run.started.isoformat(),
            "pipeline_task_name": task.name,
            "pipeline_task_uuid": self._folder.name,
        }
        self._step = Step(task=task.name)

    def run(self) -> Step:
        """Runs the task to its end; gives its record.

        Raises:
            UserError: An input isn't there, or the process ended by such an error.
            StepFailed: The process failed otherwise.
            BadOutput: The process left what can't be read.
        """
        self._run.steps.append(self._step)
        try:
            self._do()
        except BaseException:
            self._end("FAILED", "ABANDONED")
            raise
        self._end("SUCCEEDED", "LIVE")
        return self._step

    def _do(self) -> None:
        inputs = input_artifacts(self._task, self._run)
        self._step.inputs = {key: [artifact.name for artifact in artifacts] for key, artifacts in inputs.items()}
        self._step.parameters = input_parameters(self._job, self._task, self._run, inputs, self._names)
        self._store.save(self._run)
        if self._task.kind == "container":
            self._run_container(inputs)
            return
        placeholders = Placeholders(make_inputs(inputs, self._step.parameters), self._names)
        if self._task.kind == "resolver":
            self._step.outputs = resolve(self._task, self._store, placeholders)
        else:
            self._step.outputs = import_artifact(
                self._task, self._store, self._step.parameters, placeholders, self._name_prefix
            )

    def _run_container(self, inputs: Mapping[str, Sequence[Artifact]]) -> None:
        container = self._task.executor.container
        outputs = make_outputs(self._task, self._folder, self._name_prefix)
        message = self._message(inputs, outputs)
        driver = container.lifecycle.pre_cache_check
        if driver.command or driver.args:
            self._call([*driver.command, *driver.args], message)
            # What it found out is for the executor, too; TFX's reads the same file once more by itself.
            found = read_output(message)
            self._step.parameters |= output_values(found)
            outputs = updated_artifacts(outputs, found)
            message = self._message(inputs, outputs)
        self._call([*container.command, *container.args], message)
        output = read_output(message)
        self._record(updated_artifacts(outputs, output))
        self._step.output_parameters = read_output_parameters(self._task, message, output)

    def _message(self, inputs: Mapping[str, Sequence[Artifact]], outputs: Mapping[str, Artifact]) -> pb.ExecutorInput:
        self._record(outputs)
        parameters = self._step.parameters
        return make_executor_input(self._task, inputs, parameters, outputs, self._folder, self._job.is_legacy)

    def _call(self, command: Sequence[str], message: pb.ExecutorInput) -> None:
        placeholders = Placeholders(message, self._names)
        variables = {each.name: placeholders.fill(each.value) for each in self._task.executor.container.env}
        self._log_file.parent.mkdir(exist_ok=True)
        with local_image() as image:
            filled = [placeholders.fill(part) for part in command]
            run_command(self._task.name, filled, image, self._log_file, variables)

    def _record(self, outputs: Mapping[str, Artifact]) -> None:
        self._step.outputs = {key: [artifact] for key, artifact in outputs.items()}
        self._store.save(self._run)

    def _end(self, state: StepState, of_artifacts: ArtifactState) -> None:
        self._step.state = state
        self._step.ended = now()
        for artifacts in self._step.outputs.values():
            for artifact in artifacts:
                # What was there before this step stays what it is.
                if artifact.state == "PENDING":
                    artifact.state = of_artifacts
        self._store.save(self._run)
