"""Rows that any process can make again and check: everything follows from a row's number."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.prefix_cache.segments import SegmentStore

REPOSITORY = Path(__file__).parents[3]
WIDTH = 5


@dataclass(frozen=True)
class Rows:
    """What `SegmentStore.add` takes."""

    keys: np.ndarray
    lengths: np.ndarray
    values: np.ndarray


def make_rows(numbers: Iterable[int], dtype: Any = np.float32) -> Rows:
    """1 to 7 tokens a row, of random bits: also NaNs, infinities and negative zeros."""
    numbers = list(numbers)
    lengths = np.array([number % 7 + 1 for number in numbers], np.int64)
    keys = b"".join(hashlib.blake2b(b"%d" % number, digest_size=16).digest() for number in numbers)
    pieces = [
        np.random.default_rng(number).integers(0, 256, (length, WIDTH * np.dtype(dtype).itemsize), np.uint8)
        for number, length in zip(numbers, lengths, strict=True)
    ]
    values = np.concatenate([np.zeros((0, WIDTH * np.dtype(dtype).itemsize), np.uint8), *pieces]).view(dtype)
    return Rows(np.frombuffer(keys, np.uint8).reshape(-1, 16), lengths, values)


def check_rows(store: SegmentStore, numbers: Iterable[int], dtype: Any = np.float32) -> None:
    """Asserts that the rows come back bit by bit, zeros behind the shorter ones."""
    rows = make_rows(numbers, dtype)
    count = len(rows.keys)
    out = np.full((count, 9, WIDTH), 1, dtype)
    store.gather(store.locate(rows.keys), np.arange(count), out)
    inside = np.arange(9) < rows.lengths[:, None]
    assert out[inside].tobytes() == rows.values.tobytes()
    assert not out[~inside].any()


@pytest.fixture(scope="session")
def rows() -> Callable[..., Rows]:
    return make_rows


@pytest.fixture(scope="session")
def check() -> Callable[..., None]:
    return check_rows


@pytest.fixture
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a Python process that has `make_rows`, `check_rows`, `SegmentStore`, `np`: `start(code, arguments…)`."""
    preamble = f"""
import importlib.util, os, signal, sys
import numpy as np
spec = importlib.util.spec_from_file_location("rows", {str(Path(__file__))!r})
rows = sys.modules["rows"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rows)
from rows import SegmentStore, check_rows, make_rows
directory = sys.argv[1]
"""

    def run(code: str, *arguments: object, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*before, sys.executable, "-c", preamble + code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # It finds what this process finds, pytest too, which lies apart from the packages in the image.
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])},
        )

    return run
