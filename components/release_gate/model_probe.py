"""A program of its own, `python -I model_probe.py QUESTIONS ANSWERS`: asks a SavedModel, with nothing but TensorFlow.

QUESTIONS and ANSWERS are JSON files; `probe.py` writes the one and reads the other. Strings are in base64, because they
need not be UTF-8. Anything else than TensorFlow, tensorflow-text and what they require can't be imported here, however
much is installed: a model that needed it couldn't be served.
"""

import base64
import importlib.abc
import importlib.metadata
import json
import math
import re
import signal
import sys
import time
from typing import Any


def main(questions_file: str, answers_file: str) -> None:
    """Answers what can be answered."""
    with open(questions_file, encoding="utf-8") as stream:
        questions = json.load(stream)
    # Whoever started this may have been killed since.
    signal.alarm(math.ceil(questions["timeout_seconds"]))
    _die_first()
    sys.meta_path.insert(0, OnlyTensorFlow())
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  its kernels are the tokenizer

    start = time.perf_counter()
    model = tf.saved_model.load(questions["model"])
    loaded = time.perf_counter() - start
    answers = {
        "load_seconds": loaded,
        "signatures": sorted(model.signatures),
        "answers": [_answer(model.signatures, question, tf) for question in questions["questions"]],
        "latencies_ms": _latencies(model.signatures, questions, tf),
        "tensorflow": tf.__version__,
    }
    with open(answers_file, "w", encoding="utf-8") as stream:
        json.dump(answers, stream)


class OnlyTensorFlow(importlib.abc.MetaPathFinder):
    """Refuses to import what TensorFlow and tensorflow-text don't require."""

    def __init__(self) -> None:
        self._allowed = {*sys.stdlib_module_names, *_packages("tensorflow", "tensorflow-text")}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Leaves what is allowed to the other finders."""
        name = fullname.partition(".")[0]
        # Python's own as well, though not among its names: this one has the platform's in it.
        if name not in self._allowed and not name.startswith("_sysconfigdata_"):
            raise ModuleNotFoundError(f"No module named {fullname!r} beside TensorFlow and tensorflow-text")


def _packages(*distributions: str) -> set[str]:
    """What these distributions, and all that they require, install for import."""
    found: set[str] = set()
    seen: set[str] = set()
    left = list(distributions)
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # of another platform
            continue
        found |= {file.parts[0].partition(".")[0] for file in distribution.files or ()}
        required = [each for each in distribution.requires or () if "extra ==" not in each]
        left += [match.group() for each in required if (match := re.match(r"[A-Za-z0-9._-]+", each))]
    return found


def _die_first() -> None:
    """Where memory runs out, Linux is to end this process rather than the pipeline."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as stream:
            stream.write("1000")
    except OSError:
        pass


def _answer(signatures: Any, question: dict[str, Any], tf: Any) -> dict[str, Any]:
    try:
        outputs = _call(signatures, question, tf)
    except Exception as error:  # whatever it is, it is the answer
        return {"error": f"{type(error).__name__}: {error}"[:1000]}
    return {"outputs": {name: _plain(output.numpy()) for name, output in outputs.items()}}


def _call(signatures: Any, question: dict[str, Any], tf: Any) -> Any:
    inputs = {
        name: tf.constant([base64.b64decode(value) for value in values], tf.string)
        for name, values in question["inputs"].items()
    }
    return signatures[question["signature"]](**inputs)


def _plain(array: Any) -> dict[str, Any]:
    values = array.reshape(-1).tolist()
    if array.dtype == object:
        values = [value.decode("utf-8", "replace") for value in values]
    return {"shape": list(array.shape), "dtype": array.dtype.name, "values": values}


def _latencies(signatures: Any, questions: dict[str, Any], tf: Any) -> list[float]:
    """Milliseconds of each request, one after the other, until there are enough or the time is up."""
    asked = questions["timed"]
    latencies: list[float] = []
    try:
        for question in asked:
            _call(signatures, question, tf)
        end = time.perf_counter() + questions["timed_seconds"]
        while asked and len(latencies) < questions["timed_requests"] and time.perf_counter() < end:
            start = time.perf_counter()
            outputs = _call(signatures, asked[len(latencies) % len(asked)], tf)
            for output in outputs.values():
                output.numpy()
            latencies.append(1000 * (time.perf_counter() - start))
    except Exception:  # has been answered with this error before
        return []
    return latencies


if __name__ == "__main__":
    main(*sys.argv[1:])
