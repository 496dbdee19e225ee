"""What an exported model says of its task head, so that a later training can take the head over."""

import os
from collections.abc import Sequence

import tensorflow as tf
from pydantic import BaseModel, ConfigDict, ValidationError

from trainer_module.settings import ModelSettings

HEAD_IN_MODEL = os.path.join("assets.extra", "permafrost", "head.json")
"""Where: beside the plan; see `plan_in_model`."""


class HeadRecord(BaseModel):
    """What the weights of a head mean.

    Attributes:
        task: As in `ModelSettings`.
        pooling: Likewise: what the head reads.
        classes: The class of each of its outputs, in their order; empty for regression.
        kernel: The name of its matrix, `[hidden, outputs]`, among the exported variables.
        bias: The name of its bias, `[outputs]`.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    pooling: str
    classes: tuple[str, ...]
    kernel: str
    bias: str


def record_head(settings: ModelSettings, labels: Sequence[bytes], kernel: tf.Variable, bias: tf.Variable) -> HeadRecord:
    """The record of a head.

    Args:
        settings: It was trained by.
        labels: The class names, in the order of its outputs.
        kernel: Its matrix.
        bias: Its bias.
    """
    return HeadRecord(
        task=settings.task,
        pooling=settings.pooling,
        classes=class_names(labels),
        kernel=_name(kernel),
        bias=_name(bias),
    )


def class_names(labels: Sequence[bytes]) -> tuple[str, ...]:
    """Labels as text; what isn't UTF-8 is written as `\\xff`."""
    return tuple(label.decode("utf-8", "backslashreplace") for label in labels)


def write_head(model_dir: str, head: HeadRecord) -> None:
    """Puts the record into the SavedModel folder `model_dir`, local or remote."""
    file = os.path.join(model_dir, HEAD_IN_MODEL)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.gfile.GFile(file, "w") as stream:
        stream.write(head.model_dump_json(indent=1))


def read_head(model_dir: str) -> HeadRecord | None:
    """The record in the SavedModel folder `model_dir`; None: it carries none that can be understood."""
    file = os.path.join(model_dir, HEAD_IN_MODEL)
    if not tf.io.gfile.exists(file):
        return None
    try:
        with tf.io.gfile.GFile(file, "rb") as stream:
            return HeadRecord.model_validate_json(stream.read())
    except ValidationError:
        return None


def _name(variable: tf.Variable) -> str:
    return str(variable.name).removesuffix(":0")
