"""One container's command as a process that finds what the image would hold, and nothing of its caller."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainer_module.errors import UserError

# What kubeflow/Dockerfile copies into the image.
PACKAGES = ("trainer_module", "components", "pipeline")

_LOG_END_LINES = 20
_LOG_END_BYTES = 256 * 1024
_SECONDS_TO_END = 10.0

_USER_ERROR = f"{UserError.__module__}.{UserError.__qualname__}: "
# What libraries still write after Python has printed its last traceback.
_NEXT_LOG_LINE = re.compile(
    r"[IWEF]\d{4} |\d{4}-\d\d-\d\d |(?:DEBUG|INFO|WARNING|ERROR):|Exception ignored |[\w.]*Warning: "
)
_TRACEBACK = "Traceback (most recent call last):"


class StepFailed(RuntimeError):
    """A step's process failed, and not because of a user's mistake.

    Attributes:
        log_file: All that it printed.
        log_end: The last lines of that.
    """

    def __init__(self, reason: str, log_file: Path) -> None:
        super().__init__(reason)
        self.log_file = log_file
        self.log_end = log_end(log_file)


@dataclass(frozen=True)
class Image:
    """What stands for the container's image on this machine.

    Attributes:
        environment: All variables that a step sees.
        working_directory: Empty, and outside of any checkout.
    """

    environment: Mapping[str, str]
    working_directory: Path


@contextmanager
def local_image() -> Iterator[Image]:
    """This Python as `python`, and the packages that the image holds; what a step writes beside its outputs is lost."""
    with tempfile.TemporaryDirectory(prefix="permafrost-image-") as name:
        folder = Path(name)
        packages, home, work = folder / "packages", folder / "home", folder / "work"
        for each in (packages, home, work):
            each.mkdir()
        source = Path(__file__).resolve().parents[2]
        for package in PACKAGES:
            # Links, because the folder that holds them may hold much else that no image does.
            (packages / package).symlink_to(source / package)
        # What a step installs goes away with its container; here, not into this Python's packages.
        installed = folder / "installed"
        environment = {
            "PATH": os.pathsep.join([_python_folder(folder), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": os.pathsep.join([str(packages), str(installed)]),
            "PIP_TARGET": str(installed),
            "TF_USE_LEGACY_KERAS": "1",
            "HOME": str(home),
            "LANG": "C.UTF-8",
        }
        yield Image(environment, work)


def run_command(
    step: str, command: Sequence[str], image: Image, log_file: Path, extra: Mapping[str, str] | None = None
) -> None:
    """Runs a command to its end.

    Args:
        step: What to call it when it fails.
        command: Program and arguments.
        image: See `local_image`.
        log_file: What the command prints is appended.
        extra: Environment variables that the step's own spec sets.

    Raises:
        UserError: The process ended by one.
        StepFailed: It failed otherwise.
    """
    environment = {**image.environment, **(extra or {})}
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        log_file.touch()
        raise StepFailed(
            f"{step}: there is no {command[0]!r} on this machine; the step's image would have it", log_file
        )
    with log_file.open("ab") as log:
        try:
            process = subprocess.Popen(
                [program, *command[1:]],
                env=environment,
                cwd=image.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:  # not executable, or an argument longer than the kernel takes
            raise StepFailed(f"{step}: {command[0]} could not be started: {error.strerror}", log_file) from None
        try:
            code = process.wait()
        finally:
            _end_group(process)
    if code == 0:
        return
    if message := user_error(log_file):
        raise UserError(message)
    reason = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    raise StepFailed(f"{step} {reason}", log_file)


def user_error(log_file: Path) -> str | None:
    """The message of the `UserError` that a process ended by; None when it ended by anything else."""
    lines = _last_lines(log_file)
    starts = [number for number, line in enumerate(lines) if line.startswith(_USER_ERROR)]
    if not starts or _TRACEBACK in lines[starts[-1] :]:
        return None
    message = [lines[starts[-1]].removeprefix(_USER_ERROR)]
    for line in lines[starts[-1] + 1 :]:
        if _NEXT_LOG_LINE.match(line):
            break
        message.append(line)
    return "\n".join(message).strip()


def log_end(log_file: Path) -> str:
    """A log's last lines."""
    return "\n".join(_last_lines(log_file)[-_LOG_END_LINES:])


def _last_lines(log_file: Path) -> list[str]:
    with log_file.open("rb") as file:
        file.seek(max(0, log_file.stat().st_size - _LOG_END_BYTES))
        return file.read().decode("utf-8", "replace").rstrip().splitlines()


def _python_folder(folder: Path) -> str:
    """A folder in which this Python is called `python`, as in any image."""
    beside = Path(sys.executable).parent
    if (beside / "python").exists():
        return str(beside)
    wrapper = folder / "bin" / "python"
    wrapper.parent.mkdir()
    # A link would not do: Python finds a virtual environment by the folder that it was started from.
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return os.pathsep.join([str(wrapper.parent), str(beside)])


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ends what the step started and left behind, and the step itself when its caller was stopped."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            continue
