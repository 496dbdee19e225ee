"""Schedules on Vertex AI, by Google's own client library."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.service.orders import Schedule, ScheduleOrder
from pipeline.service.service_errors import google_errors
from pipeline.service.vertex_jobs import job_message, make_job, parent_of, place_of

if TYPE_CHECKING:
    from google.cloud import aiplatform

    from pipeline.vertex_settings import VertexSettings

# Two runs at once would compare with, and push over, each other's models.
_RUNS_AT_ONCE = 1


def schedule_request(order: ScheduleOrder, settings: VertexSettings, credentials: Any) -> Any:
    """The request that `create_schedule` sends: a `CreateScheduleRequest`."""
    from google.cloud import aiplatform_v1

    job = make_job(order.run, settings, credentials)
    return aiplatform_v1.CreateScheduleRequest(
        parent=parent_of(settings),
        schedule=aiplatform_v1.Schedule(
            display_name=order.run.name,
            cron=order.cron,
            start_time=order.start,
            end_time=order.end,
            max_concurrent_run_count=_RUNS_AT_ONCE,
            create_pipeline_job_request=aiplatform_v1.CreatePipelineJobRequest(
                parent=parent_of(settings), pipeline_job=job_message(job, order.run, settings)
            ),
        ),
    )


def create_schedule(order: ScheduleOrder, settings: VertexSettings, credentials: Any) -> Schedule:
    """Starts a schedule.

    Raises:
        UserError: What the service refuses.
        ServiceFailed: The service can't be reached, or failed.
    """
    from google.cloud import aiplatform

    job = make_job(order.run, settings, credentials)
    with google_errors(place_of(settings)):
        schedule = aiplatform.PipelineJobSchedule(
            pipeline_job=job,
            display_name=order.run.name,
            project=settings.project,
            location=settings.region,
            credentials=credentials,
        )
        schedule.create(
            cron=order.cron,
            start_time=order.start,
            end_time=order.end,
            max_concurrent_run_count=_RUNS_AT_ONCE,
            service_account=settings.service_account,
            network=settings.network,
        )
    return _record(schedule.gca_resource)


def list_schedules(settings: VertexSettings, credentials: Any) -> list[Schedule]:
    """All schedules of the project in the region, the newest first."""
    from google.cloud import aiplatform

    with google_errors(place_of(settings)):
        found = aiplatform.PipelineJobSchedule.list(
            order_by="create_time desc", project=settings.project, location=settings.region, credentials=credentials
        )
    return [_record(schedule.gca_resource) for schedule in found]


def pause_schedule(schedule: Schedule, settings: VertexSettings, credentials: Any) -> None:
    """No runs until it is resumed; those that run go on."""
    with google_errors(place_of(settings)):
        _get(schedule, settings, credentials).pause()


def resume_schedule(schedule: Schedule, catch_up: bool, settings: VertexSettings, credentials: Any) -> None:
    """Runs again.

    Args:
        catch_up: Also the runs that were missed while it was paused.
    """
    from google.cloud import aiplatform_v1

    with google_errors(place_of(settings)):
        paused = _get(schedule, settings, credentials)
        # The library's own `resume` takes `catch_up`, and drops it.
        paused.api_client.resume_schedule(
            aiplatform_v1.ResumeScheduleRequest(name=paused.resource_name, catch_up=catch_up)
        )


def delete_schedule(schedule: Schedule, settings: VertexSettings, credentials: Any) -> None:
    """Forgets it; runs that it started go on."""
    with google_errors(place_of(settings)):
        _get(schedule, settings, credentials).delete()


def _get(schedule: Schedule, settings: VertexSettings, credentials: Any) -> aiplatform.PipelineJobSchedule:
    from google.cloud import aiplatform

    return aiplatform.PipelineJobSchedule.get(
        schedule.id, project=settings.project, location=settings.region, credentials=credentials
    )


def _record(schedule: Any) -> Schedule:
    job = schedule.create_pipeline_job_request.pipeline_job
    next_run: datetime | None = schedule.next_run_time
    return Schedule(
        id=schedule.name.rsplit("/", 1)[-1],
        name=schedule.display_name,
        pipeline=_pipeline_name(job.pipeline_spec),
        cron=schedule.cron,
        state=schedule.state.name.lower(),
        values=dict(job.runtime_config.parameter_values),
        next_run=next_run,
    )


def _pipeline_name(spec: Any) -> str:
    # A schedule may also be of something else than a pipeline; then there is no spec.
    return str(spec["pipelineInfo"]["name"]) if spec and "pipelineInfo" in spec else ""
