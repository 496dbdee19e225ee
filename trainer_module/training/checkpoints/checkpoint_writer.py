"""When a training is written down."""

import time
from typing import Any

import tf_keras as keras

from trainer_module.settings import TrainSettings
from trainer_module.training.checkpoints.checkpoints import Checkpoints
from trainer_module.training.schedule import Schedule

_SECONDS = 600.0
"""After so long, an epoch is written down before it ends."""

_SHARE = 10.0
"""Writing takes no more than one tenth of the time."""


class CheckpointWriter(keras.callbacks.Callback):
    """Writes at each epoch's end, and within an epoch every `train.checkpoint_steps` steps.

    Without that setting, within an epoch every ten minutes, and nowhere as often as would slow training down.

    It has to be the last of the callbacks, because what the others remember is written too.

    Args:
        checkpoints: Where to.
        settings: See above.
        schedule: Of the training.
        by_clock: Whether a clock may decide within an epoch: those of several workers differ.
    """

    def __init__(self, checkpoints: Checkpoints, settings: TrainSettings, schedule: Schedule, by_clock: bool) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._every = settings.checkpoint_steps
        self._schedule = schedule
        self._by_clock = by_clock
        self._written = time.monotonic()
        self._took = 0.0
        self.step = checkpoints.step

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._checkpoints.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1
        # What an epoch's end brings (evaluation, early stopping) belongs to it; that follows at once.
        ends = self.step % self._schedule.steps_per_epoch == 0 or self.step == self._schedule.total_steps
        if not ends and self._is_due():
            self._write(within_epoch=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Where training ends, its result is written next.
        ends = self.model.stop_training or self.step == self._schedule.total_steps
        if not ends and (self._every or self._is_affordable()):
            self._write(within_epoch=False)

    def _is_due(self) -> bool:
        if self._every:
            return self.step % self._every == 0
        return self._by_clock and time.monotonic() - self._written >= _SECONDS and self._is_affordable()

    def _is_affordable(self) -> bool:
        return time.monotonic() - self._written >= _SHARE * self._took

    def _write(self, *, within_epoch: bool) -> None:
        begun = time.monotonic()
        self._checkpoints.write(self.step, within_epoch=within_epoch)
        self._written = time.monotonic()
        self._took = self._written - begun
