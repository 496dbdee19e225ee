"""The config's `[kfp]` section: an installation of Kubeflow Pipelines, and what its steps run in."""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

NonEmpty = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KfpVolume(_Strict):
    """A PersistentVolumeClaim that every step mounts; it must allow writing from several nodes (ReadWriteMany).

    Attributes:
        claim: Its name, in the namespace where the steps run.
        mount: Where the steps see it.
    """

    claim: NonEmpty
    mount: NonEmpty

    @field_validator("mount")
    @classmethod
    def _must_be_absolute(cls, value: str) -> str:
        if not value.startswith("/") or value.strip("/") == "":
            raise ValueError(f"should be an absolute path such as /mnt/permafrost; given {value!r}")
        return value.rstrip("/")


class KfpSettings(_Strict):
    """Where the pipeline is submitted to, and what its steps need there.

    Attributes:
        host: URL of the KFP API; only for submitting.
        namespace: Where runs live in a multi-user installation; only for submitting.
        experiment: The runs' experiment; only for submitting.
        image: What every step runs in.
        pipeline_root: Where artifacts go: a path that TFX can open from every step, so gs://… or below `volume.mount`.
        metadata_host: Of ML Metadata's gRPC service; default: where KFP up to 2.16 has its own, in namespace kubeflow.
        metadata_port: Of the same.
        volume: Mounted by every step.
    """

    host: NonEmpty | None = None
    namespace: NonEmpty | None = None
    experiment: NonEmpty | None = None
    image: NonEmpty | None = None
    pipeline_root: NonEmpty | None = None
    metadata_host: NonEmpty = "metadata-grpc-service.kubeflow"
    metadata_port: Annotated[int, Field(gt=0, lt=65536)] = 8080
    volume: KfpVolume | None = None

    @property
    def metadata_address(self) -> str:
        """`HOST:PORT`."""
        return f"{self.metadata_host}:{self.metadata_port}"

    def is_seen_by_steps(self, path: str) -> bool:
        """Whether a path means the same in every step: a URL, or something on the volume."""
        if "://" in path:
            return True
        return self.volume is not None and PurePosixPath(path).is_relative_to(self.volume.mount)
