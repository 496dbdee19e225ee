"""Runs `model_probe.py` in a new process, and survives whatever becomes of it."""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_PROGRAM = Path(__file__).with_name("model_probe.py")
_TIMED_REQUESTS = 200
# Of the timeout: the longest that timing may take.
_TIMED_SHARE = 0.25
_LAST_WORDS = 500


class ProbeFailed(Exception):
    """The process gave no answers; the message says what became of it."""


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        name: What it is, for people.
        signature: Which one is asked.
        inputs: Strings `[batch]` by the input's name.
        rows: How many answers there must be.
    """

    name: str
    signature: str
    inputs: Mapping[str, Sequence[bytes]]
    rows: int

    def to_json(self) -> dict[str, Any]:
        """What `model_probe.py` reads of it."""
        inputs = {
            name: [base64.b64encode(value).decode("ascii") for value in values] for name, values in self.inputs.items()
        }
        return {"signature": self.signature, "inputs": inputs}


@dataclass(frozen=True)
class Answer:
    """To one question.

    Attributes:
        outputs: By name; strings as `str`.
        error: Instead of outputs.
    """

    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Probed:
    """What a model said.

    Attributes:
        signatures: Which it has.
        answers: To each question.
        latencies_ms: Of each timed request, in milliseconds.
        load_seconds: Until it was loaded.
        tensorflow: The version that loaded it.
    """

    signatures: Sequence[str]
    answers: Sequence[Answer]
    latencies_ms: Sequence[float]
    load_seconds: float
    tensorflow: str


def probe(
    model_dir: str,
    questions: Sequence[Question],
    timed: Sequence[Question],
    timeout_seconds: float,
    program: Path = _PROGRAM,
) -> Probed:
    """Asks an exported model in a process that knows TensorFlow and tensorflow-text only, on the processor.

    Args:
        model_dir: A SavedModel on this machine.
        questions: Asked once each.
        timed: Asked in turn, once to warm up, and then timed up to 200 times.
        timeout_seconds: Of the whole process.
        program: What is run.

    Raises:
        ProbeFailed: It crashed, was killed, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="release-gate-") as folder:
        asked, answered, log = (Path(folder, name) for name in ("questions.json", "answers.json", "log"))
        content = {
            "model": model_dir,
            "questions": [question.to_json() for question in questions],
            "timed": [question.to_json() for question in timed],
            "timed_requests": _TIMED_REQUESTS,
            "timed_seconds": _TIMED_SHARE * timeout_seconds,
            "timeout_seconds": timeout_seconds + 5,
        }
        asked.write_text(json.dumps(content), encoding="utf-8")
        with log.open("wb") as output:
            command = [sys.executable, "-I", str(program), str(asked), str(answered)]
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=timeout_seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise ProbeFailed(f"no answer after {timeout_seconds:g} s") from None
        if done.returncode != 0:
            raise ProbeFailed(f"its process {_end(done.returncode)}: {_last_words(log)}")
        return _read(json.loads(answered.read_text(encoding="utf-8")))


def _environment() -> dict[str, str]:
    # Nothing by which Python or TensorFlow would find or do more: no Keras 2, no paths of ours, no GPU, whose memory
    # a Trainer in the same process may still hold.
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ
    }
    return kept | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "1"}


def _end(code: int) -> str:
    if code > 0:
        return f"ended with {code}"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[-_LAST_WORDS:] if lines else "it said nothing"


def _read(content: Mapping[str, Any]) -> Probed:
    answers = [
        Answer(
            {
                name: np.array(output["values"], _dtype(output["dtype"])).reshape(output["shape"])
                for name, output in answer.get("outputs", {}).items()
            },
            answer.get("error", ""),
        )
        for answer in content["answers"]
    ]
    of_run = {name: content[name] for name in ("signatures", "latencies_ms", "load_seconds", "tensorflow")}
    return Probed(answers=answers, **of_run)


def _dtype(name: str) -> Any:
    return object if name == "object" else np.dtype(name)
