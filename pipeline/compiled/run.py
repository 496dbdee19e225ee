"""A compiled job, step by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.compiled.artifact_store import ArtifactStore, Run, now
from pipeline.compiled.job import CompiledJob
from pipeline.compiled.job_step import JobStep
from pipeline.compiled.order import topological_order


class StepListener(Protocol):
    """Hears of each step of a run."""

    def started(self, component: str, run_id: str) -> None: ...

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...


def run_job(job: CompiledJob, parameters: Mapping[str, Any], root: Path, listener: StepListener) -> Run:
    """Runs a job to its end: one step after the other, each container as a process of its own.

    Nothing is taken from an earlier run instead of being done, whatever the job says of caching.

    Args:
        job: See `load_job`.
        parameters: See `runtime_parameters`.
        root: Where artifacts, logs and the record of the run are kept, by pipeline and run.
        listener: Hears of each step.

    Returns:
        The record; it is in the run's folder, too.

    Raises:
        UserError: The job can't be run, or a step ended by one.
        StepFailed: A step's process failed.
        BadOutput: A step left an output that can't be read.

    Example:
        >>> job = load_job(Path("pipeline.json"))                                                # doctest: +SKIP
        >>> run = run_job(job, runtime_parameters(job, ["train_steps=5"]), Path("root"), view)   # doctest: +SKIP
    """
    order = topological_order(job)
    store = ArtifactStore(root, job.name)
    run = store.new_run(dict(parameters))
    try:
        for number, task in enumerate(order, start=1):
            listener.started(task.name, run.run_id)
            try:
                step = JobStep(job, task, number, run, store).run()
            except Exception as error:
                listener.failed(task.name, error)
                raise
            listener.ended(task.name, step.seconds)
    except BaseException:
        run.state = "FAILED"
        raise
    else:
        run.state = "SUCCEEDED"
    finally:
        run.ended = now()
        store.save(run)
    return run
