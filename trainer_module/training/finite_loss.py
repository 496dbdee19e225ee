"""A loss that is no number any more ends training at once."""

import math
from collections.abc import Callable
from typing import Any

import tf_keras as keras

from trainer_module.errors import UserError
from trainer_module.settings import BertSettings


class RefuseInfiniteLoss(keras.callbacks.Callback):
    """Ends training by a `UserError` when the loss, of a training step or of an evaluation, isn't finite.

    Args:
        settings: Of the run.
        total_steps: Of the training, for the message.
        done: Steps that were done before.
        before_error: Is called first.
    """

    def __init__(self, settings: BertSettings, total_steps: int, done: int, before_error: Callable[[], None]) -> None:
        super().__init__()
        self._settings = settings
        self._total = total_steps
        self._step = done
        self._before_error = before_error

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step += 1
        self._check("loss", logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # The last step may have spoilt the weights after its own loss was known.
        self._check("val_loss", logs or {})

    def _check(self, name: str, logs: dict[str, Any]) -> None:
        loss = float(logs.get(name, 0.0))
        if math.isfinite(loss):
            return
        self._before_error()
        settings = self._settings
        rate = float(self.model.optimizer.learning_rate)
        advice = ["try a tenth of it"]
        if not settings.warmup_fraction:
            advice.append("warm up (train.warmup_fraction = 0.1)")
        if not settings.clip_norm:
            advice.append("clip gradients (train.clip_norm = 1.0)")
        if settings.compute_dtype != "float32":
            advice.append('compute in more precision (train.compute_dtype = "float32")')
        if settings.task == "regression":
            advice.append("check the scale of data.label")
        raise UserError(
            f"train.learning_rate: the {'loss' if name == 'loss' else 'evaluation loss'} became {loss} at step "
            f"{self._step} of {self._total}, at a rate of {rate:g} (its peak is {settings.learning_rate:g}), so "
            f"training was stopped and nothing is exported; {', or '.join(advice)}"
        )
