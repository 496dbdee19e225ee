"""A step's process: what it sees, how it ends, and what is left of it."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.compiled import step_process
from pipeline.compiled.step_process import Image, StepFailed, local_image, run_command, user_error
from trainer_module.errors import UserError


@pytest.fixture
def image() -> Iterator[Image]:
    with local_image() as image:
        yield image


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "step.log"


def python(code: str) -> list[str]:
    return ["python", "-c", code]


def test_a_step_sees_what_the_image_holds_and_nothing_of_its_caller(
    image: Image, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), os.listdir(), sys.executable]))"
    run_command("Trainer", python(code), image, log_file)
    environment, folder, content, executable = json.loads(log_file.read_text())
    # Python itself adds LC_CTYPE where the locale is C.
    assert set(environment) - {"LC_CTYPE"} == {
        "PATH",
        "PYTHONPATH",
        "PIP_TARGET",
        "TF_USE_LEGACY_KERAS",
        "HOME",
        "LANG",
    }
    assert environment["TF_USE_LEGACY_KERAS"] == "1"
    assert Path(environment["PATH"].split(":")[0]) == Path(sys.executable).parent
    assert Path(executable).resolve() == Path(sys.executable).resolve()
    assert content == []
    repository = Path(__file__).resolve().parents[3]
    for place in (folder, environment["HOME"], environment["PYTHONPATH"]):
        assert not Path(place).is_relative_to(repository)


def test_the_packages_of_the_image_can_be_imported_and_no_other_of_the_checkout(image: Image, log_file: Path) -> None:
    packages = Path(image.environment["PYTHONPATH"].split(":")[0])
    assert sorted(path.name for path in packages.iterdir()) == ["components", "pipeline", "trainer_module"]
    code = "import pipeline.compiled.order as it, trainer_module.errors; print(it.__file__)"
    run_command("Trainer", python(code), image, log_file)
    assert log_file.read_text().strip() == str(packages / "pipeline" / "compiled" / "order.py")


def test_nothing_is_left_of_an_image() -> None:
    with local_image() as image:
        Path(image.environment["HOME"], "file").touch()
        folder = image.working_directory.parent
        assert folder.is_dir()
    assert not folder.exists()


def test_a_python_that_has_another_name(log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "bin" / "python3.99"
    other.parent.mkdir()
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(other))
    with local_image() as image:
        run_command("Trainer", ["python", "-c", "print('ran', 'a b')"], image, log_file)
    assert log_file.read_text() == "ran a b\n"


def test_a_step_may_have_variables_of_its_own(image: Image, log_file: Path) -> None:
    run_command(
        "Trainer", python("import os; print(os.environ['LEVEL'], os.environ['LANG'])"), image, log_file, {"LEVEL": "3"}
    )
    assert log_file.read_text() == "3 C.UTF-8\n"


def test_both_streams_are_in_the_log_behind_what_was_there(image: Image, log_file: Path) -> None:
    log_file.write_text("driver\n")
    run_command(
        "Trainer", python("import sys; print('out', flush=True); print('err', file=sys.stderr)"), image, log_file
    )
    assert log_file.read_text() == "driver\nout\nerr\n"


def test_a_step_that_fails(image: Image, log_file: Path) -> None:
    code = "import sys\nfor n in range(100): print('line', n)\nsys.exit(7)"
    with pytest.raises(StepFailed, match=r"^Trainer ended with exit code 7$") as error:
        run_command("Trainer", python(code), image, log_file)
    assert error.value.log_file == log_file
    assert error.value.log_end.splitlines() == [f"line {n}" for n in range(80, 100)]


def test_a_step_that_is_killed(image: Image, log_file: Path) -> None:
    with pytest.raises(StepFailed, match=r"^Trainer was killed by SIGKILL$"):
        run_command("Trainer", python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), image, log_file)


def test_a_program_that_is_not_here(image: Image, log_file: Path) -> None:
    with pytest.raises(
        StepFailed, match=r"^Trainer: there is no 'nosuch' on this machine; the step's image would have it$"
    ):
        run_command("Trainer", ["nosuch", "x"], image, log_file)


def test_an_argument_that_is_too_long(image: Image, log_file: Path) -> None:
    with pytest.raises(StepFailed, match=r"^Trainer: python could not be started: Argument list too long$"):
        run_command("Trainer", ["python", "-c", "x" * 200_000], image, log_file)


def test_what_a_step_leaves_running_is_ended(image: Image, log_file: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '20']).pid)"
    run_command("Trainer", python(code), image, log_file)
    assert _is_gone(int(log_file.read_text()))


def test_a_step_ends_with_its_caller(image: Image, log_file: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(20)"
    # A shell starts what runs in its background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        while not (log_file.exists() and log_file.read_text().strip()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_command("Trainer", python(code), image, log_file)
    finally:
        signal.signal(signal.SIGINT, before)
    assert _is_gone(int(log_file.read_text()))


def _is_gone(process: int) -> bool:
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        # Without anybody to wait for it, it may stay as a zombie.
        if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "problems",
    [
        ["data.train: no such file: a.csv"],
        ["a: is missing", "b: is unknown"],
        ["rule 1: 'layer_9' matches nothing;\nthe model has:\n  layer_0, layer_1"],
    ],
)
def test_a_users_mistake_comes_out_as_it_went_in(image: Image, log_file: Path, problems: list[str]) -> None:
    code = f"""
import atexit, sys, warnings
from trainer_module.errors import UserError
def late():
    print("W1123 12:00:00.1 77 file.cc:1] late", file=sys.stderr)
atexit.register(late)
print("I1123 before", file=sys.stderr)
try:
    1 / 0
except ZeroDivisionError:
    raise UserError({problems!r})
"""
    with pytest.raises(UserError) as error:
        run_command("Trainer", python(code), image, log_file)
    assert str(error.value) == str(UserError(problems))


def test_a_users_mistake_that_was_mended_is_none(image: Image, log_file: Path) -> None:
    code = """
import traceback
from trainer_module.errors import UserError
try:
    raise UserError("mended")
except UserError:
    traceback.print_exc()
raise RuntimeError("another")
"""
    with pytest.raises(StepFailed, match=r"^Trainer ended with exit code 1$"):
        run_command("Trainer", python(code), image, log_file)
    assert user_error(log_file) is None


def test_only_the_end_of_a_huge_log_is_read(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_process, "_LOG_END_BYTES", 200)
    log_file.write_bytes(b"\xff" * 1000 + b"\ntrainer_module.errors.UserError: it is \xc3\xbc\n")
    assert user_error(log_file) == "it is ü"
