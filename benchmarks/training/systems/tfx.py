"""The recipe of TFX's BERT example and of TF-Hub's tutorial: `hub.KerasLayer`, all texts padded, Keras `fit`."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras as keras

from benchmarks.training.design import BATCH_SIZE, DROPOUT, MAX_TOKENS, SEED, Level, Task
from benchmarks.training.measured import Measured
from benchmarks.training.sst2 import Sst2
from benchmarks.training.systems.permafrost import settings_of
from benchmarks.training.token_rows import tokenize
from benchmarks.watch import Watch, differences
from trainer_module.features import MASK, TYPE_IDS, WORD_IDS
from trainer_module.hub.hub_model import HubModel
from trainer_module.training.rows import Rows


def measure(task: Task, data: Sst2, model: Path) -> Measured:
    """Trains all of the encoder or nothing of it, with Adam at one learning rate as the recipe does.

    Args:
        model: Folder of the Hub SavedModel.
    """
    if task.frozen not in ("nothing", "all"):
        raise ValueError(f"hub.KerasLayer freezes all or nothing, not {task.frozen}")
    keras.utils.set_random_seed(SEED)
    settings = settings_of(task, model)
    hub_model = HubModel.from_settings(settings)
    train_rows, test_rows = (tokenize(split, settings, hub_model) for split in (data.train, data.test))
    classifier = _classifier(model, len(set(data.train.labels)), task.level)
    batches = tf.data.Dataset.from_tensor_slices(padded(train_rows)).shuffle(len(train_rows), seed=SEED)
    watch = Watch()
    ends = _EpochEnds(watch)
    classifier.fit(batches.batch(BATCH_SIZE).prefetch(2), epochs=task.epochs, callbacks=[ends], verbose=0)
    spent = watch.stop()
    tested = classifier.evaluate(
        tf.data.Dataset.from_tensor_slices(padded(test_rows)).batch(4 * BATCH_SIZE), verbose=0, return_dict=True
    )
    return Measured(spent, differences(ends.seconds), tested["accuracy"], train_rows.lengths.tolist())


def padded(rows: Rows) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """All rows as a Hub encoder's three inputs, each `[rows, MAX_TOKENS]` int32, and the labels `[rows]`."""
    inputs, labels = rows.batch(np.arange(len(rows)))
    short = MAX_TOKENS - inputs[MASK].shape[1]
    return {name: np.pad(values, ((0, 0), (0, short))) for name, values in inputs.items()}, labels


def _classifier(model: Path, outputs: int, level: Level) -> keras.Model:
    inputs = {name: keras.Input((MAX_TOKENS,), dtype=tf.int32, name=name) for name in (WORD_IDS, MASK, TYPE_IDS)}
    encoded = hub.KerasLayer(str(model), trainable=level.frozen_blocks == 0)(inputs)
    pooled = encoded["pooled_output"]
    if level.pooling == "mean":
        weights = tf.cast(inputs[MASK], tf.float32)[:, :, tf.newaxis]
        pooled = tf.reduce_sum(encoded["sequence_output"] * weights, 1) / tf.reduce_sum(weights, 1)
    logits = keras.layers.Dense(outputs)(keras.layers.Dropout(DROPOUT)(pooled))
    classifier = keras.Model(inputs, logits)
    classifier.compile(
        keras.optimizers.Adam(level.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ["accuracy"],
    )
    return classifier


class _EpochEnds(keras.callbacks.Callback):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        self.seconds: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.seconds.append(self._watch.seconds)
