"""What a pipeline service is asked for and what it answers, in the same terms for every service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pipeline.service.compiled_pipeline import CompiledPipeline
from pipeline.service.parameters import ParameterValue


@dataclass(frozen=True)
class RunOrder:
    """One run of a compiled pipeline.

    Attributes:
        pipeline: What is to run.
        values: Of its parameters, where they differ from what was compiled.
        name: What people see in the service's list of runs.
    """

    pipeline: CompiledPipeline
    values: Mapping[str, ParameterValue]
    name: str


@dataclass(frozen=True)
class ScheduleOrder:
    """Runs by the clock, one at a time.

    Attributes:
        run: What runs each time; its name is the schedule's.
        cron: Five fields; before them, where the service can, `TZ=Europe/Berlin `.
        start: No run before.
        end: No run after.
    """

    run: RunOrder
    cron: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class SubmittedRun:
    """A run that the service accepted.

    Attributes:
        id: The service's own.
        url: Of the page that shows it.
    """

    id: str
    url: str


@dataclass(frozen=True)
class Schedule:
    """A schedule that the service holds.

    Attributes:
        id: The service's own.
        name: What people see.
        pipeline: The name of what it runs; empty where the service doesn't say.
        cron: As the service holds it.
        state: `active`, `paused`, or the service's word for another state.
        values: Of the pipeline's parameters.
        next_run: When it will run next; None: never, or the service doesn't say.
    """

    id: str
    name: str
    pipeline: str
    cron: str
    state: str
    values: Mapping[str, Any]
    next_run: datetime | None = None


class PipelineService(Protocol):
    """What can be asked of Vertex AI Pipelines and of Kubeflow Pipelines alike.

    Each method but `run_request` and `schedule_request` raises `UserError` for what the user can mend, and
    `ServiceFailed` for what only the service can.
    """

    title: str

    def run_request(self, order: RunOrder) -> dict[str, Any]:
        """What `submit` would send, as JSON. Sends nothing and needs no credentials."""

    def submit(self, order: RunOrder) -> SubmittedRun:
        """Starts a run."""

    def wait(self, run: SubmittedRun) -> None:
        """Returns when a run has succeeded.

        Raises:
            RunFailed: It ended otherwise.
        """

    def schedule_request(self, order: ScheduleOrder) -> dict[str, Any]:
        """What `create_schedule` would send, as JSON. Sends nothing and needs no credentials."""

    def create_schedule(self, order: ScheduleOrder) -> Schedule:
        """Starts a schedule."""

    def schedules(self) -> list[Schedule]:
        """All schedules in the place that the config names, whatever they run."""

    def pause(self, schedule: Schedule) -> None:
        """No runs until it is resumed."""

    def resume(self, schedule: Schedule, catch_up: bool) -> None:
        """Runs again; with `catch_up` also what was missed while it was paused, where the service can."""

    def delete(self, schedule: Schedule) -> None:
        """Forgets it; runs that it started go on."""
