"""ML Metadata on a disk that is really full, and a component that met one."""

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from chaos.small_disk import SmallDisk, can_mount
from pipeline.metadata_store import open_store
from pipeline.run_record import RUN_TYPE, record_outcome
from pipeline.runners.local import ComponentFailed, _failure, _Watch
from trainer_module.errors import PassingFailure, UserError


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if not can_mount():
        pytest.skip("only root can mount a disk")
    disk = SmallDisk(tmp_path / "disk", mib=8)
    yield disk
    disk.unmount()


def test_a_run_whose_end_finds_no_room_is_a_warning_of_one_line(
    disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    connection = sqlite_metadata_connection_config(str(disk.folder / "metadata.sqlite"))
    store = open_store(connection)
    kind = store.put_context_type(mlmd.ContextType(name=RUN_TYPE))
    store.put_contexts([mlmd.Context(type_id=kind, name="monday")])
    with disk.full(), caplog.at_level(logging.WARNING):
        record_outcome(store, "monday", "failed", {"error": "e" * 500_000})
    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith("permafrost")]
    assert message.startswith("how run monday ended can't be written into ML Metadata: ")
    assert message.endswith("database or disk is full")


class Deaf:
    """A listener."""

    def started(self, component: str, run_id: str) -> None: ...
    def ended(self, component: str, seconds: float) -> None: ...
    def failed(self, component: str, error: Exception) -> None: ...


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, UserError), (errno.EIO, ComponentFailed)])
def test_a_component_that_met_a_full_disk_is_for_a_person_to_see_to(
    number: int, told: type[Exception], tmp_path: Path
) -> None:
    watch = _Watch(Deaf())
    watch.failed("StatisticsGen", OSError(number, "why"))
    connection = sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    failure = _failure(RuntimeError("by Beam"), watch, connection)
    assert type(failure) is told
    assert not isinstance(failure, PassingFailure)
    assert str(failure).startswith("StatisticsGen")
