"""Trainings of the tiny encoder that end before their time, and go on."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import tf_keras as keras

from tests.trainer_module.conftest import Records
from trainer_module.encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.training import train as training
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.rows import Rows

LOGGER = "permafrost.checkpoints"


class Ended(BaseException):
    """Ends a training as a signal would: nothing catches it."""


class EndAt(keras.callbacks.Callback):
    """Raises after a step of the whole training; counts those that this process does."""

    def __init__(self, step: int | None, done: int) -> None:
        super().__init__()
        self._end = step
        self._done = done
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps += 1
        if self._done + self.steps == self._end:
            raise Ended


@dataclass
class Run:
    """What was seen of a training.

    Attributes:
        digest: Of all that trained; empty if training didn't come to its end.
        history: Losses and metrics of its epochs.
        steps: That this process did.
        messages: About checkpoints.
    """

    digest: str = ""
    history: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    messages: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def rows(make_rows: Callable[..., Rows]) -> tuple[Rows, Rows]:
    """22 rows to train on and 9 to evaluate, of 3 to 12 tokens, of two classes; one of them twice."""
    made = []
    for seed, count in ((0, 22), (1, 9)):
        rng = np.random.default_rng(seed)
        words = [rng.integers(5, 60, length).tolist() for length in rng.integers(3, 13, count)]
        words[4] = words[3]
        made.append(make_rows(*words, labels=[index % 2 for index in range(count)]))
    return made[0], made[1]


@pytest.fixture(scope="session")
def run_in(one_block_model: HubModel, rows: tuple[Rows, Rows]) -> Callable[..., Run]:
    """Trains: `run_in(folder, rules, end_at=7, epochs=3, …)`, 5 batches an epoch; checkpoints go to `folder`/kept."""

    hub = one_block_model

    def run(folder: Path, rules: Sequence[dict[str, Any]] = (), end_at: int | None = None, **more: Any) -> Run:
        bert: dict[str, Any] = {"hub": hub.handle, "freeze": list(rules), "text": ["t"], "label": "l"}
        bert |= {"max_tokens": 16, "batch_size": 5, "learning_rate": 1e-3, "seed": 3, "epochs": 3}
        bert |= {"checkpoint_dir": str(folder / "kept"), "checkpoint_steps": 1, **more}
        settings = BertSettings.from_custom_config({"bert": bert})
        keras.utils.set_random_seed(settings.seed)
        plan = plan_freeze(settings, hub)
        encoder = BertEncoder(hub.layout, HubWeights(hub.layout, hub.weights, plan.is_trainable), dropout=0.1)
        classifier = BertClassifier(encoder, outputs=2, pooling=settings.pooling, dropout=0.1, seed=settings.seed)
        seen, ending = Run(), []
        callbacks = training._callbacks

        def with_end(*given: Any) -> list[keras.callbacks.Callback]:
            # After all others but the one that writes: what it would write is lost.
            ending.append(EndAt(end_at, given[-1].step))
            return [*callbacks(*given), ending[0]]

        with patch.object(training, "_callbacks", with_end), Records(LOGGER) as records:
            try:
                history = training.train(classifier, *rows, settings, plan, str(folder / "logs"))
            except Ended:
                pass
            else:
                seen.history = history.history
                values = [variable.numpy() for variable in classifier.trainable_variables]
                seen.digest = hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest()
        seen.steps = ending[0].steps if ending else 0
        seen.messages = [record.getMessage() for record in records]
        return seen

    return run


@pytest.fixture
def run(run_in: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """As `run_in`, in the test's own folder: `run(rules, …)`."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return partial(run_in, tmp_path)


@pytest.fixture(scope="session")
def whole(run_in: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A training that nobody ended: `whole(rules, …)`, made once for all tests that compare with it."""
    made: dict[str, Run] = {}

    def whole(rules: Sequence[dict[str, Any]], **more: Any) -> Run:
        key = json.dumps([rules, more], sort_keys=True)
        if key not in made:
            made[key] = run_in(tmp_path_factory.mktemp("whole"), rules, checkpoint_dir=None, **more)
        return made[key]

    return whole
