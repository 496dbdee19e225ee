"""ReleaseGate's answers, remembered: each probe starts a process that imports TensorFlow and loads the model."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from components.release_gate import executor
from components.release_gate.probe import Probed, Question, probe

_PROBED: dict[str, Probed] = {}


@pytest.fixture
def probe_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes a model again only when its files differ from those of every model before, or the questions do."""

    def probe_or_remember(
        model_dir: str, questions: Sequence[Question], timed: Sequence[Question], timeout_seconds: float
    ) -> Probed:
        # Not the questions' bytes: protobuf writes the columns of a row in any order.
        asked = [(question.name, question.signature, question.rows) for question in (*questions, *timed)]
        digest = hashlib.sha256(repr(asked).encode())
        for file in sorted(path for path in Path(model_dir).rglob("*") if path.is_file()):
            digest.update(file.read_bytes())
        key = digest.hexdigest()
        if key not in _PROBED:
            _PROBED[key] = probe(model_dir, questions, timed, timeout_seconds)
        return _PROBED[key]

    monkeypatch.setattr(executor, "probe", probe_or_remember)
