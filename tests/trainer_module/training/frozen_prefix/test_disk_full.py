"""Where there is no room for what comes out of the prefix, training is the same, only slower."""

import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.prefix_cache import segments

pytestmark = pytest.mark.slow

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[0]"})
POOLER_THAWS = ({"freeze": "all"}, {"freeze": "pooler", "until_epoch": 2})


@pytest.fixture
def full_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says which segments, counted from 1 from now on, find the disk full."""
    write = segments.write_segment

    def make(*failing: int) -> None:
        numbers = count(1)

        def full(*args: Any) -> Any:
            if next(numbers) in failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(*args)

        monkeypatch.setattr(segments, "write_segment", full)

    return make


@pytest.mark.parametrize(
    ("rules", "failing", "without"),
    [
        # The second is the one of the rows to evaluate.
        (HALF, 2, "embeddings + 1 block"),
        # The first prefix of all stages is stored, the longer one of the first stage isn't.
        (POOLER_THAWS, 3, "the whole encoder"),
        (POOLER_THAWS, 1, "embeddings + 2 blocks"),
    ],
)
def test_the_prefix_is_computed_in_every_epoch_and_the_losses_are_the_same(
    rules: Any,
    failing: int,
    without: str,
    run: Callable[..., Any],
    plain: Callable[..., Any],
    full_at: Callable[..., None],
    scratch_parent: Path,
) -> None:
    full_at(failing)
    seen = run(rules, prefix_cache="disk")
    np.testing.assert_allclose(seen.losses, plain(rules).losses, atol=1e-5, rtol=0)
    np.testing.assert_allclose(seen.val_losses, plain(rules).val_losses, atol=1e-5, rtol=0)
    (message,) = (message for message in seen.messages if "computed in every epoch" in message)
    assert message.startswith(f"{without}: computed in every epoch: {scratch_parent}")
    assert message.endswith("nothing more can be stored: No space left on device")
    assert [path for path in scratch_parent.rglob("*") if path.is_file() and path.suffix != ".pyc"] == []


def test_in_memory_all_goes_on_where_only_the_folder_for_later_runs_is_full(
    run: Callable[..., Any], plain: Callable[..., Any], full_at: Callable[..., None], tmp_path: Path
) -> None:
    full_at(2)
    more = {"prefix_cache": "memory", "prefix_cache_dir": str(tmp_path / "kept")}
    seen = run(HALF, **more)
    np.testing.assert_allclose(seen.losses, plain(HALF).losses, atol=1e-5, rtol=0)
    (message,) = (message for message in seen.messages if "not for later runs" in message)
    assert message.startswith("embeddings + 1 block: kept in memory only, not for later runs: ")
    assert [len(given) for given in run(HALF, instead=lambda: None, **more).encoded] == [0, 9]
