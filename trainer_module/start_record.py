"""With which weights a training began, for people and for `RunResult`."""

import os

import tensorflow as tf
from pydantic import BaseModel, ConfigDict

START_FILE = "start.json"
"""The record, beside the plan in `model_run_dir`; only where `train.start_from` is `live`."""

_NAMED = 8
"""So many classes are named in a message."""


class StartRecord(BaseModel):
    """Where the weights of a training came from.

    Attributes:
        live_model: The folder of the model that was continued; None: there was none yet, so all came from the Hub.
        variables: How many of the encoder's variables it gave.
        new_classes: Classes that it doesn't know: their part of the head is fresh.
        lost_classes: Classes that only it knows.
        frozen_again: Parts of the encoder with variables that it had trained and that are frozen now: the Hub's again.
    """

    model_config = ConfigDict(frozen=True)

    live_model: str | None = None
    variables: int = 0
    new_classes: tuple[str, ...] = ()
    lost_classes: tuple[str, ...] = ()
    frozen_again: tuple[str, ...] = ()

    def describe(self) -> str:
        """In words, one line."""
        if self.live_model is None:
            return "started from the Hub model: there is no live model yet"
        told = [f"started from the live model {self.live_model}"]
        if self.new_classes:
            told.append(f"new classes: {_list(self.new_classes)}")
        if self.lost_classes:
            told.append(f"classes no longer there: {_list(self.lost_classes)}")
        if self.frozen_again:
            told.append(f"frozen now, so from the Hub model again: {_list(self.frozen_again)}")
        return "; ".join(told)


def write_start(run_dir: str, start: StartRecord) -> None:
    """Puts the record into the folder of a `model_run`, local or remote."""
    tf.io.gfile.makedirs(run_dir)
    with tf.io.gfile.GFile(os.path.join(run_dir, START_FILE), "w") as stream:
        stream.write(start.model_dump_json(indent=1))


def read_start(run_dir: str) -> StartRecord | None:
    """The record in the folder of a `model_run`; None: it began at the Hub model, as asked for."""
    file = os.path.join(run_dir, START_FILE)
    if not tf.io.gfile.exists(file):
        return None
    with tf.io.gfile.GFile(file, "rb") as stream:
        return StartRecord.model_validate_json(stream.read())


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
