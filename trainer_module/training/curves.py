"""The curves that TensorBoard shows, which no training fails for."""

import logging
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras as keras

_log = logging.getLogger("permafrost.curves")


class Curves(keras.callbacks.TensorBoard):
    """Keras' callback, which gives up with a warning when it can't write.

    Args:
        log_dir: Local or remote.
    """

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir, write_graph=False, profile_batch=0)
        self._given_up = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._try(lambda: super(Curves, self).on_train_begin(logs))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._try(lambda: super(Curves, self).on_test_begin(logs))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._try(lambda: super(Curves, self).on_test_end(logs))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._try(lambda: super(Curves, self).on_epoch_end(epoch, logs))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._try(lambda: super(Curves, self).on_train_end(logs))

    def _try(self, write: Callable[[], None]) -> None:
        if self._given_up:
            return
        try:
            write()
        except (OSError, tf.errors.OpError) as error:
            self._given_up = True
            _log.warning(
                "TensorBoard's curves can't be written to %s: %s; training goes on without", self.log_dir, error
            )
