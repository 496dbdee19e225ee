"""`[beam]`: what runs the steps that Apache Beam computes (ExampleGen, StatisticsGen, Transform, Evaluator)."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.strict_section import NonEmpty, StrictSection

Runner = Literal["DirectRunner", "DataflowRunner", "FlinkRunner", "SparkRunner"]

_PORTABLE = ("FlinkRunner", "SparkRunner")
_RUNNERS_OF = {
    "workers": ("DirectRunner",),
    "mode": ("DirectRunner",),
    "project": ("DataflowRunner",),
    "region": ("DataflowRunner",),
    "temp_location": ("DataflowRunner",),
    "machine_type": ("DataflowRunner",),
    "max_workers": ("DataflowRunner",),
    "disk_gb": ("DataflowRunner",),
    "service_account": ("DataflowRunner",),
    "subnetwork": ("DataflowRunner",),
    "sdk_container_image": ("DataflowRunner",),
    "job_endpoint": _PORTABLE,
    "environment_type": _PORTABLE,
    "environment_config": _PORTABLE,
    "parallelism": _PORTABLE,
}


class BeamSettings(StrictSection):
    """A Beam runner and its options.

    Attributes:
        runner: `DirectRunner`: on the machine of the step.
        workers: Of DirectRunner; 0: as many as there are processors.
        mode: Of DirectRunner with several workers: processes, or threads of one process.
        project: Of Dataflow; default: `vertex.project`.
        region: Of Dataflow; default: `vertex.region`.
        temp_location: Of Dataflow: a folder, gs://…, for its own files; default: one in `vertex.staging_root`.
        machine_type: Of Dataflow's workers.
        max_workers: Of Dataflow, at most.
        disk_gb: Of each Dataflow worker.
        service_account: Under which Dataflow's workers run; default: `vertex.service_account`.
        subnetwork: Of Dataflow's workers.
        sdk_container_image: What Dataflow's workers run in: the target `dataflow` of `kubeflow/Dockerfile`.
        job_endpoint: Host and port of the Flink or Spark cluster's Beam job server.
        environment_type: How its workers start Python: `DOCKER`, `PROCESS`, `EXTERNAL` or `LOOPBACK`.
        environment_config: What that takes: an image, a command as JSON, or the worker pool's host and port.
        parallelism: Of the Flink job.
        options: Any other option of Beam's by its name, such as `{ experiments = "use_runner_v2" }`.
    """

    runner: Runner = "DirectRunner"
    workers: Annotated[int, Field(ge=0)] = 1
    mode: Literal["multi_processing", "multi_threading"] = "multi_processing"
    project: NonEmpty | None = None
    region: NonEmpty | None = None
    temp_location: Annotated[str, Field(pattern="^gs://")] | None = None
    machine_type: NonEmpty | None = None
    max_workers: Annotated[int, Field(ge=1)] | None = None
    disk_gb: Annotated[int, Field(ge=10)] | None = None
    service_account: NonEmpty | None = None
    subnetwork: NonEmpty | None = None
    sdk_container_image: NonEmpty | None = None
    job_endpoint: Annotated[str, Field(pattern=r"^[^:/\s]+:[0-9]+$")] | None = None
    environment_type: Literal["DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK"] | None = None
    environment_config: NonEmpty | None = None
    parallelism: Annotated[int, Field(ge=1)] | None = None
    options: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], str | int | float | bool | list[str]] = Field(
        default={}
    )

    @field_validator(*_RUNNERS_OF)
    @classmethod
    def _refuse_for_other_runners(cls, value: Any, info: ValidationInfo) -> Any:
        allowed = _RUNNERS_OF[str(info.field_name)]
        runner = info.data.get("runner")
        if runner is not None and runner not in allowed:
            raise ValueError(f"is an option of {' and '.join(allowed)}, but beam.runner is {runner!r}; remove it")
        return value

    @field_validator("options")
    @classmethod
    def _refuse_options_with_a_key(cls, options: dict[str, Any]) -> dict[str, Any]:
        keys = [name for name in options if name in cls.model_fields or name in _KEY_OF_OPTION]
        if keys:
            raise ValueError(
                "\n".join(f"{name}: has a key of its own; write beam.{_KEY_OF_OPTION.get(name, name)}" for name in keys)
            )
        return options

    def missing(self, *, with_vertex: bool) -> dict[str, str]:
        """What the runner can't do without, by key, as the rest of a message.

        Args:
            with_vertex: Whether there is a section `[vertex]`, which says much of it.
        """
        if self.runner == "DataflowRunner":
            of_vertex = () if with_vertex else ("project", "region", "temp_location")
            found = {key: "is missing; DataflowRunner needs it, or a section [vertex]" for key in of_vertex}
            found["sdk_container_image"] = "is missing; DataflowRunner needs the image that its workers run in"
            return {key: message for key, message in found.items() if getattr(self, key) is None}
        if self.runner in _PORTABLE and self.job_endpoint is None:
            return {"job_endpoint": f"is missing; {self.runner} needs the job server, such as 'localhost:8099'"}
        return {}


_KEY_OF_OPTION = {
    "direct_num_workers": "workers",
    "direct_running_mode": "mode",
    "worker_machine_type": "machine_type",
    "max_num_workers": "max_workers",
    "disk_size_gb": "disk_gb",
    "service_account_email": "service_account",
}
"""By Beam's name."""
