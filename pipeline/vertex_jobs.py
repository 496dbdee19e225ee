"""What TFX's executors for Vertex AI read from `custom_config`: a job that trains, an endpoint to deploy to."""

from typing import Any

from pipeline.config import PipelineConfig
from pipeline.vertex_settings import Accelerators, VertexEndpoint, VertexSettings, VertexTraining

STEP_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "1"}
"""What every process that imports TensorFlow needs; the image sets it as well."""

_ON_VERTEX = "ai_platform_enable_vertex"
_REGION = "ai_platform_vertex_region"


def training_config(config: PipelineConfig, vertex: VertexSettings, training: VertexTraining) -> dict[str, Any]:
    """For `tfx.extensions.google_cloud_ai_platform.trainer`: a CustomJob, whose command TFX fills in.

    See https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs#CustomJob.
    """
    chief = {
        "machine_spec": {"machine_type": training.machine_type, **_accelerators(training)},
        "replica_count": 1,
        "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": training.boot_disk_gb},
        "container_spec": {
            "image_uri": training.image or vertex.image,
            "env": [{"name": name, "value": value} for name, value in STEP_ENVIRONMENT.items()],
        },
    }
    others = [{**chief, "replica_count": training.workers - 1}] if training.workers > 1 else []
    scheduling: dict[str, Any] = {}
    if training.timeout_hours is not None:
        scheduling["timeout"] = {"seconds": round(training.timeout_hours * 3600)}
    if training.spot:
        scheduling["strategy"] = "SPOT"
    spec = {
        "worker_pool_specs": [chief, *others],
        "service_account": vertex.service_account,
        "network": vertex.network,
        "scheduling": scheduling,
    }
    job: dict[str, Any] = {
        "project": vertex.project,
        "display_name": f"{config.pipeline.name}-trainer",
        "labels": vertex.labels,
        "job_spec": {key: value for key, value in spec.items() if value},
    }
    if vertex.encryption_key:
        job["encryption_spec"] = {"kms_key_name": vertex.encryption_key}
    return {"ai_platform_training_args": job, _ON_VERTEX: True, _REGION: vertex.region}


def endpoint_config(vertex: VertexSettings, endpoint: VertexEndpoint) -> dict[str, Any]:
    """For `tfx.extensions.google_cloud_ai_platform.pusher`: what `google.cloud.aiplatform.Model.deploy` takes."""
    return {
        "ai_platform_serving_args": {
            "project": vertex.project,
            "endpoint_name": endpoint.endpoint,
            "machine_type": endpoint.machine_type,
            "min_replica_count": endpoint.min_replicas,
            "max_replica_count": endpoint.max_replicas,
            "traffic_percentage": endpoint.traffic,
            **_accelerators(endpoint),
        },
        "ai_platform_vertex_container_image_uri": endpoint.image,
        _ON_VERTEX: True,
        _REGION: vertex.region,
    }


def _accelerators(of: Accelerators) -> dict[str, Any]:
    return {"accelerator_type": of.accelerator, "accelerator_count": of.count} if of.count else {}
