"""What a command leaves in its log file."""

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
