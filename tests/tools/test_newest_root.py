"""tools/newest_root.sh and tools/newest_run.sh with made-up debootstrap, mount and chroot: nobody need be root."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("tools", "kubeflow", "pyproject.toml", "uv.lock")

# Each reads $FAILS and $LOG from a file beside it: the scripts keep their environment from what they call.
FAKE_DEBOOTSTRAP = """#!/bin/bash
. "${0%/*}/fakes"
echo "debootstrap $*" >>"$LOG"
[ "$FAILS" != debootstrap ] || { echo "E: Failed getting release file"; exit 1; }
root=${@: -2:1}
mkdir -p "$root"/{etc,opt,proc,sys,dev,usr/local/bin}
"""
FAKE_UNSHARE = """#!/bin/bash
. "${0%/*}/fakes"
[ "$FAILS" != unshare ] || exit 1
while [ $# -gt 0 ]; do
    case $1 in --propagation) shift 2 ;; --*) shift ;; *) break ;; esac
done
exec "$@"
"""
# Does what the steps leave behind, in the folder that it is given.
FAKE_CHROOT = """#!/bin/bash
. "${0%/*}/fakes"
user=${1#--userspec=} root=$2
shift 2
echo "as $user: $*" | tr '\\n' ' ' >>"$LOG"
echo >>"$LOG"
env >"$LOG.env"
[ -z "$FAILS" ] || case $* in *"$FAILS"*) echo "no luck with $*"; exit 5 ;; esac
case $* in
    *"install.sh dependencies"*) mkdir -p "$root/opt/permafrost/venv" ;;
    *"--target /opt/permafrost-tests"*) mkdir -p "$root/opt/permafrost-tests" ;;
