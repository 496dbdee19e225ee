"""Vertex AI Pipelines as a `PipelineService`."""

from __future__ import annotations

import difflib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.service import vertex_jobs, vertex_schedules
from pipeline.service.google_credentials import find_credentials, no_credentials
from pipeline.service.orders import RunOrder, Schedule, ScheduleOrder, SubmittedRun
from pipeline.service.staging_bucket import bucket_name, check_bucket
from trainer_module.errors import UserError

if TYPE_CHECKING:
    from pipeline.vertex_settings import VertexSettings


_LONGEST_NAME = 128


class VertexService:
    """Runs and schedules in the project and region of a config's `[vertex]` section.

    Args:
        settings: The section.

    Raises:
        UserError: There is no such region.
    """

    title = "Vertex AI"

    def __init__(self, settings: VertexSettings) -> None:
        self._settings = settings
        _check_region(settings.region)

    @cached_property
    def _credentials(self) -> Any:
        return find_credentials(vertex_jobs.place_of(self._settings))

    def run_request(self, order: RunOrder) -> dict[str, Any]:
        """See `PipelineService`."""
        _check_order(order)
        return _as_json(vertex_jobs.job_request(order, self._settings, no_credentials()))

    def submit(self, order: RunOrder) -> SubmittedRun:
        """See `PipelineService`."""
        self._check_bucket(order)
        return vertex_jobs.submit_job(order, self._settings, self._credentials)

    def wait(self, run: SubmittedRun) -> None:
        """See `PipelineService`."""
        vertex_jobs.wait_for_job(run, self._settings, self._credentials)

    def schedule_request(self, order: ScheduleOrder) -> dict[str, Any]:
        """See `PipelineService`."""
        _check_order(order.run)
        return _as_json(vertex_schedules.schedule_request(order, self._settings, no_credentials()))

    def create_schedule(self, order: ScheduleOrder) -> Schedule:
        """See `PipelineService`."""
        self._check_bucket(order.run)
        return vertex_schedules.create_schedule(order, self._settings, self._credentials)

    def schedules(self) -> list[Schedule]:
        """See `PipelineService`."""
        return vertex_schedules.list_schedules(self._settings, self._credentials)

    def pause(self, schedule: Schedule) -> None:
        """See `PipelineService`."""
        vertex_schedules.pause_schedule(schedule, self._settings, self._credentials)

    def resume(self, schedule: Schedule, catch_up: bool) -> None:
        """See `PipelineService`."""
        vertex_schedules.resume_schedule(schedule, catch_up, self._settings, self._credentials)

    def delete(self, schedule: Schedule) -> None:
        """See `PipelineService`."""
        vertex_schedules.delete_schedule(schedule, self._settings, self._credentials)

    def _check_bucket(self, order: RunOrder) -> None:
        _check_order(order)
        check_bucket(order.pipeline.root, vertex_jobs.place_of(self._settings), self._credentials)


def _check_order(order: RunOrder) -> None:
    bucket_name(order.pipeline.root)
    if len(order.name) > _LONGEST_NAME:
        raise UserError(f"--name: Vertex AI takes at most {_LONGEST_NAME} characters; given {len(order.name)}")


def _check_region(region: str) -> None:
    from google.cloud.aiplatform.constants.base import SUPPORTED_REGIONS

    if region not in SUPPORTED_REGIONS:
        near = difflib.get_close_matches(region, SUPPORTED_REGIONS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"regions: {', '.join(sorted(SUPPORTED_REGIONS))}"
        raise UserError(f"vertex.region: Vertex AI has no region {region!r}; {hint}")


def _as_json(message: Any) -> dict[str, Any]:
    from google.protobuf import json_format

    content: dict[str, Any] = json_format.MessageToDict(message._pb)
    return content
