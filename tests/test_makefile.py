"""The verbs of the Makefile, and tools/setup.sh with a made-up uv, Python and glibc."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
VERBS = (
    *("help", "setup", "run", "test", "test-fast", "soak", "fuzz", "test-newest", "freeze-study", "bench", "chaos"),
    *("lint", "format", "clean"),
)
COPIED = ("Makefile", "pyproject.toml", "uv.lock", ".python-version", "tools/setup.sh")

# Knows the Pythons listed in $FAKE_PYTHONS; a sync makes .venv unless $FAKE_SYNC_FAILS says why not.
FAKE_UV = """#!/bin/bash
echo "$*" >>"$FAKE_LOG"
case "$1" in
    --version) echo "uv $FAKE_UV_VERSION" ;;
    python)
        for known in $FAKE_PYTHONS; do
            [ "$known" != "${@: -1}" ] || exec echo "$FAKE_BIN/python$known"
        done
        exit 2 ;;
    sync) [ -z "$FAKE_SYNC_FAILS" ] || { echo "$FAKE_SYNC_FAILS"; exit 1; }
        mkdir -p .venv/bin
        printf '#!/bin/bash\n[ -z "$FAKE_IMPORT_FAILS" ] || { echo "$FAKE_IMPORT_FAILS"; exit 1; }\n' >.venv/bin/python
        chmod +x .venv/bin/python ;;
