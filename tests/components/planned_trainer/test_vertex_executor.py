"""Training in a Vertex custom job: the request, field by field, and what comes back.

Google's client library is the real one, down to the bytes on the wire. Only the service behind it is a stand-in, on
this machine: it runs the job's command in this process, and says that it succeeded.
"""

import json
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.aiplatform_v1.services.job_service import JobServiceClient
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.cloud.aiplatform_v1.types import CreateCustomJobRequest, CustomJob, GetCustomJobRequest, JobState
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.extensions.google_cloud_ai_platform import training_clients
from tfx.scripts import run_executor
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.artifacts import FreezePlan as FreezePlanArtifact
from components.freeze_planner.executor import Executor as Planner
from components.planned_trainer.vertex_executor import Executor
from pipeline.config import PipelineConfig
from pipeline.vertex_jobs import training_config
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

IMAGE = "europe-west4-docker.pkg.dev/my-project/permafrost/permafrost:1"


class JobService:
    """Stands for Vertex AI's JobService."""

    def __init__(self) -> None:
        self.requests: list[CreateCustomJobRequest] = []
        self.state = JobState.JOB_STATE_SUCCEEDED
        self.endpoint = ""

    def create(self, request: CreateCustomJobRequest, context: grpc.ServicerContext) -> CustomJob:
        self.requests.append(request)
        if self.state == JobState.JOB_STATE_SUCCEEDED:
            chief, *_ = request.custom_job.job_spec.worker_pool_specs
            run_executor.main(run_executor.parse_flags(["run_executor", *chief.container_spec.command[3:]]))
        return CustomJob(name=f"{request.parent}/customJobs/7")

    def get(self, request: GetCustomJobRequest, context: grpc.ServicerContext) -> CustomJob:
        assert request.name == "projects/my-project/locations/europe-west4/customJobs/7"
        return CustomJob(name=request.name, state=self.state)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobService]:
    """The stand-in, to which TFX's client of the JobService is connected."""
    service = JobService()
    methods = {
        "CreateCustomJob": (service.create, CreateCustomJobRequest),
        "GetCustomJob": (service.get, GetCustomJobRequest),
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method, request.deserialize, CustomJob.serialize)
        for name, (method, request) in methods.items()
    }
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("google.cloud.aiplatform.v1.JobService", handlers)]
    )
    port = server.add_insecure_port("localhost:0")
    server.start()
    channel = grpc.insecure_channel(f"localhost:{port}", options=[("grpc.enable_http_proxy", 0)])

    def connect(client_options: dict[str, str]) -> JobServiceClient:
        service.endpoint = client_options["api_endpoint"]
        return JobServiceClient(transport=JobServiceGrpcTransport(channel=channel))

    monkeypatch.setattr(training_clients.gapic, "JobServiceClient", connect)
    yield service
    channel.close()
    server.stop(None)


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> list[BertSettings]:
    """Puts a `run_fn` in place that leaves what training leaves, and keeps the settings that it was given."""
    calls: list[BertSettings] = []

    def run_fn(fn_args: FnArgs) -> None:
        settings = BertSettings.from_custom_config(fn_args.custom_config)
        calls.append(settings)
        plan = plan_freeze(settings, HubModel.from_settings(settings))
        Path(fn_args.model_run_dir, "freeze_plan.json").write_text(plan.to_json(), encoding="utf-8")
        Path(fn_args.serving_model_dir).mkdir()

    monkeypatch.setattr("trainer_module.trainer.run_fn", run_fn)
    return calls


def config(hub: Path, training: dict[str, Any], **vertex: Any) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "pipeline": {"name": "tickets", "root": "run"},
            "data": {"train": "rows.csv", "text": ["a"], "label": "b"},
            "model": {"hub": str(hub), "max_tokens": 16, "freeze": [{"freeze": "embeddings"}]},
            "vertex": {
                "project": "my-project",
                "region": "europe-west4",
                "staging_root": "gs://my-bucket/permafrost",
                "image": IMAGE,
                "training": training,
                **vertex,
            },
        }
    )


def run(folder: Path, config: PipelineConfig, **parameters: Any) -> Artifact:
    """Plans and trains as the pipeline's steps do; gives the model."""

    def artifact(kind: type[Artifact], name: str) -> Artifact:
        made = kind()
        made.uri = str(folder / name)
        Path(made.uri).mkdir()
        return made

    assert config.vertex is not None and config.vertex.training is not None
    custom_config = config.bert_settings().to_custom_config()
    plan = artifact(FreezePlanArtifact, "plan")
    Planner().Do({}, {"freeze_plan": [plan]}, {"custom_config": json.dumps(custom_config), **parameters})
    examples = artifact(standard_artifacts.Examples, "examples")
    examples.split_names = json.dumps(["train", "eval"])
    model = artifact(standard_artifacts.Model, "model")
    job = training_config(config, config.vertex, config.vertex.training)
    Executor().Do(
        {
            "examples": [examples],
            "transform_graph": [artifact(standard_artifacts.TransformGraph, "graph")],
            "freeze_plan": [plan],
        },
        {"model": [model], "model_run": [artifact(standard_artifacts.ModelRun, "model_run")]},
        {
            "run_fn": "trainer_module.run_fn",
            "train_args": "{}",
            "eval_args": "{}",
            "custom_config": json.dumps(custom_config | job),
            **parameters,
        },
    )
    return model


