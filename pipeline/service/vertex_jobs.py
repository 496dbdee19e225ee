"""Pipeline runs on Vertex AI, by Google's own client library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.service.orders import RunOrder, SubmittedRun
from pipeline.service.service_errors import Place, RunFailed, google_errors

if TYPE_CHECKING:
    from google.cloud import aiplatform

    from pipeline.vertex_settings import VertexSettings


def place_of(settings: VertexSettings) -> Place:
    """Where the config's `[vertex]` section sends things, for messages."""
    return Place(settings.project, settings.region, settings.service_account)


def parent_of(settings: VertexSettings) -> str:
    """The same as a resource name."""
    return f"projects/{settings.project}/locations/{settings.region}"


def make_job(order: RunOrder, settings: VertexSettings, credentials: Any) -> aiplatform.PipelineJob:
    """The library's form of a run; nothing is sent."""
    from google.cloud import aiplatform

    return aiplatform.PipelineJob(
        display_name=order.name,
        template_path=str(order.pipeline.path),
        parameter_values=dict(order.values),
        labels=labels_of(order, settings) or None,
        encryption_spec_key_name=settings.encryption_key,
        project=settings.project,
        location=settings.region,
        credentials=credentials,
    )


def job_request(order: RunOrder, settings: VertexSettings, credentials: Any) -> Any:
    """The request that `submit_job` sends: a `CreatePipelineJobRequest`."""
    from google.cloud import aiplatform_v1

    job = make_job(order, settings, credentials)
    message = job_message(job, order, settings)
    message.display_name = order.name
    return aiplatform_v1.CreatePipelineJobRequest(
        parent=parent_of(settings), pipeline_job_id=job.job_id, pipeline_job=message
    )


def labels_of(order: RunOrder, settings: VertexSettings) -> dict[str, str]:
    """Those that were compiled (TFX says what it is), and the config's. The library doesn't look for the former."""
    return {**order.pipeline.labels, **settings.labels}


def job_message(job: aiplatform.PipelineJob, order: RunOrder, settings: VertexSettings) -> Any:
    """A job as the service takes it. The library keeps its own until the service has answered."""
    from google.cloud import aiplatform_v1

    key = settings.encryption_key
    return aiplatform_v1.PipelineJob(
        pipeline_spec=job.pipeline_spec,
        runtime_config=job.runtime_config,
        labels=labels_of(order, settings),
        service_account=settings.service_account,
        network=settings.network,
        encryption_spec=aiplatform_v1.EncryptionSpec(kms_key_name=key) if key else None,
    )


def submit_job(order: RunOrder, settings: VertexSettings, credentials: Any) -> SubmittedRun:
    """Starts a run.

    Raises:
        UserError: What the service refuses.
        ServiceFailed: The service can't be reached, or failed.
    """
    job = make_job(order, settings, credentials)
    with google_errors(place_of(settings)):
        job.submit(service_account=settings.service_account, network=settings.network)
    where = f"locations/{settings.region}/pipelines/runs/{job.job_id}?project={settings.project}"
    return SubmittedRun(job.resource_name, f"https://console.cloud.google.com/vertex-ai/{where}")


def wait_for_job(run: SubmittedRun, settings: VertexSettings, credentials: Any) -> None:
    """Returns when a run has succeeded.

    Raises:
        RunFailed: It ended otherwise.
    """
    from google.cloud import aiplatform
    from google.cloud.aiplatform_v1.types import PipelineState

    with google_errors(place_of(settings)):
        job = aiplatform.PipelineJob.get(
            run.id, project=settings.project, location=settings.region, credentials=credentials
        )
        try:
            job.wait()
        except RuntimeError:
            if not job.has_failed:
                raise
        state, tasks = job.state, job.task_details
    if state == PipelineState.PIPELINE_STATE_SUCCEEDED:
        return
    ending = state.name.removeprefix("PIPELINE_STATE_").lower()
    failed = [
        f"{task.task_name}: {task.error.message}" for task in tasks if task.error is not None and task.error.message
    ]
    raise RunFailed("\n".join([f"the run has {ending}: {run.url}", *failed]))
