"""`[kfp]`: an installation of Kubeflow Pipelines, and what the steps of a compiled pipeline need there."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from pipeline.strict_section import NonEmpty, StrictSection
from pipeline.vertex_settings import COMPONENTS, StepResources, near

Folder = Annotated[str, Field(pattern="^/[^/]")]


class KfpVolume(StrictSection):
    """A PersistentVolumeClaim that every step mounts; it must allow writing from several nodes (ReadWriteMany).

    Attributes:
        claim: Its name, in the namespace where the steps run.
        mount: Where the steps see it.
    """

    claim: NonEmpty
    mount: Folder


class KfpStep(StepResources):
    """What one step's container may use, as in `[vertex.resources]`, and which nodes may run it.

    Attributes:
        node_selector: Labels that the node must have, such as `cloud.google.com/gke-accelerator`.
    """

    node_selector: dict[NonEmpty, str] = Field(default={})


class KfpSettings(StrictSection):
    """Where the pipeline is submitted to, and what its steps need there.

    Attributes:
        host: URL of the KFP API; only for submitting.
        namespace: Where runs live in a multi-user installation; only for submitting.
        experiment: The runs' experiment; only for submitting. Default: the pipeline's name.
        service_account: Of Kubernetes, under which the steps run; only for submitting. Default: the installation's own.
        image: Of all steps' containers; default: `vertex.image`.
        pipeline_root: Where artifacts go: a folder that TFX can open in every step, gs://… or below `volume.mount`.
        metadata_host: Of ML Metadata's gRPC service; default: where KFP installs its own, if it does.
        metadata_port: Of the same.
        volume: Mounted by every step.
        image_paths: Folders inside the image, so that paths in them may be used.
        resources: By step; for a step that isn't here, what `vertex.resources` says.
    """

    host: NonEmpty | None = None
    namespace: NonEmpty | None = None
    experiment: NonEmpty | None = None
    service_account: NonEmpty | None = None
    image: NonEmpty | None = None
    pipeline_root: NonEmpty | None = None
    metadata_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "metadata-grpc-service.kubeflow"
    metadata_port: Annotated[int, Field(gt=0, lt=65536)] = 8080
    volume: KfpVolume | None = None
    image_paths: list[Folder] = Field(default=[])
    resources: dict[str, KfpStep] = Field(default={})

    @field_validator("resources", mode="before")
    @classmethod
    def _find_components(cls, given: Any) -> Any:
        unknown = [name for name in given if name not in COMPONENTS] if isinstance(given, dict) else []
        if unknown:
            raise ValueError("\n".join(f"there is no step {name!r}{near(name, COMPONENTS)}" for name in unknown))
        return given

    @property
    def metadata_address(self) -> str:
        """`HOST:PORT`."""
        return f"{self.metadata_host}:{self.metadata_port}"
