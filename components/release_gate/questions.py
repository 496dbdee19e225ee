"""What an exported model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.release_gate.probe import Question
from components.release_gate.real_rows import RealRow
from trainer_module.export import text_inputs

SERVING_SIGNATURES = ("serving_default", "predict_text")
TRANSFORM_SIGNATURE = "transform_features"
CLASSES_SIGNATURE = "classes"

ODD_TEXTS: Mapping[str, Sequence[bytes]] = {
    "empty texts": [b"", b" ", b"\t\n"],
    "very long texts": [("good " * 20_000).encode(), b"x" * 100_000, "的".encode() * 20_000],
    "odd Unicode": [
        "👍🏽 great film 👎".encode(),
        "فيلم جيد".encode(),
        "e\u0301a\u0308\u200d\u200b\ufeff\u202e\U0010ffff".encode(),
        b"the film\x00 is good",
        b"bad \xff\xfe bytes \xc3",
    ],
}

_TIMED_ROWS = 16


@dataclass(frozen=True)
class Asked:
    """A question, and what is known of its answer.

    Attributes:
        question: See `Question`.
        expected: What the Trainer's model said, `[rows, outputs]`; of the signature `transform_features` the labels
            that Transform made, `[rows]`; None where nobody knows.
    """

    question: Question
    expected: np.ndarray | None = None


def serving_questions(rows: Sequence[RealRow], columns: Sequence[str]) -> list[Asked]:
    """Of both serving signatures: real rows together and one alone, none at all, and odd texts.

    Args:
        rows: At least one.
        columns: The text columns.
    """
    asked: list[Asked] = []
    odd = {name: _odd_rows(rows[0].example, texts, columns) for name, texts in ODD_TEXTS.items()}
    for signature in SERVING_SIGNATURES:
        real = [row for row in rows if signature != "predict_text" or _has_numbers(row.example, columns)]
        for name, some in {"real rows": real, "one row": real[:1]}.items():
            question = _question(name, signature, [row.example for row in some], columns)
            asked += [Asked(question, np.array([row.values for row in some]))] if some else []
        asked.append(Asked(_question("no rows", signature, [], columns)))
        asked += [Asked(_question(name, signature, examples, columns)) for name, examples in odd.items() if examples]
    return asked


def other_questions(rows: Sequence[RealRow], with_classes: bool) -> list[Asked]:
    """Of the signatures for whoever compares answers with labels.

    Args:
        rows: With labels.
        with_classes: Whether the model has any.
    """
    examples = [row.example.SerializeToString() for row in rows]
    question = Question("real rows", TRANSFORM_SIGNATURE, {"examples": examples}, len(rows))
    asked = [Asked(question, np.array([row.label for row in rows]))]
    return asked + ([Asked(Question("classes", CLASSES_SIGNATURE, {}, 0))] if with_classes else [])


def timed_questions(rows: Sequence[RealRow], columns: Sequence[str]) -> list[Question]:
    """One row each."""
    return [_question("one row", SERVING_SIGNATURES[0], [row.example], columns) for row in rows[:_TIMED_ROWS]]


def _question(name: str, signature: str, examples: Sequence[tf.train.Example], columns: Sequence[str]) -> Question:
    if signature == "predict_text":
        inputs = {
            input_name: [_text(example, column) for example in examples]
            for input_name, column in text_inputs(columns).items()
        }
    else:
        inputs = {"examples": [example.SerializeToString() for example in examples]}
    return Question(name, signature, inputs, len(examples))


def _odd_rows(example: tf.train.Example, texts: Sequence[bytes], columns: Sequence[str]) -> list[tf.train.Example]:
    """Each text in all columns of text, and in the last one only; a column of numbers takes none."""
    of_text = [column for column in columns if not _is_number(example, column)]
    made = []
    for filled in [of_text, of_text[-1:]] if len(of_text) > 1 else [of_text] if of_text else []:
        for text in texts:
            odd = tf.train.Example()
            odd.CopyFrom(example)
            for column in filled:
                odd.features.feature[column].bytes_list.value[:] = [text]
            made.append(odd)
    return made


def _text(example: tf.train.Example, column: str) -> bytes:
    """A column's first value, as `predict_text` takes it."""
    feature = example.features.feature[column]
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else []
    if not values:
        return b""
    if kind == "float_list":
        return str(np.float32(values[0])).encode()
    return values[0] if kind == "bytes_list" else str(values[0]).encode()


def _is_number(example: tf.train.Example, column: str) -> bool:
    return example.features.feature[column].WhichOneof("kind") in ("int64_list", "float_list")


def _has_numbers(example: tf.train.Example, columns: Sequence[str]) -> bool:
    """Whether `predict_text` can be told this row: nothing can be said of a number that is missing."""
    return all(_text(example, column) for column in columns if _is_number(example, column))
