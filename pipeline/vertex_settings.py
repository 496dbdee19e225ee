"""`[vertex]`: where on Vertex AI a compiled pipeline runs, and on what machines."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails

from pipeline.strict_section import NonEmpty, StrictSection
from trainer_module.validation import problem

COMPONENTS = (
    "FreezePlanner",
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "DataProfile",
    "DataGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "FreezeAudit",
    "ReleaseGate",
    "Pusher",
)
"""The steps that run in a container of their own, in the order in which `pipeline.create_pipeline` lists them."""

_ON_ACCELERATOR = ("Trainer", "Evaluator")

# google.cloud.aiplatform_v1.AcceleratorType, which takes seconds to import, without the TPUs: training isn't made for
# them.
ACCELERATORS = (
    "NVIDIA_TESLA_K80",
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_P4",
    "NVIDIA_TESLA_T4",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_L4",
    "NVIDIA_H100_80GB",
    "NVIDIA_H100_MEGA_80GB",
    "NVIDIA_H200_141GB",
    "NVIDIA_B200",
    "NVIDIA_GB200",
    "NVIDIA_RTX_PRO_6000",
)

MachineType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*-[a-z0-9-]+$")]
Labels = dict[
    Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")], Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]
]


class Accelerators(StrictSection):
    """GPUs of one machine.

    Attributes:
        accelerator: A name in `ACCELERATORS`.
        accelerator_count: How many; 1 where only the name is given.
    """

    accelerator: str | None = None
    accelerator_count: Annotated[int, Field(ge=1, le=16)] | None = None

    @field_validator("accelerator")
    @classmethod
    def _find_accelerator(cls, name: str | None) -> str | None:
        if name is not None and name not in ACCELERATORS:
            hint = near(name.upper().replace("-", "_"), ACCELERATORS)
            raise ValueError(f"{name!r} is not an accelerator of Vertex AI{hint}")
        return name

    @field_validator("accelerator_count")
    @classmethod
    def _refuse_count_of_nothing(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count is not None and info.data.get("accelerator", "") is None:
            raise ValueError("says how many, but not of what; give accelerator, such as 'NVIDIA_TESLA_T4'")
        return count

    @property
    def count(self) -> int:
        """How many there are, none included."""
        return 0 if self.accelerator is None else self.accelerator_count or 1


class StepResources(Accelerators):
    """What one step's container may use.

    Attributes:
        cpu: Processors, at most.
        memory: Gigabytes (10⁹ bytes), at most.
    """

    cpu: Annotated[float, Field(gt=0)] | None = None
    memory: Annotated[float, Field(gt=0)] | None = None


class VertexTraining(Accelerators):
    """A Vertex custom job that trains, instead of Trainer's own container.

    Attributes:
        machine_type: Of Compute Engine, such as `n1-standard-8`.
        workers: Machines; several train together (`train.distribution = "multi_worker"`).
        boot_disk_gb: Size of each machine's disk.
        timeout_hours: After which Vertex cancels the job.
        spot: Whether cheaper machines will do, which Google may take away at any time.
        image: Where it is another one than `vertex.image`.
    """

    machine_type: MachineType
    workers: Annotated[int, Field(ge=1)] = 1
    boot_disk_gb: Annotated[int, Field(ge=100, le=64000)] = 100
    timeout_hours: Annotated[float, Field(gt=0, le=28 * 24)] | None = None
    spot: bool = False
    image: NonEmpty | None = None


class VertexEndpoint(Accelerators):
    """A Vertex endpoint to which Pusher deploys, instead of `push.directory`.

    Attributes:
        endpoint: Its display name; it is made when there is none of that name.
        machine_type: Of the machines that serve.
        min_replicas: Machines that always run.
        max_replicas: Machines, at most, as requests become more.
        traffic: Percent of the requests that the new model gets; the rest stays with those deployed before.
        image: What serves the model; default: Google's own for TensorFlow.
    """

    endpoint: Annotated[str, Field(pattern=r'^[^"\\]+$', max_length=128)]
    machine_type: MachineType = "n1-standard-4"
    min_replicas: Annotated[int, Field(ge=1)] = 1
    max_replicas: Annotated[int, Field(ge=1)] = 1
    traffic: Annotated[int, Field(ge=0, le=100)] = 100
    image: NonEmpty = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"

    @field_validator("max_replicas")
    @classmethod
    def _refuse_less_than_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min_replicas", 1)
        if value < least:
            raise ValueError(f"is less than min_replicas; given {value}, and min_replicas is {least}")
        return value


class VertexSettings(StrictSection):
    """Where a compiled pipeline runs.

    Attributes:
        project: Id of the Google Cloud project.
        region: Such as `europe-west4`.
        staging_root: Folder, gs://…, of what the steps put out (the pipeline root). A local folder where the job is to
            run on this machine only, by `permafrost run-compiled`.
        image: Of all steps' containers; see `kubeflow/Dockerfile`.
        service_account: Under which the steps run; default: the project's own for Compute Engine.
        network: Full name of a VPC network that the job is peered with.
        encryption_key: Full name of a customer-managed key.
        labels: On the job, to find it and its costs by.
        cache: Whether a step whose inputs and settings didn't change is skipped.
        image_paths: Folders inside the image, so that paths in them may be used. `/gcs`, where Vertex mounts Cloud
            Storage, always is.
        resources: By step.
        training: See `VertexTraining`.
    """

    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    region: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$")]
    staging_root: NonEmpty
    image: NonEmpty
    service_account: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$")] | None = None
    network: Annotated[str, Field(pattern=r"^projects/[^/]+/global/networks/[^/]+$")] | None = None
    encryption_key: (
        Annotated[str, Field(pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$")] | None
    ) = None
    labels: Labels = Field(default={})
    cache: bool = True
    image_paths: list[Annotated[str, Field(pattern="^/")]] = Field(default=[])
    training: VertexTraining | None = None
    resources: dict[str, StepResources] = Field(default={})

    @field_validator("staging_root")
    @classmethod
    def _check_root(cls, root: str) -> str:
        if "://" in root and not re.match(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/|$)", root):
            raise ValueError(f"must be a folder in Cloud Storage such as gs://my-bucket/permafrost; given {root!r}")
        return root.rstrip("/")

    @field_validator("resources", mode="wrap")
    @classmethod
    def _check_resources(cls, given: Any, handler: Any, info: ValidationInfo) -> dict[str, StepResources]:
        """Adds what only all steps together can tell to the steps' own problems, so that all come at once."""
        problems: list[Any] = list(_resource_problems(given, trains_in_job=info.data.get("training") is not None))
        try:
            resources: dict[str, StepResources] = handler(given)
        except ValidationError as error:
            problems = [*error.errors(include_url=False), *problems]
        if problems:
            raise ValidationError.from_exception_data("resources", problems)
        return resources


def _resource_problems(resources: Any, *, trains_in_job: bool) -> Iterator[InitErrorDetails]:
    """Steps that don't exist, and accelerators that nothing would use. Wrong types are left to pydantic."""
    for name, step in resources.items() if isinstance(resources, Mapping) else ():
        if name not in COMPONENTS:
            yield problem((name,), f"is not a step{near(str(name), COMPONENTS)}", step)
        elif not isinstance(step, Mapping) or not step.get("accelerator"):
            continue
        elif name == "Trainer" and trains_in_job:
            reason = "this step only waits for the job of vertex.training; give the accelerator there"
            yield problem((name, "accelerator"), reason, step)
        elif name not in _ON_ACCELERATOR:
            yield problem((name, "accelerator"), "this step computes nothing on an accelerator; remove it", step)


def near(given: str, known: Sequence[str]) -> str:
    """What to add to a message about a name that isn't known.

    Example:
        >>> near("Trainr", ["Trainer", "Pusher"])
        "; did you mean 'Trainer'?"
    """
    close = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
