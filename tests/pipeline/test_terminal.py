"""What a command leaves in its log file, and what of a hostile name reaches the screen."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.terminal import Terminal, printable

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


HOSTILE = "layer\x1b[2J\x1b[1;1Hall good\x9b2K\x00\u202egnp\udcff"
SHOWN = r"layer\u001b[2J\u001b[1;1Hall good\u009b2K\u0000\u202egnp\udcff"


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert printable(HOSTILE) == SHOWN
    assert printable("refused\rall good\x07\x7f") == r"refused\u000dall good\u0007\u007f"
    assert printable("a\tb\nc\r\nBücher 漢字 👩‍💻 [red]") == "a\tb\nc\r\nBücher 漢字 👩‍💻 [red]"


PRINTS = f"""
import logging, sys
from pathlib import Path
from rich.table import Table
from pipeline.cli.live_view import LiveView
from pipeline.cli.terminal import Terminal

hostile = {HOSTILE!r}
terminal = Terminal.open()
terminal.hide_noise(Path(sys.argv[1]))
table = Table(hostile, width=200, title=hostile)
table.add_row(hostile)
terminal.out.print(table)
terminal.out.print(hostile, markup=False, soft_wrap=True)
terminal.print_json({{hostile: [hostile, {{"a": (hostile, 1, None)}}]}})
with LiveView(terminal.err):
    logging.getLogger("permafrost.test").warning("%s [bold]odd[/]", hostile)
print(hostile)
logging.getLogger("absl").error(hostile)
terminal.error(hostile)
terminal.crash(RuntimeError(hostile))
terminal.close()
"""


def test_no_control_character_of_a_name_reaches_the_screen_or_the_log(tmp_path: Path) -> None:
    log = tmp_path / "the.log"
    command = [sys.executable, "-c", PRINTS, str(log)]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=True)
    for written in (done.stdout, done.stderr, log.read_bytes()):
        text = written.decode()
        assert SHOWN in text
        assert printable(text) == text
    assert f"{SHOWN} [bold]odd[/]".encode() in done.stderr.replace(b"\n", b"")
    assert done.stderr.decode().count(f"error: {SHOWN}\n") == 1
    read_back = json.loads(done.stdout.splitlines()[-1])
    assert read_back == {SHOWN: [SHOWN, {"a": [SHOWN, 1, None]}]}


def test_names_in_colons_are_no_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.out.print("class :bug:", markup=False)
    terminal.print_json({"class": ":bug:"})
    assert capsys.readouterr().out == 'class :bug:\n{"class": ":bug:"}\n'


RETRAINS = """
import logging
from pipeline.cli.retrain import _log_to
from pipeline.cli.terminal import Terminal

_log_to(Terminal.open())
logging.getLogger("permafrost.retrain").warning("answered 500 %s", "\x1b[2Jall good")
"""


def test_what_a_server_says_reaches_the_retraining_log_without_control_characters() -> None:
    done = subprocess.run([sys.executable, "-c", RETRAINS], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" answered 500 \\u001b[2Jall good\n")