esac
"""

# `python3 -m venv FOLDER` gives FOLDER/bin/python, whose pip puts uv beside it.
FAKE_PYTHON3 = """#!/bin/bash
case "$2" in venv) mkdir -p "$3/bin" && cp "$FAKE_BIN/venv_python" "$3/bin/python" ;; esac
"""
FAKE_VENV_PYTHON = """#!/bin/bash
echo "$*" >>"$FAKE_LOG"
cp "$FAKE_BIN/new_uv" "${0%/*}/uv"
"""


@dataclass
class Checkout:
    """A copy of what set-up needs, and the environment to call it in."""

    root: Path
    bin: Path
    env: dict[str, str]

    @property
    def uv_calls(self) -> str:
        log = Path(self.env["FAKE_LOG"])
        return log.read_text() if log.exists() else ""

    @property
    def stamp(self) -> Path:
        return self.root / ".venv" / ".permafrost-setup"

    def make(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return self.call("make", *arguments, **env)

    def setup(self, **env: str) -> "subprocess.CompletedProcess[str]":
        return self.call("tools/setup.sh", **env)

    def add_command(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def call(self, *command: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, commands = tmp_path / "checkout", tmp_path / "bin"
    commands.mkdir()
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, root / name)
    env = {
        "PATH": f"{commands}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "FAKE_BIN": str(commands),
        "FAKE_LOG": str(tmp_path / "uv.log"),
        "FAKE_UV_VERSION": "0.13.9",
        "FAKE_PYTHONS": "3.10",
        "FAKE_SYNC_FAILS": "",
        "FAKE_IMPORT_FAILS": "",
        "FAKE_GLIBC": "2.36",
    }
    made = Checkout(root, commands, env)
    made.add_command("uv", FAKE_UV)
    made.add_command("getconf", '#!/bin/bash\necho "glibc $FAKE_GLIBC"\n')
    for version in ("3.9", "3.10", "3.11", "3.13", "3.14"):
        made.add_command(f"python{version}", f"#!/bin/bash\necho {version}\n")
    return made


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_help_lists_every_verb_and_sets_nothing_up(checkout, arguments):
    result = checkout.make(*arguments)
    assert result.returncode == 0, result.stderr
    assert tuple(re.findall(r"^  make (\S+) +\S", result.stdout, re.MULTILINE)) == VERBS
    assert checkout.uv_calls == ""


def test_setup_syncs_from_the_lock_file_and_says_so_in_two_lines(checkout):
    result = checkout.make("setup")
    assert result.returncode == 0, result.stderr
    first, last = result.stdout.splitlines()
    assert first == "Setting up .venv (Python 3.10, TFX 1.16); first time only"
    assert re.fullmatch(r"Set-up took \d+ s", last)
    assert result.stderr == ""
    assert f"sync --frozen --extra minilm --python {checkout.bin}/python3.10" in checkout.uv_calls


def test_second_call_does_nothing(checkout):
    checkout.make("setup")
    calls = checkout.uv_calls
    result = checkout.make("setup")
    assert result.returncode == 0
    assert "Setting up" not in result.stdout
    assert checkout.uv_calls == calls


@pytest.mark.parametrize("changed", ["pyproject.toml", "uv.lock", ".python-version", "tools/setup.sh"])
def test_setup_is_done_again_when_what_it_is_made_from_changes(checkout, changed):
    checkout.make("setup")
    later = checkout.stamp.stat().st_mtime + 10
    os.utime(checkout.root / changed, (later, later))
    assert checkout.make("setup").stdout.startswith("Bringing .venv up to date (Python 3.10, TFX 1.16)")


@pytest.mark.parametrize("variable", ["PERMAFROST_PYTHON", "UV_PYTHON"])
def test_another_python_is_taken_when_asked_for_and_then_kept(checkout, variable):
    newer = {"FAKE_PYTHONS": "3.10 3.13", "FAKE_GLIBC": "2.41"}
    checkout.make("setup", **newer)
    result = checkout.make("setup", **newer, **{variable: "3.13"})
    assert result.stdout.startswith("Bringing .venv up to date (Python 3.13, TFX 1.21)"), result.stderr
    assert "up to date (" not in checkout.make("setup", **newer, **{variable: "3.13"}).stdout
    assert "up to date (" not in checkout.make("setup", **newer).stdout


def test_permafrost_python_goes_before_uv_python(checkout):
    result = checkout.setup(FAKE_PYTHONS="3.10 3.13", PERMAFROST_PYTHON="3.10", UV_PYTHON="3.13")
    assert "Python 3.10" in result.stdout


def test_glibc_too_old_for_the_chosen_python(checkout):
    result = checkout.setup(FAKE_PYTHONS="3.10 3.11", UV_PYTHON="3.11")
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "Python 3.11 means TFX 1.21, whose wheels need glibc 2.39 or newer; this system has glibc 2.36.",
        "Use Python 3.10 (TFX 1.16), which runs on any glibc: export UV_PYTHON=3.10",
        "Then call make again.",
    ]
    assert not (checkout.root / ".venv").exists()


def test_no_python_where_glibc_is_old(checkout):
    result = checkout.setup(FAKE_PYTHONS="3.11 3.13")
    assert result.returncode == 2
    assert "pyenv install 3.10" in result.stderr
    assert "3.13" not in result.stderr


def test_no_python_3_10_where_a_newer_one_would_do(checkout):
    result = checkout.setup(FAKE_PYTHONS="3.11 3.13", FAKE_GLIBC="2.41")
    assert result.returncode == 2
    assert "pyenv install 3.10" in result.stderr
    assert "export UV_PYTHON=3.13" in result.stderr


@pytest.mark.parametrize("version", ["3.9", "3.14"])
def test_python_without_a_tfx(checkout, version):
    result = checkout.setup(FAKE_PYTHONS=version, UV_PYTHON=version, FAKE_GLIBC="2.41")
    assert result.returncode == 2
    assert f"There is no TFX for Python {version}" in result.stderr
    assert "export UV_PYTHON=3.10" in result.stderr


def test_system_without_glibc(checkout):
    checkout.add_command("getconf", "#!/bin/bash\nexit 1\n")
    result = checkout.setup()
    assert result.returncode == 2
    assert "needs Linux with glibc" in result.stderr


def test_failing_uv_is_shown_and_leaves_no_stamp(checkout):
    result = checkout.setup(FAKE_SYNC_FAILS="no space left on device")
    assert result.returncode == 1
    assert "no space left on device" in result.stderr
    assert not checkout.stamp.exists()


def test_an_environment_that_cannot_import_tfx_is_shown_and_leaves_no_stamp(checkout):
    result = checkout.setup(FAKE_IMPORT_FAILS="ImportError: libstdc++.so.6")
    assert result.returncode == 1
    assert "ImportError: libstdc++.so.6" in result.stderr
    assert "TFX can't be imported" in result.stderr
    assert not checkout.stamp.exists()


@pytest.mark.parametrize("on_path", ["echo uv 0.6.17", "exit 127"], ids=["old", "broken"])
def test_without_a_usable_uv_one_is_installed_into_the_checkout(checkout, on_path):
    checkout.add_command("new_uv", FAKE_UV)
    checkout.add_command("uv", f"#!/bin/bash\n{on_path}\n")
    checkout.add_command("python3", FAKE_PYTHON3)
    checkout.add_command("venv_python", FAKE_VENV_PYTHON)
    result = checkout.setup()
    assert result.returncode == 0, result.stderr
    assert re.search(r"pip install --quiet uv>=[\d.]+,<[\d.]+\n", checkout.uv_calls)
    assert "sync --frozen" in checkout.uv_calls
    assert (checkout.root / ".tools/uv/bin/uv").exists()


def test_uv_that_cannot_be_installed(checkout):
    checkout.add_command("uv", "#!/bin/bash\nexit 127\n")
    checkout.add_command("python3", FAKE_PYTHON3)
    checkout.add_command("venv_python", "#!/bin/bash\necho no route to the registry; exit 1\n")
    result = checkout.setup()
    assert result.returncode == 2
    assert "no route to the registry" in result.stderr
    assert "Install uv yourself" in result.stderr
    assert not (checkout.root / ".tools/uv").exists()


def test_the_lanes_are_those_of_pyproject(checkout):
    project = (REPOSITORY / "pyproject.toml").read_text()
    old = re.search(r'"tfx==(\d+\.\d+)\.\d+ ; python_version < \'3\.11\'"', project)
    new = re.search(r'"tfx>=(\d+\.\d+),\S+ ; python_version >= \'3\.11\'"', project)
    assert old and f"(Python 3.10, TFX {old[1]})" in checkout.setup().stdout
    newer = checkout.setup(FAKE_PYTHONS="3.11", UV_PYTHON="3.11", FAKE_GLIBC="2.39")
    assert new and f"(Python 3.11, TFX {new[1]})" in newer.stdout


def test_ci_lints_tests_both_tfx_releases_and_stops_at_the_first_failure(checkout):
    shutil.copytree(REPOSITORY / ".ci", checkout.root / ".ci")
    checkout.add_command("make", '#!/bin/bash\necho "make $*"; [ "$1" != "$FAILS" ]\n')
    assert checkout.call(".ci/run", FAILS="").stdout == "make lint\nmake test\nmake test-newest\n"
    failed = checkout.call(".ci/run", FAILS="lint")
    assert failed.returncode != 0
    assert failed.stdout == "make lint\n"
