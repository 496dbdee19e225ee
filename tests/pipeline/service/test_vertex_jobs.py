"""`permafrost submit` on Vertex AI: what is sent, field by field, and what is said when Google refuses."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

Permafrost = Callable[..., tuple[int, str, str]]
Submit = Callable[..., tuple[int, str, str]]

PARENT = "projects/my-project/locations/europe-west4"
LOG_IN = (
    "log in with `gcloud auth application-default login`, "
    "or let GOOGLE_APPLICATION_CREDENTIALS name a service account's key file"
)


@pytest.fixture
def submit(permafrost: Permafrost, vertex_config: Path, job_file: Path) -> Submit:
    """Submits the compiled job; further arguments come behind."""
    return lambda *arguments: permafrost("submit", "--config", vertex_config, "--job", job_file, *arguments)


def error(ended: tuple[int, str, str], code: int = 2) -> str:
    """The one message of a call that failed."""
    assert ended[:2] == (code, "")
    assert ended[2].startswith("error: ")
    return ended[2].removeprefix("error: ").removesuffix("\n")


def test_the_request_field_by_field(submit: Submit, job_file: Path, fake_google: Any) -> None:
    code, out, err = submit("--param", "train_steps=20", "--name", "the first")

    assert (code, err) == (0, "")
    request = fake_google.request("CreatePipelineJob")
    assert request.parent == PARENT
    assert request.pipeline_job_id.startswith("tickets-20")
    job = request.pipeline_job
    assert job.display_name == "the first"
    assert json_format.MessageToDict(job._pb.pipeline_spec) == json.loads(job_file.read_text())["pipelineSpec"]
    assert dict(job.runtime_config.parameter_values) == {
        "data_root": "gs://rows",
        "freeze": '[{"freeze": "all"}]',
        "train_steps": 20,
    }
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/permafrost"
    assert dict(job.labels) == {"team": "search", "tfx_runner": "kubeflow_v2"}
    assert job.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert job.network == "projects/12345/global/networks/my-vpc"
    assert job.encryption_spec.kms_key_name == f"{PARENT}/keyRings/ring/cryptoKeys/key"
    # Nothing else is called; this goes to the region's own host, with the user's credentials.
    assert [name for name, _ in fake_google.calls] == ["CreatePipelineJob"]
    assert fake_google.routing == [f"parent={PARENT}"]
    assert set(fake_google.hosts) == {"europe-west4-aiplatform.googleapis.com:443"}
    assert set(fake_google.tokens) == {"the-token"}
    assert out == (
        "submitted to Vertex AI: https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/"
        f"{request.pipeline_job_id}?project=my-project\n"
    )


def test_what_the_config_leaves_out_is_not_sent(
    permafrost: Permafrost, vertex_config: Path, job_file: Path, fake_google: Any
) -> None:
    lines = [
        line
        for line in vertex_config.read_text().splitlines()
        if not line.startswith(("service_account", "network", "encryption_key", "labels"))
    ]
    vertex_config.write_text("\n".join(lines))
    assert permafrost("submit", "--config", vertex_config, "--job", job_file)[0] == 0
    job = fake_google.request("CreatePipelineJob").pipeline_job
    assert (job.display_name, job.service_account, job.network) == ("tickets", "", "")
    assert "encryption_spec" not in job
    assert dict(job.labels) == {"tfx_runner": "kubeflow_v2"}


def test_a_dry_run_prints_the_request_and_sends_nothing(submit: Submit, no_google: None) -> None:
    code, out, err = submit("--param", "train_steps=20", "--dry-run")
    assert (code, err) == (0, "")
    request = json.loads(out)
    assert request["parent"] == PARENT
    assert request["pipelineJob"]["runtimeConfig"]["parameterValues"]["train_steps"] == 20


def test_a_dry_run_prints_what_is_sent(submit: Submit, fake_google: Any) -> None:
    arguments = ("--param", 'freeze=[{"freeze": "encoder[:3]"}]', "--name", "äöü [1]")
    printed = json.loads(submit(*arguments, "--dry-run")[1])
    assert fake_google.calls == []
    assert submit(*arguments)[0] == 0
    sent = json_format.MessageToDict(fake_google.request("CreatePipelineJob")._pb)
    for request in (printed, sent):
        assert request.pop("pipelineJobId").startswith("tickets-")
    assert printed == sent


def test_waiting_until_the_run_has_succeeded(submit: Submit, fake_google: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    code, out, err = submit("--wait")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "succeeded"
    name = next(iter(fake_google.jobs))
    looks = [request.name for called, request in fake_google.calls if called == "GetPipelineJob"]
    assert looks == [name] * len(looks)
    assert len(looks) >= 2


@pytest.mark.parametrize(("state", "ending"), [("FAILED", "failed"), ("CANCELLED", "cancelled")])
def test_waiting_for_a_run_that_does_not_succeed(
    submit: Submit, fake_google: Any, monkeypatch: pytest.MonkeyPatch, state: str, ending: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    fake_google.states = ["PIPELINE_STATE_RUNNING", f"PIPELINE_STATE_{state}"]
    fake_google.task_errors = {"FreezePlanner": "rule 1 matches nothing"}
    code, out, err = submit("--wait")
    assert code == 1
    assert out.startswith("submitted to Vertex AI: ")
    first, second = err.splitlines()
    assert first.startswith(f"error: the run has {ending}: https://console.cloud.google.com/vertex-ai/")
    assert second == "FreezePlanner: rule 1 matches nothing"


def test_stopping_the_wait_does_not_stop_the_run(
    submit: Submit, fake_google: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    fake_google.states = ["PIPELINE_STATE_RUNNING"]
    code, _, err = submit("--wait")
    assert (code, err) == (130, "only the waiting is stopped; the run goes on\n")


def test_nobody_is_logged_in(submit: Submit, no_google: None) -> None:
    assert error(submit()) == f"Google Cloud: no credentials: Your default credentials were not found; {LOG_IN}"


def test_a_key_file_that_is_not_there(submit: Submit, no_google: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    message = error(submit())
    assert message.startswith("Google Cloud: no credentials: File /nowhere/key.json was not found")
    assert message.endswith(LOG_IN)


def test_credentials_that_are_no_longer_valid(submit: Submit, fake_google: Any) -> None:
    fake_google.token_answer = (400, {"error": "invalid_grant", "error_description": "Token has been expired"})
    message = error(submit())
    assert message.startswith("Google Cloud refuses the credentials: ")
    assert "invalid_grant" in message
    assert message.endswith(LOG_IN)
    assert fake_google.calls == []


def test_a_bucket_that_does_not_exist_is_not_made(submit: Submit, fake_google: Any) -> None:
    fake_google.buckets = {}
    assert error(submit()) == (
        "vertex.staging_root: there is no bucket my-bucket; correct the name, or create it: "
        "gcloud storage buckets create gs://my-bucket --project my-project --location europe-west4"
    )
    assert fake_google.calls == []
    assert {method for method, url in fake_google.http if "storage" in url} == {"GET"}


def test_a_bucket_at_which_the_user_may_not_look_is_left_to_the_service(submit: Submit, fake_google: Any) -> None:
    fake_google.buckets = {"my-bucket": 403}
    assert submit()[0] == 0
    assert len(fake_google.calls) == 1


@pytest.mark.parametrize(
    ("status", "words", "message"),
    [
        ("PERMISSION_DENIED", "Permission 'aiplatform.pipelineJobs.create' denied",
         "Vertex AI denies permission: Permission 'aiplatform.pipelineJobs.create' denied; check that vertex.project "
         "(my-project) is the project you mean; you need roles/aiplatform.user there"),
        ("PERMISSION_DENIED", "You do not have permission to act as service account runner",
         "Vertex AI denies permission: You do not have permission to act as service account runner; you need "
         "roles/iam.serviceAccountUser on runner@my-project.iam.gserviceaccount.com (vertex.service_account)"),
        ("UNAUTHENTICATED", "Request had invalid authentication credentials.",
         f"Google Cloud refuses the credentials: Request had invalid authentication credentials.; {LOG_IN}"),
        ("INVALID_ARGUMENT", "The bucket is in another\nregion.",
         "Vertex AI refuses the request (project my-project, region europe-west4): The bucket is in another region."),
        ("FAILED_PRECONDITION", "Service account lacks storage.objects.get on the bucket.",
         "Vertex AI refuses the request (project my-project, region europe-west4): Service account lacks "
         "storage.objects.get on the bucket."),
        ("NOT_FOUND", "No such network.",
         "Vertex AI finds no such thing (project my-project, region europe-west4): No such network."),
    ],
)  # fmt: skip
def test_what_the_user_can_mend_ends_with_2(
    submit: Submit, fake_google: Any, status: str, words: str, message: str
) -> None:
    fake_google.failures["CreatePipelineJob"] = (grpc.StatusCode[status], words)
    assert error(submit()) == message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UNAVAILABLE", "Vertex AI failed (project my-project, region europe-west4): the words"),
        ("INTERNAL", "Vertex AI failed (project my-project, region europe-west4): the words"),
        ("ABORTED", "Vertex AI failed (project my-project, region europe-west4): the words"),
        ("RESOURCE_EXHAUSTED", "A quota of Vertex AI is used up (project my-project, region europe-west4): the words"),
    ],
)
def test_what_only_the_service_can_mend_ends_with_1(
    submit: Submit, fake_google: Any, status: str, message: str
) -> None:
    fake_google.failures["CreatePipelineJob"] = (grpc.StatusCode[status], "the words")
    assert error(submit(), code=1) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--param", "train_step=1"],
         "--param train_step: the pipeline has no such parameter; did you mean 'train_steps'?"),
        (["--param", "train_steps=many"], "--param train_steps: should be a whole number; given 'many'"),
        (["--name", "x" * 129], "--name: Vertex AI takes at most 128 characters; given 129"),
        (["--set", "vertex.region=europe-west44"],
         "vertex.region: Vertex AI has no region 'europe-west44'; did you mean 'europe-west4'?"),
        (["--set", "vertex.project=P"],
         "vertex.project: should match pattern '^[a-z][a-z0-9-]{4,28}[a-z0-9]$'; given 'P'"),
        (["--target", "kfp"], "--target kfp: the config has no section [kfp]"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dry_run", [["--dry-run"], []])
def test_a_mistake_is_found_before_anything_is_sent(
    submit: Submit, no_google: None, arguments: list[str], message: str, dry_run: list[str]
) -> None:
    assert error(submit(*arguments, *dry_run)) == message


def test_a_job_for_this_machine_only_is_not_sent(submit: Submit, job_file: Path, no_google: None) -> None:
    job_file.write_text(job_file.read_text().replace("gs://my-bucket/permafrost", "/tmp/root"))
    assert error(submit("--dry-run")) == (
        "vertex.staging_root: Vertex AI needs a place on Cloud Storage, gs://BUCKET/FOLDER; the compiled pipeline has "
        "'/tmp/root': set it and compile again"
    )


def test_a_config_without_a_service(permafrost: Permafrost, vertex_config: Path, job_file: Path) -> None:
    vertex_config.write_text(vertex_config.read_text().partition("[vertex]")[0])
    ended = permafrost("submit", "--config", vertex_config, "--job", job_file)
    assert error(ended) == "the config says nowhere to run: it needs a section [vertex] or [kfp]"


def test_a_config_with_two_services(permafrost: Permafrost, vertex_config: Path, job_file: Path) -> None:
    vertex_config.write_text(f'{vertex_config.read_text()}\n[kfp]\nhost = "http://localhost"\n')
    ended = permafrost("submit", "--config", vertex_config, "--job", job_file)
    message = "the config has the sections [vertex] and [kfp]; say which is meant: --target vertex or kfp"
    assert error(ended) == message
    assert permafrost("submit", "--config", vertex_config, "--job", job_file, "--target", "vertex", "--dry-run")[0] == 0


@pytest.mark.slow
def test_without_a_job_the_config_is_compiled(permafrost: Permafrost, vertex_config: Path, fake_google: Any) -> None:
    vertex_config.write_text(f'{vertex_config.read_text()}\n[push]\ndirectory = "gs://my-bucket/serving"\n')
    assert permafrost("submit", "--config", vertex_config, "--param", "train_steps=3")[::2] == (0, "")
    job = fake_google.request("CreatePipelineJob").pipeline_job
    assert job.pipeline_spec["pipelineInfo"]["name"] == "tickets"
    assert "FreezePlanner" in job.pipeline_spec["root"]["dag"]["tasks"]
    assert job.runtime_config.parameter_values["train_steps"] == 3
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/permafrost"
    assert job.labels["tfx_runner"] == "kubeflow_v2"
