"""The other process: what it can't import, and what becomes of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.release_gate import model_probe
from components.release_gate.probe import ProbeFailed, probe

# The name of the module that says how Python was built.
SYSTEM_CONFIGURATION = f"_sysconfigdata_{sys.abiflags}_{sys.platform}_{sys.implementation._multiarch}"
IMPORTS = """
import runpy, sys
probe = runpy.run_path(sys.argv[1])
sys.path.insert(0, sys.argv[2])
sys.meta_path.insert(0, probe["OnlyTensorFlow"]())
for name in sys.argv[3:]:
    try:
        __import__(name)
        print(name)
    except ModuleNotFoundError as error:
        print(error)
"""


def end_of(program: str, folder: Path, timeout_seconds: float = 30) -> str:
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    with pytest.raises(ProbeFailed) as caught:
        probe("model", [], [], timeout_seconds, program=file)
    return str(caught.value)


def test_nothing_but_what_tensorflow_requires_can_be_imported() -> None:
    """Although all of it is installed, and this repository on the path."""
    refused = ["tfx", "tf_keras", "tensorflow_hub", "tensorflow_transform", "apache_beam", "pydantic"]
    refused += ["trainer_module", "components", "pipeline"]
    allowed = ["numpy", "google.protobuf", "json", SYSTEM_CONFIGURATION]
    repository = Path(model_probe.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORTS, model_probe.__file__, str(repository), *refused, *allowed],
        capture_output=True,
        text=True,
        check=True,
    )
    told = [f"No module named '{name}' beside TensorFlow and tensorflow-text" for name in refused]
    assert done.stdout.splitlines() == told + allowed


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        ("SIGSEGV", "its process was killed by SIGSEGV: "),
        ("SIGKILL", "its process was killed by SIGKILL (out of memory?): "),
    ],
)
def test_a_process_that_is_killed_is_told_by_its_signal_and_last_words(signal: str, told: str, tmp_path: Path) -> None:
    words = "print('so far, so good\\n\\nallocating', flush=True)"
    program = f"import os, signal\n{words}\nos.kill(os.getpid(), signal.{signal})\n"
    assert end_of(program, tmp_path) == f"{told}allocating"


def test_one_that_says_nothing(tmp_path: Path) -> None:
    assert end_of("raise SystemExit(7)\n", tmp_path) == "its process ended with 7: it said nothing"


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    assert end_of("import time\ntime.sleep(60)\n", tmp_path, timeout_seconds=0.5) == "no answer after 0.5 s"


def test_it_gets_no_environment_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"TF_USE_LEGACY_KERAS", "PYTHONPATH", "A_SECRET"}
    for name in names:
        monkeypatch.setenv(name, "1")
    program = f"import os, sys\nprint(sorted({names} & set(os.environ)))\nsys.exit(1)\n"
    assert end_of(program, tmp_path) == "its process ended with 1: []"
