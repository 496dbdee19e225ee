"""A checkpoint is there whole, or not at all; what is damaged is told."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trainer_module.training.checkpoints.checkpoint_file import (
    CheckpointNotWritten,
    DamagedCheckpoint,
    read_checkpoint,
    write_checkpoint,
)

REPOSITORY = Path(__file__).resolve().parents[4]
WRITE_BEYOND_A_LIMIT = """
import gc, resource, sys
import numpy as np
from trainer_module.training.checkpoints.checkpoint_file import CheckpointNotWritten, write_checkpoint

gc.disable()
resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
for length in (1_000, 3_000, 20_000):
    try:
        write_checkpoint(sys.argv[1], {}, {"first": np.zeros(length), "second": np.zeros(length)})
    except CheckpointNotWritten as error:
        print(str(error).rpartition("; ")[2])
    gc.collect()
"""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "step-1.npz"
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert write_checkpoint(str(path), {"step": 1}, {"kernel": array}) == path.stat().st_size
    facts, arrays = read_checkpoint(str(path))
    assert facts == {"step": 1}
    assert list(arrays) == ["kernel"]
    assert arrays["kernel"].dtype == np.float32
    np.testing.assert_array_equal(arrays["kernel"], array)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", [0, 100, -30])
def test_a_flipped_byte_is_damage(place: int, tmp_path: Path) -> None:
    path = tmp_path / "step-1.npz"
    write_checkpoint(str(path), {"step": 1}, {"kernel": np.ones(4, np.float32)})
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(str(path))


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "step-1.npz")
    with pytest.raises(DamagedCheckpoint, match="it isn't a regular file"):
        read_checkpoint(str(tmp_path / "step-1.npz"))


def test_an_array_that_claims_more_than_memory_is_damage(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    with zipfile.ZipFile(tmp_path / "step-1.npz", "w") as archive:
        archive.writestr("kernel.npy", header.getvalue())
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(str(tmp_path / "step-1.npz"))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotWritten, match="No such file or directory"):
        write_checkpoint(str(tmp_path / "missing" / "step-1.npz"), {}, {"kernel": np.ones(4)})


def test_what_there_is_no_room_for_leaves_nothing_and_the_process_alive(tmp_path: Path) -> None:
    """A half-written archive is closed when it is collected, long after its file was."""
    done = subprocess.run(
        [sys.executable, "-c", WRITE_BEYOND_A_LIMIT, str(tmp_path / "step-1.npz")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.splitlines()) == (0, ["File too large"] * 3), done.stderr
    assert list(tmp_path.iterdir()) == []
