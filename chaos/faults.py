"""What can break in a night. Each fault is followed by an undisturbed run, as the next night's would be."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from chaos.attempt import Outcome
from chaos.report import Finding
from chaos.season import Season
from chaos.small_disk import SmallDisk

_FAILED, _USER_ERROR = 1, 2


def full_disk_in_training(season: Season, disks: dict[Path, SmallDisk]) -> Finding:
    """The disk of artifacts is full when the Trainer starts."""
    disk = disks[season.project.state]
    return _fault(season, "disk full during training", "the disk is full", lambda: disk.full(), at="Trainer")


def full_disk_in_push(season: Season, disks: dict[Path, SmallDisk]) -> Finding:
    """The disk of the serving folder has no room for another model."""
    disk = disks[season.project.serving]
    return _fault(season, "disk full during push", "has no room for the model", lambda: disk.full(left=1 << 20))


def read_only_serving_folder(season: Season, disks: dict[Path, SmallDisk]) -> Finding:
    """The serving folder's disk is mounted read-only."""
    disk = disks[season.project.serving]
    return _fault(season, "serving folder read-only", "Read-only file system", disk.read_only)


def locked_metadata(season: Season, _: dict[Path, SmallDisk]) -> Finding:
    """Another process holds the metadata database, and doesn't let go."""
    return _fault(season, "metadata database locked", "locked", lambda: _locked(season.project.metadata), code=_FAILED)


def metadata_locked_midway(season: Season, _: dict[Path, SmallDisk]) -> Finding:
    """The same, from the Trainer's start on."""
    name = "metadata database locked midway"
    return _fault(season, name, "locked", lambda: _locked(season.project.metadata), at="Trainer", code=_FAILED)


def vanished_hub_model(season: Season, _: dict[Path, SmallDisk]) -> Finding:
    """The Hub model is removed while the pipeline runs."""
    hub = season.project.hub
    return _fault(season, "Hub model vanishes midway", str(hub), lambda: _moved_away(hub), at="Transform")


def loss_not_a_number(season: Season, _: dict[Path, SmallDisk]) -> Finding:
    """Training diverges."""
    diverging = ["train.learning_rate=1e30", "train.warmup_fraction=0.0"]
    return _fault(season, "loss is not a number", "train.learning_rate", nullcontext, overrides=diverging)


FAULTS = {
    fault.__name__: fault
    for fault in (
        full_disk_in_training,
        full_disk_in_push,
        read_only_serving_folder,
        locked_metadata,
        metadata_locked_midway,
        vanished_hub_model,
        loss_not_a_number,
    )
}
"""By name, in the order in which they are tried."""

NEED_DISKS = {"full_disk_in_training", "full_disk_in_push", "read_only_serving_folder"}
"""Those that need disks of their own, which only root can mount."""


def _fault(
    season: Season,
    trouble: str,
    must_say: str,
    break_it: Callable[[], AbstractContextManager[object]],
    *,
    at: str | None = None,
    overrides: Sequence[str] = (),
    code: int = _USER_ERROR,
) -> Finding:
    """Runs a night with a fault, which must end with a message and change nothing, then once more without.

    Args:
        season: With a model that is live.
        trouble: The fault, for people.
        must_say: What the run's last words must hold.
        break_it: Breaks it while the context is open.
        at: The component with whose start it breaks; None: before the run.
        overrides: For the run that fails.
        code: Its exit code: 1 for what `permafrost retrain` tries again, 2 for what a person must see to.
    """
    season.project.next_night()
    if at is None:
        with break_it():
            failed = season.start(overrides).outcome()
    else:
        attempt = season.start(overrides)
        if not attempt.wait_until(at):
            return Finding(trouble, [f"the run ended before {at}"], attempt.outcome().last_words)
        with break_it():
            failed = attempt.outcome()
    problems = [*_problems_of_failure(failed, must_say, code), *season.problems_after_failure()]
    recovered, more = season.undisturbed()
    seen = f"exit code {failed.code}: {failed.last_words}; the next run: exit code {recovered.code}"
    return Finding(trouble, [*problems, *more], seen)


def _problems_of_failure(failed: Outcome, must_say: str, code: int) -> Iterator[str]:
    if failed.code != code:
        yield f"exit code {failed.code} instead of {code}"
    if must_say not in failed.messages:
        yield f"its message doesn't say {must_say!r}: {failed.messages[-500:]}"
    if "Traceback" in failed.messages:
        yield "a traceback was shown"


@contextmanager
def _moved_away(folder: Path) -> Iterator[None]:
    elsewhere = folder.with_name(f"{folder.name}-elsewhere")
    shutil.move(folder, elsewhere)
    try:
        yield
    finally:
        shutil.move(elsewhere, folder)


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Another process holds the lock: within one, SQLite's locks don't bind."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLD_LOCK, str(database)])
    while not _is_locked(database):
        time.sleep(0.05)
    try:
        yield
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()


_HOLD_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
time.sleep(3600)
"""


def _is_locked(database: Path) -> bool:
    connection = sqlite3.connect(database, timeout=0)
    try:
        connection.execute("SELECT COUNT(*) FROM Artifact").fetchone()
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False
