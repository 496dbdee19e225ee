"""A file of rows is regular, complete, and compressed as its name says; anything else is refused."""

import bz2
import gzip
import lzma
import os
import socket
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from components.example_gen.input_file import open_input
from trainer_module.errors import UserError

CONTENT = b"text,label\n" + b"".join(b"%d %d,%d\n" % (number, number**9, number % 2) for number in range(10_000))
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, format=lzma.FORMAT_ALONE),
    "deflate": zlib.compress,
    "zst": zstandard.compress,
    "zstd": zstandard.compress,
}
TOO_EARLY = "ends too early; bring the complete file: a copy or an upload was interrupted, or it is still being written"


def read(path: Path) -> bytes:
    with open_input(str(path)) as file:
        return file.read()


def problem_of(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read(path)
    return str(error.value)


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_compressed_file_is_read_stream_after_stream(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(COMPRESS[ending](CONTENT))
    assert read(path) == CONTENT
    path.write_bytes(COMPRESS[ending](CONTENT) + COMPRESS[ending](b"more"))
    # The old .lzma format alone can't tell where a stream ends and another begins: Python's reader takes both.
    assert read(path) == CONTENT + b"more"


@pytest.mark.parametrize("cut", [1, 8, "half", "nearly all"])
@pytest.mark.parametrize("ending", COMPRESS)
def test_a_truncated_compressed_file_ends_too_early(tmp_path: Path, ending: str, cut: int | str) -> None:
    path = tmp_path / f"rows.{ending}"
    complete = COMPRESS[ending](CONTENT)
    kept = {"half": len(complete) // 2, "nearly all": 5}.get(str(cut)) or len(complete) - int(cut)
    path.write_bytes(complete[:kept])
    assert problem_of(path) == f"{path}: {TOO_EARLY}"


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_truncated_second_stream_ends_too_early(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.{ending}"
    complete = COMPRESS[ending](CONTENT)
    path.write_bytes(complete + complete[:-100])
    assert problem_of(path) == f"{path}: {TOO_EARLY}"


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_damaged_compressed_file_cannot_be_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(b"text,label\nfine,pos\n")
    assert problem_of(path).startswith(f"{path}: cannot be read: ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(CONTENT), "is compressed with gzip, though its name doesn't end in .gz; rename it"),
        (bz2.compress(CONTENT), "is compressed with bzip2, though its name doesn't end in .bz2; rename it"),
        (lzma.compress(CONTENT), "is compressed with xz, though its name doesn't end in .xz; rename it"),
        (zstandard.compress(CONTENT), "is compressed with zstd, though its name doesn't end in .zst; rename it"),
        (b"PK\x03\x04...", "is a zip archive; unpack it"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "zip"],
)
def test_compressed_content_under_another_name_is_recognised(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    assert problem_of(path) == f"{path}: {problem}"


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    os.mkfifo(path)
    assert problem_of(path) == f"{path}: is a named pipe; only regular files can be read"


def test_devices_and_sockets_are_refused(tmp_path: Path) -> None:
    assert problem_of(Path("/dev/zero")) == "/dev/zero: is a device; only regular files can be read"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert problem_of(tmp_path / "s") == f"{tmp_path}/s: is a socket; only regular files can be read"


def test_a_link_to_a_regular_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"x")
    (tmp_path / "link.csv").symlink_to("rows.csv")
    assert read(tmp_path / "link.csv") == b"x"
