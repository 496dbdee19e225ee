"""`permafrost submit` on Vertex AI: what is sent, field by field, and what is said when Google refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

Permafrost = Callable[..., tuple[int, str, str]]

PARENT = "projects/my-project/locations/europe-west4"
KEY = f"{PARENT}/keyRings/ring/cryptoKeys/key"


def error(permafrost: Permafrost, *arguments: object, code: int = 2) -> str:
    ended, out, err = permafrost("submit", *arguments)
    assert (ended, out) == (code, "")
    assert err.startswith("error: ")
    return err.removeprefix("error: ").removesuffix("\n")


def test_the_request_field_by_field(
    permafrost: Permafrost, vertex_config: Path, job_file: Path, fake_google: Any
) -> None:
    code, out, err = permafrost(
        "submit", "--config", vertex_config, "--job", job_file, "--param", "train_steps=20", "--name", "the first"
    )  # fmt: skip

    assert (code, err) == (0, "")
    request = fake_google.request("CreatePipelineJob")
    assert request.parent == PARENT
    assert request.pipeline_job_id.startswith("tickets-20")
    job = request.pipeline_job
    assert job.display_name == "the first"
    spec = json.loads(job_file.read_text())["pipelineSpec"]
    assert json_format.MessageToDict(job._pb.pipeline_spec) == spec
    assert dict(job.runtime_config.parameter_values) == {
        "data_root": "gs://rows",
        "freeze": '[{"freeze": "all"}]',
        "train_steps": 20,
    }
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/permafrost"
    assert dict(job.labels) == {"team": "search"}
    assert job.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert job.network == "projects/12345/global/networks/my-vpc"
    assert job.encryption_spec.kms_key_name == KEY
    # No other call, to the region's own host, with the user's credentials.
    assert [name for name, _ in fake_google.calls] == ["CreatePipelineJob"]
    assert fake_google.routing == [f"parent={PARENT.replace('/', '%2F')}"]
    assert set(fake_google.hosts) == {"europe-west4-aiplatform.googleapis.com:443"}
    assert set(fake_google.tokens) == {"the-token"}
    assert out == (
        f"submitted to Vertex AI: https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/"
        f"{request.pipeline_job_id}?project=my-project\n"
    )
