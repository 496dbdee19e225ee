"""What `[metadata]` may say, and the connection that comes of it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import PipelineConfig
from pipeline.metadata_connection import address, metadata_connection, password_of
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error


def read(metadata: dict[str, Any], root: str = "/runs/mine") -> PipelineConfig:
    given = {
        "pipeline": {"name": "mine", "root": root},
        "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        "model": {"hub": "models/bert"},
        "metadata": metadata,
    }
    return PipelineConfig.model_validate(given, strict=True)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"uri": "oracle://u:secret@h/d"}, ["uri: should begin with sqlite:///, mysql:// or postgresql://"]),
        ({"uri": "metadata.sqlite"}, ["uri: should begin with sqlite:///, mysql:// or postgresql://"]),
        ({"uri": "sqlite://metadata.sqlite"},
         ["uri: names no file; write sqlite:///PATH, or sqlite:////PATH where the path is absolute"]),
        ({"uri": "mysql://:secret@/"},
         ["uri: names no user; write mysql://USER:PASSWORD@HOST:PORT/DATABASE",
          "uri: names no host; write mysql://USER:PASSWORD@HOST:PORT/DATABASE",
          "uri: should end in the database's name, of letters, digits, _, $ and -, such as /permafrost; given '/'"]),
        ({"uri": "postgresql://u:sec/ret@h:1/d"},
         ["uri: can't be read as an address; in user and password, percent-encode what is special (/ as %2F, @ as %40)"]
         ),
        ({"uri": "postgresql://u:secret@h/d?sslmod=require"},
         ["uri: has the option 'sslmod'; postgresql knows sslmode, sslcert, sslkey, sslpassword, sslrootcert"]),
        ({"uri": "mysql://u:secret@h/d?verify_server_cert=yes"},
         ["uri: has the option verify_server_cert=yes; it takes true or false"]),
        ({"uri": "mysql://u:secret@h/d", "password_env": "PASSWORD"},
         ["password_env: names a second password: there is one in metadata.uri already; remove one of the two"]),
        ({"password_env": "PASSWORD"},
         ["password_env: is for MySQL and PostgreSQL, but metadata.uri names an SQLite file; remove it"]),
        ({"password_env": "$PASSWORD"},
         ["password_env: should match pattern '^[A-Za-z_][A-Za-z0-9_]*$'; given '$PASSWORD'"]),
    ],
)  # fmt: skip
def test_refused(metadata: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(metadata)
    problems = describe_validation_error(caught.value, PipelineConfig)
    assert problems == [f"metadata.{problem}" for problem in expected]
    assert "secret" not in "\n".join(problems)


def test_by_default_a_file_in_the_root(tmp_path: Path) -> None:
    connection = metadata_connection(read({}, root=str(tmp_path / "run")))
    assert connection.sqlite.filename_uri == str(tmp_path / "run" / "metadata.sqlite")
    assert address(connection) == str(tmp_path / "run" / "metadata.sqlite")


@pytest.mark.parametrize(("uri", "path"), [("sqlite:///a/b.sqlite", "a/b.sqlite"), ("sqlite:////{}/b", "b")])
def test_an_sqlite_file_is_taken_from_the_configs_folder(tmp_path: Path, uri: str, path: str) -> None:
    config = read({"uri": uri.replace("/{}", str(tmp_path))}).resolve_paths(tmp_path)
    assert metadata_connection(config).sqlite.filename_uri == str(tmp_path / path)


def test_mysql() -> None:
    connection = metadata_connection(read({"uri": "mysql://me:se%2Fcret@db.example/mine?ca=/ca.pem"}))
    mysql = connection.mysql
    assert (mysql.user, mysql.password, mysql.host, mysql.port) == ("me", "se/cret", "db.example", 3306)
    assert (mysql.database, mysql.ssl_options.ca) == ("mine", "/ca.pem")
    assert address(connection) == "mysql://me@db.example:3306/mine"


def test_postgresql() -> None:
    connection = metadata_connection(read({"uri": "postgresql://me:a%20b@db:5433/mine?sslmode=require"}))
    postgresql = connection.postgresql
    assert (postgresql.user, postgresql.password, postgresql.host, postgresql.port) == ("me", r"a\ b", "db", "5433")
    assert (postgresql.dbname, postgresql.ssloption.sslmode) == ("mine", "require")
    assert address(connection) == "postgresql://me@db:5433/mine"


def test_the_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    config = read({"uri": "mysql://me@db/mine", "password_env": "MINE"})
    monkeypatch.setenv("MINE", "secret")
    assert password_of(metadata_connection(config)) == "secret"
    monkeypatch.delenv("MINE")
    with pytest.raises(UserError, match=r"^metadata\.password_env: the environment variable MINE isn't set; put the"):
        metadata_connection(config)


def test_a_printed_config_shows_no_password() -> None:
    assert "secret" not in repr(read({"uri": "mysql://me:secret@db/mine"}))
