"""tools/newest_chroot.sh for real, with this system as the folder that it enters; only root can."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ENTER = [str(REPOSITORY / "tools" / "newest_chroot.sh"), "/"]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode != 0,
    reason="needs root that may mount",
)


def enter(*arguments: str, user: str = "65534:65534") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*ENTER, user, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_command_is_the_users_and_sees_no_other_process():
    result = enter("--", "sh", "-c", "id -u; ls -d /proc/[0-9]* | wc -l")
    assert result.returncode == 0, result.stderr
    user, processes = result.stdout.split()
    assert user == "65534"
    assert int(processes) < 8


def test_files_and_folders_are_seen_where_they_are_wanted_and_nowhere_else(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "file").write_text("content")
    result = enter(f"{source}:{target}:ro", "--", "cat", f"{target}/file", user="0:0")
    assert (result.returncode, result.stdout) == (0, "content"), result.stderr
    assert list(target.iterdir()) == []
    assert str(target) not in Path("/proc/mounts").read_text()
    read_only = enter(f"{source}:{target}:ro", "--", "touch", f"{target}/another", user="0:0")
    assert "Read-only file system" in read_only.stderr


def test_the_commands_exit_code_is_its_own():
    assert enter("--", "sh", "-c", "exit 7").returncode == 7


def test_all_that_it_started_ends_when_the_caller_is_killed(tmp_path):
    mark = f"98765{os.getpid()}"
    caller = subprocess.Popen(
        [
            "bash",
            "-c",
            '"$@" & echo started; wait',
            "caller",
            *ENTER,
            "65534:65534",
            "--",
            "sh",
            "-c",
            f"sleep {mark} & sleep {mark}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: running(mark) == 2)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    wait_until(lambda: running(mark) == 0)


def running(seconds: str) -> int:
    """How many `sleep` of this length there are."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes() == f"sleep\0{seconds}\0".encode()
        except OSError:  # it has ended meanwhile
            continue
    return found


def wait_until(holds) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
