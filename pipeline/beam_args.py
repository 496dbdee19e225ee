"""`[beam]` as the arguments that Beam's runners take."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.beam_runner import IN_PROCESS
from pipeline.beam_settings import BeamSettings
from pipeline.vertex_settings import VertexSettings
from trainer_module.errors import UserError

_NO_IMAGE = "none"
"""For workers on this machine. Unless an image is named, TFX packs up all of itself for them each time."""


def compiled_beam_args(beam: BeamSettings | None, vertex: VertexSettings | None, image: str | None = None) -> list[str]:
    """For a pipeline that runs elsewhere, in containers.

    Args:
        beam: None: in the process of the step.
        vertex: Gives what a runner on Google Cloud needs and `beam` doesn't say.
        image: Of the steps; default: `vertex.image`.
    """
    beam = beam or BeamSettings()
    image = image or (vertex.image if vertex else None)
    match beam.runner:
        case "DirectRunner":
            return _flags(_direct(beam, image or _NO_IMAGE) | beam.options)
        case "DataflowRunner":
            return _flags(_dataflow(beam, vertex) | beam.options)
        case _:
            portable = {
                "runner": beam.runner,
                "job_endpoint": beam.job_endpoint,
                "environment_type": beam.environment_type,
                "environment_config": beam.environment_config,
                "parallelism": beam.parallelism,
                "sdk_container_image": image or _NO_IMAGE,
            }
            return _flags(portable | beam.options)


def local_beam_args(beam: BeamSettings | None) -> list[str] | None:
    """For a run on this machine; None where Beam's steps run in this process, without any option.

    Raises:
        UserError: The runner is one whose workers are elsewhere.
    """
    if beam is None or beam == BeamSettings():
        return None
    if beam.runner != "DirectRunner":
        raise UserError(
            f"beam.runner: {beam.runner}'s workers can't see this machine's files; use it in a pipeline that is "
            "compiled, or run with --set 'beam={}'"
        )
    return _flags(_direct(beam, _NO_IMAGE) | beam.options)


def _direct(beam: BeamSettings, image: str) -> dict[str, Any]:
    several = {"direct_num_workers": beam.workers, "direct_running_mode": beam.mode} if beam.workers != 1 else {}
    return {"runner": IN_PROCESS, **several, "sdk_container_image": image}


def _dataflow(beam: BeamSettings, vertex: VertexSettings | None) -> dict[str, Any]:
    return {
        "runner": beam.runner,
        "project": beam.project or (vertex.project if vertex else None),
        "region": beam.region or (vertex.region if vertex else None),
        "temp_location": beam.temp_location or (f"{vertex.staging_root}/beam" if vertex else None),
        "sdk_container_image": beam.sdk_container_image,
        # The image holds what the workers need; nothing is sent along.
        "sdk_location": "container",
        "worker_machine_type": beam.machine_type,
        "max_num_workers": beam.max_workers,
        "disk_size_gb": beam.disk_gb,
        "service_account_email": beam.service_account or (vertex.service_account if vertex else None),
        "subnetwork": beam.subnetwork,
    }


def _flags(options: Mapping[str, Any]) -> list[str]:
    return [flag for name, value in options.items() for flag in _flag(name, value)]


def _flag(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (f"--{name}={item}" for item in value)
    elif value is True:
        yield f"--{name}"
    elif value is not None and value is not False:
        yield f"--{name}={value}"
