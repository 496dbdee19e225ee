"""What a command leaves in its log file."""

import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CRASHES = """
import ctypes, sys
from pathlib import Path
from pipeline.cli.terminal import Terminal

def reads_no_memory():
    ctypes.string_at(0)

terminal = Terminal.open()
terminal.hide_noise(Path(sys.argv[1]))
reads_no_memory()
"""


def test_a_crash_of_native_code_leaves_its_place_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "the.log"
    done = subprocess.run([sys.executable, "-c", CRASHES, str(log)], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGSEGV, "", "")
    told = log.read_text(encoding="utf-8")
    assert told.startswith("Fatal Python error: Segmentation fault\n")
    assert "in reads_no_memory" in told


LOG_HAS_NO_ROOM = """
import resource, sys
from pathlib import Path
from pipeline.cli.terminal import Terminal

terminal = Terminal.open()
terminal.hide_noise(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.stdout.write("no line yet")
terminal.crash(RuntimeError("it broke"))
terminal.close()
sys.exit(1)
"""


def test_where_the_log_has_no_room_the_user_hears_of_the_error_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "the.log"
    command = [sys.executable, "-c", LOG_HAS_NO_ROOM, str(log)]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}  # what is written must still be in a buffer at the end
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: RuntimeError: it broke\nThe log with the traceback: {log}\n"
