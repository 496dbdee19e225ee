"""Databases that can't be used, and how soon that is said."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import mysql_metadata_connection_config, sqlite_metadata_connection_config

from pipeline import metadata_store
from pipeline.metadata_store import open_store, user_error_of
from trainer_module.errors import PassingFailure, UserError

HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute(f"BEGIN {sys.argv[2]}")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metadata.sqlite"
    open_store(sqlite_metadata_connection_config(str(path))).put_context_type(mlmd.ContextType(name="mine"))
    return path


@pytest.fixture
def hold(file: Path) -> Iterator[Callable[[str], None]]:
    """Locks the database from another process: `hold("EXCLUSIVE")`."""
    holders: list[subprocess.Popen[str]] = []

    def hold_it(how: str) -> None:
        command = [sys.executable, "-c", HOLDER, str(file), how]
        holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert holders[-1].stdout and holders[-1].stdout.readline() == "held\n"

    yield hold_it
    for holder in holders:
        holder.communicate()


def test_a_new_database_is_made(tmp_path: Path) -> None:
    connection = sqlite_metadata_connection_config(str(tmp_path / "new" / "metadata.sqlite"))
    assert open_store(connection).get_contexts() == []


@pytest.mark.parametrize("how", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_database_that_another_process_holds(
    file: Path, hold: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(metadata_store, "_PATIENCE", 0.2)
    hold(how)
    with pytest.raises(PassingFailure) as caught:
        open_store(sqlite_metadata_connection_config(str(file)))
    assert str(caught.value) == (
        f"metadata database {file}: is locked by another process; let it end, or end it (`fuser -v {file}` names it), "
        "then run again"
    )


@pytest.mark.slow
def test_a_database_that_is_taken_while_it_is_used(file: Path, hold: Callable[[str], None]) -> None:
    connection = sqlite_metadata_connection_config(str(file))
    connection.retry_options.max_num_retries = 1
    store = open_store(connection)
    (kind,) = store.get_context_types()
    hold("IMMEDIATE")
    with pytest.raises(errors.AbortedError) as caught:
        store.put_contexts([mlmd.Context(type_id=kind.id, name="mine")])
    assert "is locked by another process" in str(user_error_of(caught.value, connection))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "metadata.sqlite"
    file.write_bytes(b"no database, but longer than the header of one. " * 100)
    with pytest.raises(UserError, match=f"^metadata database {file}: file is not a database; restore it, or move"):
        open_store(sqlite_metadata_connection_config(str(file)))


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "metadata.sqlite").mkdir()
    with pytest.raises(UserError, match=r"unable to open database file; name a file in metadata\.uri that this user"):
        open_store(sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written(file: Path) -> None:
    file.chmod(0o400)
    with pytest.raises(UserError, match="can't be written; give this user the right, or name another"):
        open_store(sqlite_metadata_connection_config(str(file)))


def test_a_server_where_nothing_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    connection = mysql_metadata_connection_config("127.0.0.1", port, "mine", "me", "secret")
    with pytest.raises(UserError) as caught:
        open_store(connection)
    assert str(caught.value) == (
        f"metadata database mysql://me@127.0.0.1:{port}/mine: nothing answers at 127.0.0.1:{port} (Connection refused);"
        " check metadata.uri, and whether the database is running"
    )


def test_a_server_that_ends_while_it_is_used() -> None:
    connection = mysql_metadata_connection_config("db", 3306, "mine", "me", "secret")
    reason = user_error_of(errors.InternalError("MySQL server has gone away"), connection)
    assert str(reason) == (
        "metadata database mysql://me@db:3306/mine: stopped answering: MySQL server has gone away; "
        "see to the database, then run again"
    )


def test_a_disk_that_fills_up_while_it_is_used(tmp_path: Path) -> None:
    connection = sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    reason = user_error_of(errors.InternalError("Error when executing query: database or disk is full"), connection)
    assert str(reason) == (
        f"metadata database {tmp_path}/metadata.sqlite: the disk is full, nothing more can be written into it; "
        "make room, run again"
    )


def test_other_errors_are_not_the_databases() -> None:
    connection = sqlite_metadata_connection_config("/tmp/metadata.sqlite")
    assert user_error_of(RuntimeError("out of memory"), connection) is None