esac
"""


@dataclass
class Checkout:
    """A copy of what the scripts read, and the environment to call them in."""

    root: Path
    bin: Path
    env: dict[str, str]

    @property
    def cache(self) -> Path:
        return self.root / ".cache" / "newest"

    @property
    def log_file(self) -> Path:
        return self.bin.parent / "log"

    @property
    def log(self) -> list[str]:
        return self.log_file.read_text().splitlines() if self.log_file.exists() else []

    @property
    def environment(self) -> dict[str, str]:
        """What the last command was given by way of its environment."""
        lines = self.log_file.with_suffix(".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def steps(self) -> list[str]:
        return [step for line in self.log for step in re.findall(r"install\.sh (\w+)", line)]

    def roots(self) -> list[str]:
        return sorted(path.name for path in self.cache.glob("root-*"))

    def add_command(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def make(self, fails: str = "") -> "subprocess.CompletedProcess[str]":
        return self.call("tools/newest_root.sh", fails=fails)

    def run(self, *command: str, fails: str = "") -> "subprocess.CompletedProcess[str]":
        return self.call("tools/newest_run.sh", *command, fails=fails)

    def call(self, *command: str, fails: str) -> "subprocess.CompletedProcess[str]":
        (self.bin / "fakes").write_text(f"LOG='{self.log_file}' FAILS='{fails}'\n")
        return subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, commands = tmp_path / "checkout", tmp_path / "bin"
    commands.mkdir()
    for name in COPIED:
        path = REPOSITORY / name
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, root / name)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    env = {
        "PATH": f"{commands}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "A_SECRET": "of the caller's",
        "UV_INDEX_URL": "https://packages.example/simple",
    }
    made = Checkout(root, commands, env)
    made.add_command("id", "#!/bin/sh\necho 0\n")
    made.add_command("debootstrap", FAKE_DEBOOTSTRAP)
    made.add_command("unshare", FAKE_UNSHARE)
    made.add_command("chroot", FAKE_CHROOT)
    for name in ("mount", "chown"):
        made.add_command(name, "#!/bin/sh\n")
    for name in ("pyenv", "python3.11"):
        made.add_command(name, "#!/bin/sh\nexit 127\n")
    shutil.copy2("/bin/true", commands / "uv")
    return made


# Making it.


def test_the_first_call_performs_the_steps_and_prints_the_folder(checkout):
    result = checkout.make()
    assert result.returncode == 0, result.stderr
    assert checkout.roots() == [Path(result.stdout.strip()).name]
    assert checkout.steps == ["user", "compiler", "dependencies"]
    made = checkout.cache / checkout.roots()[0]
    assert sorted(path.name for path in (made / "opt").iterdir()) == ["permafrost", "permafrost-tests"]
    first, last = result.stderr.splitlines()
    assert first.startswith("Setting up Debian 13 with the newest TFX in ")
    assert re.fullmatch(r"Set-up took \d+ s", last)


def test_the_second_call_does_nothing(checkout):
    first = checkout.make()
    done = checkout.log
    second = checkout.make()
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert checkout.log == done


@pytest.mark.parametrize("changed", ["uv.lock", "kubeflow/Dockerfile", "kubeflow/install.sh", "tools/newest_root.sh"])
def test_another_is_made_when_what_it_is_made_from_changes_and_the_old_one_goes(checkout, changed):
    first = checkout.make().stdout
    with (checkout.root / changed).open("a") as file:
        file.write("\n# changed\n")
    second = checkout.make()
    assert second.returncode == 0, second.stderr
    assert second.stdout != first
    assert checkout.roots() == [Path(second.stdout.strip()).name]


def test_a_python_3_11_with_a_folder_of_its_own_is_copied(checkout, tmp_path):
    prefix = tmp_path / "versions" / "3.11.9"
    (prefix / "lib" / "python3.11" / "site-packages" / "junk").mkdir(parents=True)
    (prefix / "lib" / "python3.11" / "os.py").touch()
    (prefix / "include").mkdir()
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python3.11").write_text("#!/bin/sh\necho Python 3.11.9\n")
    (prefix / "bin" / "python3.11").chmod(0o755)
    checkout.add_command("python3.11", f"#!/bin/sh\necho {prefix}\n")
    result = checkout.make()
    assert result.returncode == 0, result.stderr
    assert "with Python 3.11 and the newest TFX" in result.stderr
    copied = checkout.cache / checkout.roots()[0] / "usr" / "local"
    assert (copied / "bin" / "python3").resolve().name == "python3.11"
    assert (copied / "lib" / "python3.11" / "os.py").exists()
    assert not (copied / "lib" / "python3.11" / "site-packages").exists()
    assert not [line for line in checkout.log if "python3" in line and line.startswith("debootstrap")]
    assert not [line for line in checkout.log if "python3-dev" in line]


def test_the_systems_own_python_3_11_is_not_copied(checkout):
    checkout.add_command("python3.11", "#!/bin/sh\necho /usr\n")
    assert checkout.make().returncode == 0
    assert "--include=ca-certificates,python3 " in checkout.log[0]
    assert [line for line in checkout.log if line.endswith(" install.sh compiler python3-dev ")]


# What can go wrong.


@pytest.mark.parametrize("step", ["install.sh user", "install.sh compiler", "install.sh dependencies", "uv export"])
def test_a_failing_step_is_shown_and_leaves_no_root(checkout, step):
    result = checkout.make(fails=step)
    assert result.returncode == 1
    assert "no luck with" in result.stderr and step in result.stderr
    assert "Set-up failed; the output is above" in result.stderr
    assert checkout.roots() == []
    assert checkout.make().returncode == 0


def test_what_a_killed_set_up_left_is_not_used(checkout):
    checkout.make(fails="install.sh dependencies")
    (checkout.cache / "new" / "base" / "opt" / "half").mkdir(parents=True)
    root = Path(checkout.make().stdout.strip())
    assert not (root / "opt" / "half").exists()
    assert not (checkout.cache / "new").exists()


def test_only_root_can_make_it(checkout):
    checkout.add_command("id", "#!/bin/sh\necho 1000\n")
    result = checkout.make()
    assert (result.returncode, result.stdout) == (2, "")
    assert "which only root can make and enter" in result.stderr
    assert not checkout.cache.exists()


def test_a_root_that_may_not_mount(checkout):
    result = checkout.make(fails="unshare")
    assert result.returncode == 2
    assert "CAP_SYS_ADMIN" in result.stderr


def test_debootstrap_that_cannot_be_installed(checkout):
    (checkout.bin / "debootstrap").unlink()
    checkout.add_command("apt-get", '#!/bin/sh\necho "Temporary failure resolving"; exit 100\n')
    result = checkout.make()
    assert result.returncode == 2
    assert "Temporary failure resolving" in result.stderr
    assert "debootstrap, which makes it, isn't here and could not be installed" in result.stderr


def test_a_mirror_that_does_not_answer(checkout):
    result = checkout.make(fails="debootstrap")
    assert result.returncode == 2
    assert "E: Failed getting release file" in result.stderr
    assert re.search(r"Debian trixie could not be had from https?://\S+/debian", result.stderr)
    assert checkout.roots() == []


def test_without_uv(checkout):
    (checkout.bin / "uv").unlink()
    checkout.env["PATH"] = f"{checkout.bin}:/usr/bin:/bin"
    result = checkout.make()
    assert result.returncode != 0
    assert "Call: make setup" in result.stderr


# What is seen in there.


def test_steps_see_how_registries_are_reached_and_nothing_else_of_the_callers_environment(checkout):
    assert checkout.make().returncode == 0
    assert checkout.environment["UV_INDEX_URL"] == "https://packages.example/simple"
    assert checkout.environment.keys() <= {"HOME", "PATH", "PWD", "SHLVL", "_", "UV_INDEX_URL", "UV_SYSTEM_CERTS"}
    assert not [line for line in checkout.log if "packages.example" in line]


def test_a_command_runs_as_the_images_user_with_the_images_environment_alone(checkout):
    result = checkout.run("permafrost", "doctor")
    assert result.returncode == 0, result.stderr
    assert checkout.steps == ["user", "compiler", "dependencies", "packages"]
    command = checkout.log[-1]
    assert command.startswith("as 1000:1000: /usr/bin/env -i -C /src/permafrost HOME=/home/permafrost ")
    assert " TF_USE_LEGACY_KERAS=1 " in command
    assert command.endswith(" permafrost doctor ")
    assert not list(checkout.cache.glob("run-*"))


def test_the_commands_exit_code_is_handed_on(checkout):
    assert checkout.run("false", fails="-C /src/permafrost").returncode == 5


def test_what_a_killed_run_left_is_removed(checkout):
    checkout.make()
    left = checkout.cache / "run-999999999"
    left.mkdir()
    assert checkout.run("true").returncode == 0
    assert not left.exists()
