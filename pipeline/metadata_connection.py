"""From `[metadata]` to what ML Metadata takes for a connection, and to a text without its password."""

import os
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.config import PipelineConfig
from pipeline.folders import require_folders
from pipeline.metadata_settings import MYSQL
from trainer_module.errors import UserError

_PORTS = {"mysql": 3306, "postgresql": 5432}


def metadata_connection(config: PipelineConfig) -> mlmd.ConnectionConfig:
    """Where a pipeline's metadata is; the folder of an SQLite file is made.

    Args:
        config: With absolute paths.

    Raises:
        UserError: The variable that `password_env` names isn't set, no database is named for a remote root, or the
            folder can't be made.
    """
    settings = config.metadata
    if settings.uri is None or settings.sqlite_path is not None:
        path = settings.sqlite_path or os.path.join(config.pipeline.root, "metadata.sqlite")
        if "://" in path:
            raise UserError(
                f"metadata.uri: is missing: an SQLite file can't be in pipeline.root, {config.pipeline.root}; name a "
                "database, or a file on this machine"
            )
        require_folders({"metadata.uri" if settings.sqlite_path else "pipeline.root": os.path.dirname(path)})
        return sqlite_metadata_connection_config(path)
    parts = urlsplit(settings.uri)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if settings.password_env is not None:
        password = _from_environment(settings.password_env)
    host, port, database = parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.path[1:]
    options = {name: _value(text) for name, text in parse_qsl(parts.query)}
    if parts.scheme == MYSQL:
        mysql = mlmd.MySQLDatabaseConfig(host=host, port=port, database=database, user=user, password=password)
        if options:
            mysql.ssl_options.CopyFrom(mlmd.MySQLDatabaseConfig.SSLOptions(**options))
        return mlmd.ConnectionConfig(mysql=mysql)
    postgresql = mlmd.PostgreSQLDatabaseConfig(
        host=host, port=str(port), dbname=database, user=_escaped(user), password=_escaped(password)
    )
    if options:
        postgresql.ssloption.CopyFrom(mlmd.PostgreSQLDatabaseConfig.SSLOptions(**options))
    return mlmd.ConnectionConfig(postgresql=postgresql)


def address(connection: mlmd.ConnectionConfig) -> str:
    """The address for people, without the password."""
    if connection.HasField("mysql"):
        mysql = connection.mysql
        return f"mysql://{mysql.user}@{mysql.host}:{mysql.port}/{mysql.database}"
    if connection.HasField("postgresql"):
        postgresql = connection.postgresql
        return f"postgresql://{postgresql.user}@{postgresql.host}:{postgresql.port}/{postgresql.dbname}"
    return str(connection.sqlite.filename_uri)


def password_of(connection: mlmd.ConnectionConfig) -> str:
    """What must not be shown; empty where there is none."""
    return str(connection.mysql.password or connection.postgresql.password)


def _from_environment(name: str) -> str:
    password = os.environ.get(name)
    if not password:
        raise UserError(f"metadata.password_env: the environment variable {name} isn't set; put the password there")
    return password


def _escaped(value: str) -> str:
    """For the text of keys and values that ML Metadata makes of it for PostgreSQL, which it doesn't escape."""
    return re.sub(r"([\s'\\])", r"\\\1", value)


def _value(text: str) -> str | bool:
    return {"true": True, "false": False}.get(text, text)
