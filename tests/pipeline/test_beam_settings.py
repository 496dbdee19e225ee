"""What `[beam]` may say, and the arguments that Beam's runners get."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.beam_args import compiled_beam_args, local_beam_args
from pipeline.beam_settings import BeamSettings
from pipeline.config import PipelineConfig
from pipeline.vertex_settings import VertexSettings
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error

IN_PROCESS = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
VERTEX: dict[str, Any] = {
    "project": "my-project",
    "region": "europe-west4",
    "staging_root": "gs://my-bucket/permafrost",
    "image": "my-image",
}


def read(beam: dict[str, Any] | None, vertex: dict[str, Any] | None = None) -> PipelineConfig:
    given = {
        "pipeline": {"name": "mine", "root": "runs/mine"},
        "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        "model": {"hub": "models/bert"},
        "vertex": vertex,
        "beam": beam,
    }
    return PipelineConfig.model_validate(given, strict=True)


def problems(beam: dict[str, Any], vertex: dict[str, Any] | None = None) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        read(beam, vertex)
    return describe_validation_error(caught.value, PipelineConfig)


@pytest.mark.parametrize(
    ("beam", "expected"),
    [
        ({"runner": "Dataflow"},
         ["runner: should be 'DirectRunner', 'DataflowRunner', 'FlinkRunner' or 'SparkRunner'; given 'Dataflow'"]),
        ({"workers": -1}, ["workers: should be greater than or equal to 0; given -1"]),
        ({"mode": "in_memory"}, ["mode: should be 'multi_processing' or 'multi_threading'; given 'in_memory'"]),
        ({"machine_type": "n1-standard-4", "parallelism": 2},
         ["machine_type: is an option of DataflowRunner, but beam.runner is 'DirectRunner'; remove it",
          "parallelism: is an option of FlinkRunner and SparkRunner, but beam.runner is 'DirectRunner'; remove it"]),
        ({"runner": "FlinkRunner", "workers": 2, "job_endpoint": "h:1"},
         ["workers: is an option of DirectRunner, but beam.runner is 'FlinkRunner'; remove it"]),
        ({"runner": "FlinkRunner"},
         ["job_endpoint: is missing; FlinkRunner needs the job server, such as 'localhost:8099'"]),
        ({"runner": "SparkRunner", "job_endpoint": "localhost"},
         [r"job_endpoint: should match pattern '^[^:/\s]+:[0-9]+$'; given 'localhost'"]),
        ({"runner": "DataflowRunner", "region": "r", "temp_location": "/tmp"},
         ["temp_location: should match pattern '^gs://'; given '/tmp'"]),
        ({"runner": "DataflowRunner", "region": "r"},
         ["project: is missing; DataflowRunner needs it, or a section [vertex]",
          "temp_location: is missing; DataflowRunner needs it, or a section [vertex]",
          "sdk_container_image: is missing; DataflowRunner needs the image that its workers run in"]),
        ({"options": {"direct_num_workers": 2, "runner": "x"}},
         ["options: direct_num_workers: has a key of its own; write beam.workers",
          "options: runner: has a key of its own; write beam.runner"]),
        ({"worker": 2}, ["worker: is not a known key; did you mean 'workers'?"]),
    ],
)  # fmt: skip
def test_refused(beam: dict[str, Any], expected: list[str]):
    assert problems(beam) == [f"beam.{line}" for line in expected]


def test_vertex_says_what_dataflow_needs_but_the_image():
    beam = {"runner": "DataflowRunner"}
    missing = ["beam.sdk_container_image: is missing; DataflowRunner needs the image that its workers run in"]
    assert problems(beam, VERTEX) == missing
    # A section [vertex] with problems counts as there: they are told first.
    assert problems(beam, VERTEX | {"region": "x"})[1:] == missing
    assert read(beam | {"sdk_container_image": "i"}, VERTEX).beam == BeamSettings(
        runner="DataflowRunner", sdk_container_image="i"
    )


def test_dataflows_arguments():
    vertex = VertexSettings(**VERTEX, service_account="runner@my-project.iam.gserviceaccount.com")
    of_vertex = compiled_beam_args(BeamSettings(runner="DataflowRunner", sdk_container_image="workers"), vertex)
    assert of_vertex == [
        "--runner=DataflowRunner",
        "--project=my-project",
        "--region=europe-west4",
        "--temp_location=gs://my-bucket/permafrost/beam",
        "--sdk_container_image=workers",
        "--sdk_location=container",
        "--service_account_email=runner@my-project.iam.gserviceaccount.com",
    ]
    own = BeamSettings(
        runner="DataflowRunner",
        project="other-project",
        region="us-central1",
        temp_location="gs://other/tmp",
        sdk_container_image="workers",
        machine_type="n1-highmem-4",
        max_workers=10,
        disk_gb=50,
        service_account="other",
        subnetwork="regions/r/subnetworks/s",
        options={"no_use_public_ips": True, "experiments": ["a", "b"], "save_main_session": False, "num_workers": 2},
    )
    assert compiled_beam_args(own, vertex) == [
        "--runner=DataflowRunner",
        "--project=other-project",
        "--region=us-central1",
        "--temp_location=gs://other/tmp",
        "--sdk_container_image=workers",
        "--sdk_location=container",
        "--worker_machine_type=n1-highmem-4",
        "--max_num_workers=10",
        "--disk_size_gb=50",
        "--service_account_email=other",
        "--subnetwork=regions/r/subnetworks/s",
        "--no_use_public_ips",
        "--experiments=a",
        "--experiments=b",
        "--num_workers=2",
    ]


@pytest.mark.parametrize("runner", ["FlinkRunner", "SparkRunner"])
def test_portable_arguments(runner: Any):
    beam = BeamSettings(
        runner=runner,
        job_endpoint="flink:8099",
        environment_type="EXTERNAL",
        environment_config="localhost:50000",
        parallelism=4,
    )
    assert compiled_beam_args(beam, None) == [
        f"--runner={runner}",
        "--job_endpoint=flink:8099",
        "--environment_type=EXTERNAL",
        "--environment_config=localhost:50000",
        "--parallelism=4",
        "--sdk_container_image=none",
    ]


def test_without_a_section_a_compiled_step_stays_in_its_process():
    # Not DirectRunner by its name, which first tries to download another runner.
    assert compiled_beam_args(None, VertexSettings(**VERTEX)) == [IN_PROCESS, "--sdk_container_image=my-image"]
    assert compiled_beam_args(None, None) == [IN_PROCESS, "--sdk_container_image=none"]


def test_workers_on_the_steps_machine():
    several = ["--direct_num_workers=4", "--direct_running_mode=multi_threading"]
    beam = BeamSettings(workers=4, mode="multi_threading", options={"job_name": "x"})
    given = [IN_PROCESS, *several, "--sdk_container_image=none", "--job_name=x"]
    assert compiled_beam_args(beam, None) == given
    assert local_beam_args(beam) == given


def test_a_local_run_has_no_arguments_by_default():
    assert local_beam_args(None) is None
    assert local_beam_args(BeamSettings()) is None


@pytest.mark.parametrize("runner", ["DataflowRunner", "FlinkRunner", "SparkRunner"])
def test_a_local_run_has_no_workers_elsewhere(runner: Any):
    with pytest.raises(UserError) as caught:
        local_beam_args(BeamSettings(runner=runner))
    assert str(caught.value) == (
        f"beam.runner: {runner}'s workers can't see this machine's files; use it in a pipeline that is compiled, "
        "or run with --set 'beam={}'"
    )
