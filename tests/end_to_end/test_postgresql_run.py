"""A run whose metadata is in a real PostgreSQL: it needs no more than an address, and shows no password."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.metadata_store import open_store
from tests.support.probes import probe_once  # noqa: F401  fixture
from tests.support.project import Project
from trainer_module.errors import UserError

pytestmark = pytest.mark.slow
# Whatever may go wrong on its way: in a URL, in libpq's text of keys and values, in protobuf's.
PASSWORD = "it's a \\ secr@t/%"
ESCAPED = r"it\'s\ a\ \\\ secr@t/%"


def _programs() -> Path:
    """PostgreSQL's, of Debian's package, installed where that can be."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to run PostgreSQL as a user of its own")
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        if shutil.which("apt-get") is None:
            pytest.skip("needs PostgreSQL, and there is no apt-get to install it with")
        installed = subprocess.run(["apt-get", "install", "-y", "postgresql"], capture_output=True)
        if installed.returncode != 0:
            pytest.skip("needs PostgreSQL, and apt-get can't install it")
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A PostgreSQL of the test's own; gives its port."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="permafrost-postgresql-"))
    os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    (folder / "password").write_text(PASSWORD)
    shutil.chown(folder / "password", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])

    def run(program: str, *arguments: str) -> None:
        command = ["runuser", "-u", "postgres", "--", str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    run("initdb", "-U", "permafrost", f"--pwfile={folder / 'password'}", "-A", "scram-sha-256")
    options = f"-p {port} -h 127.0.0.1 -k {folder}"
    run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.usefixtures("probe_once")
def test_a_whole_run(
    server: int,
    make_small_project: Callable[..., Project],
    permafrost: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_small_project(freeze='[{ freeze = "all" }]')
    uri = f'metadata.uri="postgresql://permafrost:{quote(PASSWORD, safe="")}@127.0.0.1:{server}/mine"'
    with caplog.at_level("INFO"), caplog.at_level("INFO", logger="absl"):
        result = project.run(uri)
    assert result.outcome == "pushed"
    assert not (project.folder / "run" / "metadata.sqlite").exists()
    assert 'password: "***"' in caplog.text
    assert "secr@t" not in caplog.text
    assert project.run(uri).outcome == "unchanged", "TFX's cache works"

    monkeypatch.setenv("MINE", PASSWORD)
    settings = ["--set", f'metadata.uri="postgresql://permafrost@127.0.0.1:{server}/mine"',
                "--set", "metadata.password_env=MINE"]  # fmt: skip
    assert permafrost("history", "--config", str(project.config_file), "--json", *settings) == 0
    _, run = json.loads(permafrost.out)["runs"]
    assert (run["outcome"], run["is_live"], run["metrics"]) == ("pushed", True, dict(result.evaluation.metrics))


def test_texts_with_backslashes_come_back(server: int) -> None:
    postgresql = mlmd.PostgreSQLDatabaseConfig(
        host="127.0.0.1", port=str(server), dbname="texts", user="permafrost", password=ESCAPED
    )
    store = open_store(mlmd.ConnectionConfig(postgresql=postgresql))
    kind = store.put_context_type(mlmd.ContextType(name="mine"))
    context = mlmd.Context(type_id=kind, name="a \\ b")
    context.custom_properties["text"].string_value = text = '{"a": "it\'s \\"{\\"b\\": 1}\\" \\n \\ue000"}'
    store.put_contexts([context])
    (found,) = store.get_contexts()
    assert (found.name, found.custom_properties["text"].string_value) == ("a \\ b", text)
    assert store.get_context_by_type_and_name("mine", "a \\ b") == found


def test_artifacts_come_in_the_order_of_ids(server: int) -> None:
    postgresql = mlmd.PostgreSQLDatabaseConfig(
        host="127.0.0.1", port=str(server), dbname="texts", user="permafrost", password=ESCAPED
    )
    store = open_store(mlmd.ConnectionConfig(postgresql=postgresql))
    kind = store.put_artifact_type(mlmd.ArtifactType(name="mine"))
    ids = store.put_artifacts([mlmd.Artifact(type_id=kind, uri=uri) for uri in "abc"])
    # PostgreSQL puts a row that is changed behind the others.
    store.put_artifacts([mlmd.Artifact(id=ids[0], type_id=kind, uri="changed")])
    assert [each.uri for each in store.get_artifacts_by_id(ids)] == ["changed", "b", "c"]


def test_a_wrong_password(server: int, make_small_project: Callable[..., Project]) -> None:
    project = make_small_project()
    with pytest.raises(UserError) as caught:
        project.run(f'metadata.uri="postgresql://permafrost:wrong@127.0.0.1:{server}/mine"')
    told = f"metadata database postgresql://permafrost@127.0.0.1:{server}/mine: can't be used: "
    assert str(caught.value).startswith(told)
    assert "wrong" not in str(caught.value)
