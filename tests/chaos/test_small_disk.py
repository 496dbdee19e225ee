import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.small_disk import SmallDisk, can_mount


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if not can_mount():
        pytest.skip("only root can mount a disk")
    disk = SmallDisk(tmp_path / "disk", mib=4)
    yield disk
    disk.unmount()


def refusal(file: Path, size: int) -> int | None:
    try:
        file.write_bytes(bytes(size))
    except OSError as error:
        return error.errno
    return None


def test_a_full_disk_takes_no_more_and_has_room_again_afterwards(disk: SmallDisk):
    with disk.full():
        assert refusal(disk.folder / "one", 1 << 16) == errno.ENOSPC
    assert refusal(disk.folder / "two", 1 << 16) is None


def test_a_disk_can_be_filled_but_for_some_bytes(disk: SmallDisk):
    with disk.full(left=1 << 20):
        assert refusal(disk.folder / "one", 1 << 19) is None
        assert refusal(disk.folder / "two", 1 << 20) == errno.ENOSPC


def test_a_read_only_disk_refuses_to_be_written(disk: SmallDisk):
    with disk.read_only():
        assert refusal(disk.folder / "one", 1) == errno.EROFS
    assert refusal(disk.folder / "one", 1) is None