def test_the_request_has_every_field(service: JobService, tmp_path: Path, tiny_hub: Path) -> None:
    training = {
        "machine_type": "n1-standard-16",
        "accelerator": "NVIDIA_TESLA_T4",
        "accelerator_count": 2,
        "workers": 3,
        "boot_disk_gb": 200,
        "timeout_hours": 1.5,
        "spot": True,
        "image": "training-image:2",
    }
    key = "projects/my-project/locations/europe-west4/keyRings/ring/cryptoKeys/key"
    vertex = {
        "service_account": "trainer@my-project.iam.gserviceaccount.com",
        "network": "projects/123/global/networks/default",
        "encryption_key": key,
        "labels": {"team": "support"},
    }
    run(tmp_path, config(tiny_hub, training, **vertex))
    (request,) = service.requests
    given = json.loads(CreateCustomJobRequest.to_json(request, use_integers_for_enums=False))
    job = given["customJob"]
    pools = job["jobSpec"].pop("workerPoolSpecs")
    assert service.endpoint == "europe-west4-aiplatform.googleapis.com"
    assert given["parent"] == "projects/my-project/locations/europe-west4"
    assert job["displayName"] == "tickets-trainer"
    assert job["labels"]["team"] == "support"
    assert job["encryptionSpec"] == {"kmsKeyName": key}
    assert job["jobSpec"]["serviceAccount"] == "trainer@my-project.iam.gserviceaccount.com"
    assert job["jobSpec"]["network"] == "projects/123/global/networks/default"
    assert job["jobSpec"]["scheduling"]["timeout"] == "5400s"
    assert job["jobSpec"]["scheduling"]["strategy"] == "SPOT"
    assert [pool["replicaCount"] for pool in pools] == ["1", "2"]
    for pool in pools:
        assert pool["machineSpec"]["machineType"] == "n1-standard-16"
        assert pool["machineSpec"]["acceleratorType"] == "NVIDIA_TESLA_T4"
        assert pool["machineSpec"]["acceleratorCount"] == 2
        assert pool["diskSpec"] == {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 200}
        container = pool["containerSpec"]
        assert container["imageUri"] == "training-image:2"
        assert container["env"] == [{"name": "TF_USE_LEGACY_KERAS", "value": "1"}]
        assert container["command"][:5] == [
            "python",
            "-m",
            "tfx.scripts.run_executor",
            "--executor_class_path",
            "components.planned_trainer.executor.Executor",
        ]


def test_what_is_not_asked_for_is_left_to_the_service(service: JobService, tmp_path: Path, tiny_hub: Path) -> None:
    run(tmp_path, config(tiny_hub, {"machine_type": "n1-standard-8"}))
    (request,) = service.requests
    spec = request.custom_job.job_spec
    (pool,) = spec.worker_pool_specs
    assert (pool.replica_count, pool.machine_spec.machine_type) == (1, "n1-standard-8")
    assert pool.machine_spec.accelerator_type.name == "ACCELERATOR_TYPE_UNSPECIFIED"
    assert pool.container_spec.image_uri == IMAGE
    assert (spec.service_account, spec.network, "timeout" in spec.scheduling) == ("", "", False)
    assert request.custom_job.encryption_spec.kms_key_name == ""


def test_our_trainer_runs_in_the_job_with_the_runs_parameters(
    service: JobService, tmp_path: Path, tiny_hub: Path, trained: list[BertSettings]
) -> None:
    parameters = {"freeze": '["freeze all"]', "train": '{"epochs": 7}', "train_steps": 5}
    model = run(tmp_path, config(tiny_hub, {"machine_type": "n1-standard-8"}), **parameters)
    (settings,) = trained
    assert [str(rule) for rule in settings.freeze] == ["freeze all"]
    assert (settings.epochs, settings.steps) == (7, 5)
    assert settings.freeze_plan == str(tmp_path / "plan" / "freeze_plan.json")
    # The job can't hand properties of the model back; the step reads them from what the job left.
    assert model.get_int_custom_property("frozen_params") == 33760
    assert model.get_string_custom_property("hub") == str(tiny_hub)


def test_a_job_that_failed_fails_the_step(service: JobService, tmp_path: Path, tiny_hub: Path) -> None:
    service.state = JobState.JOB_STATE_FAILED
    with pytest.raises(RuntimeError, match=r"Job 'projects/my-project/.*/customJobs/7' did not succeed"):
        run(tmp_path, config(tiny_hub, {"machine_type": "n1-standard-8"}))
