"""Whether one example can be trained on."""

import math
from typing import Any

import tensorflow as tf

from components.example_gen.bad_row import EMPTY_TEXT, LINE_BREAK, NO_LABEL, NOT_A_LABEL, NOT_A_NUMBER, NOT_TEXT
from components.example_gen.row_format import RowFormat

_LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127


def prepare(example: tf.train.Example, rows: RowFormat) -> str | None:
    """The reason (of `bad_row`) why an example can't be used, or None.

    For regression the label becomes a float feature, whatever it was stored as.
    """
    features = example.features.feature
    for name in rows.text:
        reason = _text_problem(_values(features[name]) if name in features else [])
        if reason:
            return reason
    labels = _values(features[rows.label]) if rows.label in features else []
    if not labels or (isinstance(labels[0], bytes) and not labels[0].strip()):
        return NO_LABEL
    if len(labels) > 1:
        return NOT_A_LABEL
    if rows.task == "regression":
        number = _number(labels[0])
        if number is None:
            return NOT_A_NUMBER
        features[rows.label].float_list.value[:] = [number]
    elif isinstance(labels[0], bytes) and any(mark in labels[0] for mark in (b"\n", b"\r")):
        return LINE_BREAK  # Transform writes one label a line, and leaves this one out.
    return None


def label_of(serialized: bytes, label: str) -> str:
    """The label of a usable example, as messages write it."""
    value = _values(tf.train.Example.FromString(serialized).features.feature[label])[0]
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _values(feature: tf.train.Feature) -> list[Any]:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def _text_problem(values: list[Any]) -> str | None:
    if not values:
        return EMPTY_TEXT
    if len(values) > 1 or not isinstance(values[0], bytes):
        return NOT_TEXT
    try:
        return None if values[0].decode("utf-8").strip() else EMPTY_TEXT
    except UnicodeDecodeError:
        return NOT_TEXT


def _number(value: bytes | int | float) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= _LARGEST_FLOAT32 else None
