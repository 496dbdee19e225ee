"""What is written as a whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.full_disk import whole_or_nothing


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        tf.errors.ResourceExhaustedError(None, None, "model/variables.data; No space left on device"),
        OSError("[Errno 28] No space left on device"),
    ],
    ids=["Python's", "TensorFlow's", "in words"],
)
def test_a_full_disk_leaves_nothing_and_is_said_in_one_line(error: Exception, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with pytest.raises(UserError) as caught, whole_or_nothing(str(folder), "the model"):
        folder.mkdir()
        (folder / "half").write_text("of it")
        raise error
    assert str(caught.value).startswith(
        f"{folder}: the disk is full (No space left on device), the model can't be written, and nothing is left of it; "
    )
    assert not folder.exists()


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with pytest.raises(PermissionError), whole_or_nothing(str(folder), "the model"):
        folder.mkdir()
        raise PermissionError(errno.EACCES, "Permission denied")
    assert not folder.exists()


def test_what_succeeds_is_let_alone(tmp_path: Path) -> None:
    with whole_or_nothing(str(tmp_path), "the model"):
        (tmp_path / "whole").write_text("model")
    assert (tmp_path / "whole").read_text() == "model"
