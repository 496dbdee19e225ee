"""Trainings of the tiny encoder, watched: each step's own loss, what runs through the prefix, and what is traced."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.trainer_module.conftest import Records
from trainer_module.encoder import BertEncoder, Encoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.prefix_function import PrefixFunction
from trainer_module.training.rows import Rows
from trainer_module.training.train import train

LOGGER = "permafrost.prefix_cache"


@dataclass
class Run:
    """What was seen of a training.

    Attributes:
        losses: Of each step.
        val_losses: Of each epoch.
        traces: How often each stage's training step was traced.
        encoded: Of each time that rows of a split ran through a prefix: the numbers of these rows.
        messages: Of the prefix cache.
    """

    plan: FreezePlan
    settings: BertSettings
    losses: list[float] = field(default_factory=list)
    val_losses: list[float] = field(default_factory=list)
    traces: list[int] = field(default_factory=list)
    encoded: list[list[float]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    classifier: Any = None


class WatchedClassifier(BertClassifier):
    """Tells a `Run` each training step's own loss, where `keras.Model` reports an epoch's running mean.

    Args:
        seen: The run to fill.
        instead: Called in place of each stage's steps, whose functions take most of a training's time to trace.
    """

    def __init__(self, seen: Run, *args: Any, instead: Callable[[], None] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen = seen
        self._instead = instead

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        return None if self._instead else super().evaluate(*args, **kwargs)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        for metric in self.metrics:
            metric.reset_state()
        return super().train_step(data)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        if self._instead:
            return self._instead()
        keep = keras.callbacks.LambdaCallback(
            on_batch_end=lambda batch, logs: self._seen.losses.append(float(logs["loss"])),
            on_epoch_end=lambda epoch, logs: self._seen.val_losses.append(float(logs["val_loss"])),
        )
        history = super().fit(*args, **kwargs | {"callbacks": [*kwargs["callbacks"], keep]})
        step: Any = self.train_function
        self._seen.traces.append(step.experimental_get_tracing_count())
        return history


@pytest.fixture(scope="session")
def train_rows(make_rows: Callable[..., Rows]) -> Rows:
    """22 rows of 3 to 12 tokens; no two are the same."""
    return random_rows(make_rows, 22, seed=0)


@pytest.fixture(scope="session")
def eval_rows(make_rows: Callable[..., Rows]) -> Rows:
    return random_rows(make_rows, 9, seed=1)


def random_rows(make_rows: Callable[..., Rows], count: int, seed: int) -> Rows:
    """Rows whose label is a number of their own, so that one can be told from another."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(5, 60, length).tolist() for length in rng.integers(3, 13, count)]
    return make_rows(*words, labels=[1000.0 * seed + row for row in range(count)])


@pytest.fixture(autouse=True)
def scratch_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of the test's own, where scratch folders are made."""
    parent = tmp_path / "tmp"
    parent.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(parent))
    return parent


@pytest.fixture(scope="session")
def run(
    two_block_model: HubModel,
    train_rows: Rows,
    eval_rows: Rows,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Run]:
    """Trains: `run(rules, prefix_cache="memory", …)`; the labels, which are numbers, become one of two classes.

    With `instead`, rows run through the prefixes, but nothing trains; see `WatchedClassifier`.
    """

    def run(
        rules: Sequence[dict[str, Any]],
        rows: Rows = train_rows,
        evaluated: Rows = eval_rows,
        hub: HubModel = two_block_model,
        make: Callable[[FreezePlan], Encoder] | None = None,
        instead: Callable[[], None] | None = None,
        **more: Any,
    ) -> Run:
        bert = {"hub": hub.handle, "freeze": list(rules), "text": ["t"], "label": "l", "max_tokens": 16}
        bert |= {"batch_size": 5, "learning_rate": 1e-3, "dropout": 0.1, "seed": 3, "epochs": 3, **more}
        settings = BertSettings.from_custom_config({"bert": bert})
        plan = plan_freeze(settings, hub)
        if make is None:
            weights = HubWeights(hub.layout, hub.weights, plan.is_trainable)
            encoder: Encoder = BertEncoder(hub.layout, weights, dropout=settings.dropout)
        else:
            encoder = make(plan)
        seen = Run(plan, settings)
        seen.classifier = classifier = WatchedClassifier(
            seen,
            encoder,
            outputs=2,
            pooling=settings.pooling,
            dropout=settings.dropout,
            seed=settings.seed,
            instead=instead,
        )
        encode = PrefixFunction.encode

        def watched(self: PrefixFunction, source: Any, positions: np.ndarray, put: Any) -> None:
            given: list[float] = []
            seen.encoded.append(given)

            def watched_put(batch: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> None:
                given.extend(by_class.numbers[id(source.labels)][batch].tolist())
                put(batch, lengths, values)

            encode(self, source, positions, watched_put)

        by_class = _Classes(rows, evaluated)
        with patch.object(PrefixFunction, "encode", watched), Records(LOGGER) as records:
            log_dir = str(tmp_path_factory.mktemp("logs"))
            train(classifier, by_class.train, by_class.evaluated, settings, plan, log_dir)
        seen.messages = [record.getMessage() for record in records]
        return seen

    return run


@pytest.fixture(scope="session")
def plain(run: Callable[..., Run]) -> Callable[..., Run]:
    """What was seen of a training without a cache: `plain(rules, …)`, made once for all tests that compare with it."""
    made: dict[str, Run] = {}

    def plain(rules: Sequence[dict[str, Any]], **more: Any) -> Run:
        key = json.dumps([rules, more], sort_keys=True)
        if key not in made:
            made[key] = replace(run(rules, prefix_cache="off", **more), classifier=None)
        return made[key]

    return plain


class _Classes:
    """The same rows with classes for labels, and which numbers they had."""

    def __init__(self, *splits: Rows) -> None:
        made = [Rows(rows.word_ids, rows.type_ids, rows.offsets, rows.labels.astype(np.int64) % 2) for rows in splits]
        self.train, self.evaluated = made
        self.numbers = {id(new.labels): old.labels for new, old in zip(made, splits, strict=True)}
