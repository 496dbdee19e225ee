"""Opens ML Metadata's database, and says what is wrong where it can't be used."""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

from ml_metadata import MetadataStore, errors
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.metadata_connection import address
from pipeline.metadata_on_postgresql import mend_postgresql
from trainer_module.errors import PassingFailure, UserError

_PATIENCE = 10.0  # seconds
_HELD = "is locked by another process; let it end, or end it"


def open_store(connection: mlmd.ConnectionConfig) -> MetadataStore:
    """ML Metadata, ready for use.

    Raises:
        PassingFailure: The database doesn't answer, or another process holds it.
        UserError: It can't be used or written.
    """
    _check(connection)
    if connection.HasField("postgresql"):
        mend_postgresql()
    try:
        return MetadataStore(connection)
    except (RuntimeError, errors.StatusError) as error:
        raise user_error_of(error, connection) or UserError(
            f"metadata database {address(connection)}: can't be used: {str(error).strip()}; check metadata.uri: user, "
            "password, and whether this user may create or use the database (the reason is in the log, if anywhere)"
        ) from error


def user_error_of(error: BaseException, connection: mlmd.ConnectionConfig) -> UserError | None:
    """What the user is told where ML Metadata gave up on a database that worked before; None: it is something else."""
    where = f"metadata database {address(connection)}"
    text = str(error)
    if isinstance(error, errors.AbortedError) or "Concurrent writes aborted" in text or "is locked" in text:
        return PassingFailure(f"{where}: {_HELD} (`fuser -v {address(connection)}` names it), then run again")
    if "database or disk is full" in text:
        return UserError(f"{where}: the disk is full, nothing more can be written into it; make room, run again")
    if "readonly database" in text:
        return UserError(f"{where}: can't be written; give this user the right, or name another in metadata.uri")
    if isinstance(error, errors.StatusError) and not connection.HasField("sqlite"):
        return PassingFailure(f"{where}: stopped answering: {text.strip()}; see to the database, then run again")
    return None


def _check(connection: mlmd.ConnectionConfig) -> None:
    """Finds out sooner, and more, than ML Metadata does: that waits 44 s for a lock, and keeps the reason to itself."""
    if connection.HasField("sqlite"):
        _check_sqlite(connection)
        return
    host, port = _host_and_port(connection)
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        raise PassingFailure(
            f"metadata database {address(connection)}: nothing answers at {host}:{port} ({error.strerror or error}); "
            "check metadata.uri, and whether the database is running"
        ) from error


def _check_sqlite(connection: mlmd.ConnectionConfig) -> None:
    path = connection.sqlite.filename_uri
    try:
        # Not yet there: made here rather than by ML Metadata, which doesn't say why it can't.
        with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            # BEGIN alone is content with a file that may only be read.
            [(version,)] = database.execute("PRAGMA user_version")
            database.execute(f"PRAGMA user_version = {version}")
            database.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        reason = user_error_of(error, connection)
        raise reason or UserError(
            f"metadata database {path}: {error}; name a file in metadata.uri that this user may write"
        ) from error
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"metadata database {path}: {error}; restore it, or move {Path(path).name} away to begin a new history"
        ) from error


def _host_and_port(connection: mlmd.ConnectionConfig) -> tuple[str, int]:
    if connection.HasField("mysql"):
        return connection.mysql.host, connection.mysql.port
    return connection.postgresql.host, int(connection.postgresql.port)
