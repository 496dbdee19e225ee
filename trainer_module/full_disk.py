"""What is written as a whole or not at all, and what is said when the disk is full."""

import contextlib
import errno
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from trainer_module.errors import UserError

_CODES = {errno.ENOSPC, errno.EDQUOT}
_TEXTS = ("No space left on device", "Disk quota exceeded")


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full; TensorFlow's say so in words only."""
    if isinstance(error, OSError) and error.errno in _CODES:
        return True
    return isinstance(error, (OSError, tf.errors.OpError)) and any(text in str(error) for text in _TEXTS)


@contextmanager
def whole_or_nothing(folder: str, what: str) -> Iterator[None]:
    """Empties a folder when what is written into it fails.

    Args:
        folder: Local or remote.
        what: Is written, for the message.

    Raises:
        UserError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        with contextlib.suppress(OSError, tf.errors.OpError):
            tf.io.gfile.rmtree(folder)
        if is_full(error):
            raise UserError(
                f"{folder}: the disk is full (No space left on device), {what} can't be written, and nothing is left "
                "of it; make room there and run again: with train.checkpoint_dir, training isn't repeated"
            ) from error
        raise
