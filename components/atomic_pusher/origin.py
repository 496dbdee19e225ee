"""The note that each pushed version carries: of which model it is."""

import os

from pydantic import BaseModel, ConfigDict
from tfx.dsl.io import fileio

ORIGIN_FILE = os.path.join("assets.extra", "pushed_from.json")
"""Where: TensorFlow Serving leaves `assets.extra` alone."""


class Origin(BaseModel):
    """Where a version comes from.

    Attributes:
        model: URI of the Model artifact.
        model_id: Its id in ML Metadata.
        digest: Of the model's files, see `model_files.digest_of`.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    model_id: int
    digest: str

    def is_of(self, other: "Origin | None") -> bool:
        """Whether both are of the same artifact with the same content.

        Ids don't count: on Vertex AI an artifact has none that would last.
        """
        return other is not None and (self.model, self.digest) == (other.model, other.digest)


def read_origin(version: str) -> Origin | None:
    """The note in a version's folder; None where there is none that can be read."""
    file = os.path.join(version, ORIGIN_FILE)
    # Anything but a file on this machine, such as a pipe, could keep a reader waiting for ever.
    if not (fileio.exists(file) if "://" in file else os.path.isfile(file)):
        return None
    try:
        with fileio.open(file, "rb") as stream:
            return Origin.model_validate_json(stream.read())
    except Exception:
        # Each kind of storage has errors of its own.
        return None
