"""`python -m benchmarks.serving.client EXPORT`: a process with one export and no library but TensorFlow's.

For each line of its input, a JSON object with `signature` and `requests` (lists of texts), it prints one line: a JSON
list of the milliseconds that each request took, from Python strings (serialized examples) to NumPy arrays.
"""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401 (the tokenizer's operations)


def main(export: str) -> None:
    """Answers until its input ends."""
    signatures = tf.saved_model.load(export).signatures
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_measure(signatures, asked["signature"], asked["requests"])), flush=True)


def _measure(signatures: Any, name: str, requests: Sequence[Sequence[str]]) -> list[float]:
    column = _input_of(signatures["predict_text"])
    signature = signatures[name]
    argument = _input_of(signature)
    milliseconds = []
    for texts in requests:
        values = texts if name == "predict_text" else [_example(column, text) for text in texts]
        start = time.perf_counter()
        answers = signature(**{argument: tf.constant(values)})
        for answer in answers.values():
            answer.numpy()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds


def _input_of(signature: Any) -> str:
    (name,) = signature.structured_input_signature[1]
    return str(name)


def _example(column: str, text: str) -> bytes:
    values = tf.train.BytesList(value=[text.encode("utf-8")])
    features = tf.train.Features(feature={column: tf.train.Feature(bytes_list=values)})
    return bytes(tf.train.Example(features=features).SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1])
