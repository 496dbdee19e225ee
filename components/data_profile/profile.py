"""`data_profile.json`: labels, text lengths and word pieces of the rows that a model is trained and measured on."""

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError
from tfx.dsl.io import fileio

from trainer_module.errors import UserError

FILE_NAME = "data_profile.json"

LENGTH_EDGES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Where the buckets of text lengths begin, in word pieces; the last one has no end. Fixed, so that any two compare."""


class SplitProfile(BaseModel):
    """One split.

    Attributes:
        rows: How many there are.
        labels: Rows by class; empty for regression.
        label_quantiles: The 0th, 1st … 100th percentile of the labels; empty for classification.
        text_lengths: Rows by the number of word pieces of their texts, uncut, in the buckets of `LENGTH_EDGES`.
        tokens: Word pieces of all rows.
        unknown_tokens: Those that stand for what the vocabulary doesn't have; None where it can't be told.
        pieces: How often each word piece occurs: the most frequent ones.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    labels: Mapping[str, int] = {}
    label_quantiles: list[float] = []
    text_lengths: list[int]
    tokens: int
    unknown_tokens: int | None
    pieces: Mapping[str, int]


class ProfileRecord(BaseModel):
    """All splits of a window.

    Attributes:
        tokenizer: Its digest; lengths and word pieces of another one can't be compared.
        splits: By name: `train`, `eval`.
    """

    model_config = ConfigDict(frozen=True)

    tokenizer: str
    splits: Mapping[str, SplitProfile]


def profile_file(uri: str) -> str:
    """The file in a DataProfile artifact."""
    return os.path.join(uri, FILE_NAME)


def profile_in_model(model_dir: str) -> str:
    """The file in a SavedModel folder. TensorFlow Serving leaves `assets.extra` alone, and Pusher copies it."""
    return os.path.join(model_dir, "assets.extra", FILE_NAME)


def write_profile(file: str, record: ProfileRecord) -> None:
    """Writes a record, into a folder that is made where there is none."""
    fileio.makedirs(os.path.dirname(file))
    with fileio.open(file, "w") as stream:
        stream.write(record.model_dump_json())


def read_profile(file: str) -> ProfileRecord | None:
    """A record; None where there is no such file.

    Raises:
        UserError: There is one, but it can't be understood.
    """
    if not fileio.exists(file):
        return None
    with fileio.open(file) as stream:
        text = stream.read()
    try:
        return ProfileRecord.model_validate_json(text)
    except ValidationError as error:
        raise UserError(f"{file}: is not a data profile: {error.errors(include_url=False)[0]['msg']}") from None
