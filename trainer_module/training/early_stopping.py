"""Stops when evaluation gets no better, over all parts of a training."""

from typing import Any

import numpy as np
import tf_keras as keras


class PatientStopping(keras.callbacks.EarlyStopping):
    """`EarlyStopping` of one training that consists of several calls of `fit`.

    Keras' own forgets everything when `fit` begins, and puts the best weights back when it ends.

    Args:
        patience: Epochs without a better eval loss.
        start_from_epoch: Before, nothing counts.
    """

    def __init__(self, patience: int, start_from_epoch: int) -> None:
        super().__init__("val_loss", patience=patience, restore_best_weights=True, start_from_epoch=start_from_epoch)
        super().on_train_begin()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing: what was seen before still counts."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing: see `restore_best`."""

    def restore_best(self, model: keras.Model) -> None:
        """Puts the best weights back, once training has ended."""
        if self.best_weights is not None:
            model.set_weights(self.best_weights)

    def facts(self) -> dict[str, Any]:
        """What it remembers, without weights, for JSON."""
        return {
            "wait": self.wait,
            "best": float(self.best),
            "best_epoch": self.best_epoch,
            "stopped_epoch": self.stopped_epoch,
        }

    def best_of(self, model: keras.Model) -> list[np.ndarray]:
        """The best values of `model.trainable_variables`; empty while there are none."""
        if self.best_weights is None:
            return []
        return [self.best_weights[place] for place in _places(model)]

    def resume(self, model: keras.Model, facts: dict[str, Any], best: list[np.ndarray]) -> None:
        """Remembers what `facts` and `best_of` gave.

        Args:
            model: Of which nothing else than `best` differs from what it was then.
            facts: See `facts`.
            best: See `best_of`.
        """
        self.wait, self.best = facts["wait"], facts["best"]
        self.best_epoch, self.stopped_epoch = facts["best_epoch"], facts["stopped_epoch"]
        if best:
            self.best_weights = model.get_weights()
            for place, values in zip(_places(model), best, strict=True):
                self.best_weights[place] = values


def _places(model: keras.Model) -> list[int]:
    """Where a model's trainable variables are among its weights."""
    places = {variable.ref(): place for place, variable in enumerate(model.weights)}
    return [places[variable.ref()] for variable in model.trainable_variables]
