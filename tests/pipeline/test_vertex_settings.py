"""What `[vertex]`, `[vertex.training]`, `[vertex.resources]` and `[push.vertex]` may say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import PipelineConfig
from pipeline.vertex_settings import ACCELERATORS, COMPONENTS, VertexSettings
from trainer_module.validation import describe_validation_error

VERTEX = {
    "project": "my-project",
    "region": "europe-west4",
    "staging_root": "gs://my-bucket/permafrost",
    "image": "europe-west4-docker.pkg.dev/my-project/permafrost/permafrost:1",
}


def read(vertex: Mapping[str, Any] | None = {}, **sections: Any) -> PipelineConfig:
    """A config whose `[vertex]` is `VERTEX` with changes; None: it has none."""
    given = {
        "pipeline": {"name": "mine", "root": "runs/mine"},
        "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        "model": {"hub": "models/bert"},
        "vertex": None if vertex is None else {**VERTEX, **vertex},
    }
    return PipelineConfig.model_validate(given | sections, strict=True)


def problems(vertex: Mapping[str, Any] | None = {}, **sections: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        read(vertex, **sections)
    return describe_validation_error(caught.value, PipelineConfig)


def test_what_must_be_said_and_what_need_not():
    vertex = read().vertex
    assert vertex is not None
    assert vertex.model_dump(exclude_unset=True) == VERTEX
    assert (vertex.service_account, vertex.network, vertex.encryption_key, vertex.training) == (None, None, None, None)
    assert (vertex.labels, vertex.resources, vertex.image_paths, vertex.cache) == ({}, {}, [], True)
    with pytest.raises(ValidationError) as caught:
        VertexSettings.model_validate({})
    assert describe_validation_error(caught.value, VertexSettings) == [f"{key}: is missing" for key in VERTEX]


def test_a_config_needs_no_vertex():
    assert read(None).vertex is None


@pytest.mark.parametrize(
    ("vertex", "expected"),
    [
        ({"project": "My Project"},
         "project: should match pattern '^[a-z][a-z0-9-]{4,28}[a-z0-9]$'; given 'My Project'"),
        ({"region": "europe-west4-a"}, "region: should match pattern '^[a-z]+-[a-z]+[0-9]+$'; given 'europe-west4-a'"),
        ({"staging_root": "s3://bucket/x"},
         "staging_root: must be a folder in Cloud Storage such as gs://my-bucket/permafrost; given 's3://bucket/x'"),
        ({"staging_root": "gs://My_Bucket"},
         "staging_root: must be a folder in Cloud Storage such as gs://my-bucket/permafrost; given 'gs://My_Bucket'"),
        ({"service_account": "me@example.com"},
         r"service_account: should match pattern '^[^@\s]+@[^@\s]+\.gserviceaccount\.com$'; given 'me@example.com'"),
        ({"network": "default"},
         "network: should match pattern '^projects/[^/]+/global/networks/[^/]+$'; given 'default'"),
        ({"labels": {"team": "NLP"}}, "labels.team: should match pattern '^[a-z0-9_-]{0,63}$'; given 'NLP'"),
        ({"image_paths": ["models"]}, "image_paths[0]: should match pattern '^/'; given 'models'"),
        ({"cache": "yes"}, "cache: should be a valid boolean; given 'yes'"),
        ({"zone": "a"},
         "zone: is not a known key; known keys: cache, encryption_key, image, image_paths, labels, network, project, "
         "region, resources, service_account, staging_root, training"),
        ({"resources": {"Trainr": {}}}, "resources.Trainr: is not a step; did you mean 'Trainer'?"),
        ({"resources": {"live_model": {}}}, f"resources.live_model: is not a step; known: {', '.join(COMPONENTS)}"),
        ({"resources": {"Trainer": {"cpus": 4}}}, "resources.Trainer.cpus: is not a known key; did you mean 'cpu'?"),
        ({"resources": {"Trainer": {"memory": "16G"}}},
         "resources.Trainer.memory: should be a valid number; given '16G'"),
        ({"resources": {"Trainer": {"cpu": 0}}}, "resources.Trainer.cpu: should be greater than 0; given 0"),
        ({"resources": {"Trainer": {"accelerator": "NVIDIA_T4"}}},
         "resources.Trainer.accelerator: 'NVIDIA_T4' is not an accelerator of Vertex AI; did you mean 'NVIDIA_L4'?"),
        ({"resources": {"Trainer": {"accelerator": "tesla-t4"}}},
         "resources.Trainer.accelerator: 'tesla-t4' is not an accelerator of Vertex AI; "
         "did you mean 'NVIDIA_TESLA_T4'?"),
        ({"resources": {"Trainer": {"accelerator_count": 2}}},
         "resources.Trainer.accelerator_count: says how many, but not of what; "
         "give accelerator, such as 'NVIDIA_TESLA_T4'"),
        ({"resources": {"Pusher": {"accelerator": "NVIDIA_L4"}}},
         "resources.Pusher.accelerator: this step computes nothing on an accelerator; remove it"),
        ({"resources": {"Trainer": {"accelerator": "NVIDIA_L4"}}, "training": {"machine_type": "g2-standard-8"}},
         "resources.Trainer.accelerator: this step only waits for the job of vertex.training; "
         "give the accelerator there"),
        ({"training": {}}, "training.machine_type: is missing"),
        ({"training": {"machine_type": "8 cores"}},
         "training.machine_type: should match pattern '^[a-z][a-z0-9]*-[a-z0-9-]+$'; given '8 cores'"),
        ({"training": {"machine_type": "n1-standard-8", "workers": 0}},
         "training.workers: should be greater than or equal to 1; given 0"),
    ],
)  # fmt: skip
def test_refused(vertex: dict[str, Any], expected: str):
    assert problems(vertex) == [f"vertex.{expected}"]


def test_all_problems_of_the_resources_come_at_once():
    resources = {
        "Trainr": {"cpu": -1},
        "Pusher": {"accelerator": "NVIDIA_L4", "memry": 1},
        "StatisticsGen": {"accelerator": "NVIDIA_L4"},
    }
    assert problems({"resources": resources, "region": "x"}) == [
        "vertex.region: should match pattern '^[a-z]+-[a-z]+[0-9]+$'; given 'x'",
        "vertex.resources.Trainr.cpu: should be greater than 0; given -1",
        "vertex.resources.Pusher.memry: is not a known key; did you mean 'memory'?",
        "vertex.resources.Trainr: is not a step; did you mean 'Trainer'?",
        "vertex.resources.Pusher.accelerator: this step computes nothing on an accelerator; remove it",
        "vertex.resources.StatisticsGen.accelerator: this step computes nothing on an accelerator; remove it",
    ]


def test_one_accelerator_unless_more_are_asked_for():
    resources = {"Trainer": {"accelerator": "NVIDIA_L4"}, "Evaluator": {"cpu": 4}}
    vertex = read({"resources": resources}).vertex
    assert vertex is not None
    assert {name: step.count for name, step in vertex.resources.items()} == {"Trainer": 1, "Evaluator": 0}


def test_the_accelerators_are_those_that_googles_library_knows():
    from google.cloud.aiplatform_v1.types import AcceleratorType

    known = {kind.name for kind in AcceleratorType if kind.name.startswith("NVIDIA")}
    # A release may know newer ones; none that is allowed here may be unknown to it.
    assert set(ACCELERATORS) <= known


def test_a_trailing_slash_of_the_staging_root_goes():
    vertex = read({"staging_root": "gs://my-bucket/"}).vertex
    assert vertex is not None
    assert vertex.staging_root == "gs://my-bucket"


def test_a_local_staging_root_is_taken_from_the_files_folder():
    vertex = read({"staging_root": "../runs"}).resolve_paths(Path("/project/configs")).vertex
    assert vertex is not None
    assert vertex.staging_root == "/project/runs"


def test_an_endpoint_is_beside_the_folder_of_local_runs():
    push = read(push={"vertex": {"endpoint": "tickets"}}).push
    assert push.directory == "runs/mine/serving"
    assert push.vertex is not None
    assert push.vertex.model_dump() == {
        "accelerator": None,
        "accelerator_count": None,
        "endpoint": "tickets",
        "machine_type": "n1-standard-4",
        "min_replicas": 1,
        "max_replicas": 1,
        "traffic": 100,
        "image": "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
    }
    given = {"directory": "out", "vertex": {"endpoint": "tickets"}}
    assert read(push=given).push.directory == "out"


def test_refused_endpoints():
    endpoint = {"endpoint": 'a"b', "machine_type": "n1", "min_replicas": 3, "max_replicas": 2, "traffic": 101}
    assert problems(push={"vertex": endpoint}) == [
        r"""push.vertex.endpoint: should match pattern '^[^"\\]+$'; given 'a"b'""",
        "push.vertex.machine_type: should match pattern '^[a-z][a-z0-9]*-[a-z0-9-]+$'; given 'n1'",
        "push.vertex.max_replicas: is less than min_replicas; given 2, and min_replicas is 3",
        "push.vertex.traffic: should be less than or equal to 100; given 101",
    ]


def test_an_endpoint_needs_vertex():
    endpoint = {"vertex": {"endpoint": "tickets"}}
    expected = "push.vertex: needs a section [vertex]: only a pipeline that runs there can deploy to an endpoint"
    assert problems(None, push=endpoint) == [expected]
    # Where [vertex] is there but wrong, its own problems are enough.
    assert [line.split(":")[0] for line in problems({"region": 1}, push=endpoint)] == ["vertex.region"]
