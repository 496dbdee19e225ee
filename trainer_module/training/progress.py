"""Training progress as log records, for a log file, a cloud console or a progress bar."""

import logging
import time
from dataclasses import dataclass
from typing import Any

import tf_keras as keras

from trainer_module.training.events import TRAINING_LOGGER

_log = logging.getLogger(TRAINING_LOGGER)


@dataclass(frozen=True)
class Progress:
    """Where training stands; the `progress` attribute of each record that `LogProgress` logs.

    Attributes:
        step: Steps done.
        total_steps: Steps planned.
        metrics: Running means of the epoch: `loss` and, at an epoch's end, `val_…`.
    """

    step: int
    total_steps: int
    metrics: dict[str, float]


class LogProgress(keras.callbacks.Callback):
    """Logs a `Progress` now and then, and at the end of each epoch.

    Args:
        total_steps: Steps planned.
        every_seconds: Least time between two records within an epoch.
        done: Steps that were done before.
    """

    def __init__(self, total_steps: int, every_seconds: float = 1.0, done: int = 0) -> None:
        super().__init__()
        self._total = total_steps
        self._every = every_seconds
        self._step = done
        self._last = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step += 1
        if time.monotonic() - self._last >= self._every:
            self._report(logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._report(logs or {})

    def _report(self, logs: dict[str, Any]) -> None:
        self._last = time.monotonic()
        progress = Progress(self._step, self._total, {name: float(value) for name, value in logs.items()})
        shown = " ".join(f"{name} {value:.4f}" for name, value in progress.metrics.items())
        _log.info("step %d of %d: %s", progress.step, progress.total_steps, shown, extra={"progress": progress})
