"""`permafrost run-compiled`, as its users call it."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.compiled.artifact_store import ArtifactStore
from trainer_module.errors import UserError

COMMAND = Path(sys.executable).with_name("permafrost")

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""
Command = Any
"""`InProcessCommand` of the conftest above."""

PUSHER = """
tell(artifacts={"pushed": {"artifacts": [{"metadata":
    {"pushed": int(parameters["push"]), "pushed_destination": "/serving/[1]" if parameters["push"] else ""}}]}})
"""


@pytest.fixture
def pushing(job: Job) -> Job:
    """A job that pushes where its parameter says so."""
    job.parameter("push", "BOOLEAN", defaultValue=True)
    job.container("Evaluator", "tell(artifacts={'blessing': {'artifacts': [{'metadata': {'blessed': 1}}]}})",
                  outputs={"blessing": "tfx.ModelBlessing"})  # fmt: skip
    job.resolver("live", "model", 'schema_title="tfx.Model"', "tfx.Model")
    source = {"componentInputParameter": "push"}
    job.container("Pusher", PUSHER, parameters={"push": source}, outputs={"pushed": "tfx.PushedModel"}, after=["live"])
    return job


def test_help(permafrost: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert permafrost("run-compiled", "--help") == 0
    printed = capsys.readouterr().out
    for part in ("JOB", "--param", "--root", "--json", "Exit code", "Example:"):
        assert part in printed


def test_a_run_that_pushes(pushing: Job, permafrost: Command) -> None:
    root = pushing.folder / "root"
    assert permafrost("run-compiled", str(pushing.write()), "--root", str(root)) == 0
    for step in ("live", "Evaluator", "Pusher"):
        assert f"✓ {step}" in permafrost.out
    assert "model: nothing found" in permafrost.out
    assert "blessed" in permafrost.out
    assert "pushed to /serving/[1]" in permafrost.out
    (record,) = root.glob("mine/*/run.json")
    assert f"artifacts, logs and run.json: {record.parent}" in permafrost.out
    assert permafrost.err == ""


def test_a_run_that_pushes_nothing_exits_with_3(pushing: Job, permafrost: Command) -> None:
    root = str(pushing.folder / "root")
    assert permafrost("run-compiled", str(pushing.write()), "--root", root, "--param", "push=false") == 3
    assert "nothing was pushed" in permafrost.out


def test_json(pushing: Job, permafrost: Command) -> None:
    root = pushing.folder / "root"
    assert permafrost("run-compiled", str(pushing.write()), "--root", str(root), "--json") == 0
    content = json.loads(permafrost.out)
    assert permafrost.out.count("\n") == 1
    (record,) = root.glob("mine/*/run.json")
    assert content == {
        "pipeline": "mine",
        "run_id": record.parent.name,
        "blessed": True,
        "pushed_model": "/serving/[1]",
        "parameters": {"push": True},
        "seconds": content["seconds"],
        "artifacts": {
            "live": {"model": []},
            "Evaluator": {"blessing": [f"{record.parent}/Evaluator_2/blessing"]},
            "Pusher": {"pushed": [f"{record.parent}/Pusher_3/pushed"]},
        },
        "run_dir": str(record.parent),
    }
    assert list(content["seconds"]) == ["live", "Evaluator", "Pusher"]
    assert "✓ Pusher" in permafrost.err


def test_a_job_without_a_pusher(job: Job, permafrost: Command) -> None:
    job.container("A")
    assert permafrost("run-compiled", str(job.write()), "--root", str(job.folder / "root")) == 0
    assert "pushed" not in permafrost.out
    assert "blessed" not in permafrost.out


def test_a_local_root_of_the_job_itself(job: Job, permafrost: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    job.container("A", "open(uri('m') + '/x', 'w')", outputs={"m": "tfx.Model"})
    job.content["runtimeConfig"]["gcsOutputDirectory"] = "relative/root"
    monkeypatch.chdir(job.folder)
    assert permafrost("run-compiled", str(job.write())) == 0
    assert len(list((job.folder / "relative" / "root" / "mine").glob("*/A_1/m/x"))) == 1


def test_a_step_that_fails_shows_the_end_of_its_log(job: Job, permafrost: Command) -> None:
    job.container("A", "print('[bold]begin'); print('\\n'.join(map(str, range(30)))); sys.exit(3)")
    assert permafrost("run-compiled", str(job.write()), "--root", str(job.folder / "root")) == 1
    assert "✗ A" in permafrost.out
    lines = permafrost.err.splitlines()
    assert lines[0] == "10"
    assert lines[20] == "error: A ended with exit code 3"
    (log,) = (job.folder / "root").glob("mine/*/logs/A.log")
    assert lines[21] == f"The whole log: {log}"
    assert log.read_text().startswith("[bold]begin\n0\n")


def test_a_step_that_tells_nonsense(job: Job, permafrost: Command) -> None:
    job.container("A", "tell(artifacts=3)")
    assert permafrost("run-compiled", str(job.write()), "--root", str(job.folder / "root")) == 1
    assert "is not an ExecutorOutput" in permafrost.err


@pytest.mark.parametrize(
    ("root", "options", "expected"),
    [
        ("gs://bucket/root", [], "the job's pipeline root: gs://bucket/root is not on this machine; give --root DIR"),
        ("", [], "the job names no pipeline root; give --root DIR"),
        ("gs://bucket", ["--root", "gs://other/root"], "--root: gs://other/root is not on this machine; give --root"),
        ("gs://bucket", ["--root", "FILE"], "is a file; give a folder"),
        ("gs://bucket", ["--root", "x", "--param", "a=1"], "--param a: the pipeline has no such parameter"),
    ],
)
def test_what_is_refused(job: Job, permafrost: Command, root: str, options: list[str], expected: str) -> None:
    job.container("A")
    job.content["runtimeConfig"]["gcsOutputDirectory"] = root
    path = str(job.write())
    with pytest.raises(UserError) as error:
        permafrost("run-compiled", path, *(path if option == "FILE" else option for option in options))
    assert expected in str(error.value)
    assert [each.name for each in job.folder.iterdir()] == ["pipeline.json"], "nothing was made"


def test_a_command_that_is_terminated_ends_its_step(job: Job) -> None:
    job.container("A", f"open({str(job.folder / 'pid')!r}, 'w').write(str(os.getpid())); import time; time.sleep(20)")
    command = [str(COMMAND), "run-compiled", str(job.write()), "--root", str(job.folder / "root")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not ((job.folder / "pid").exists() and (job.folder / "pid").read_text()) and process.poll() is None:
            time.sleep(0.05)
        process.terminate()
        _, printed = process.communicate(timeout=15)
    assert process.returncode == 130  # Typer's own for Ctrl-C
    assert "Traceback" not in printed
    step = Path("/proc", (job.folder / "pid").read_text())
    assert not step.exists()
    (record,) = ArtifactStore(job.folder / "root", "mine").runs()
    assert (record.state, record.steps[0].state) == ("FAILED", "FAILED")


def test_it_starts_fast(job: Job) -> None:
    """Nothing of TFX or TensorFlow is imported but by the steps."""
    job.container("A")
    arguments = ["run-compiled", str(job.write()), "--root", str(job.folder / "root")]
    code = (
        f"import sys\nfrom pipeline.cli import app\napp.app({arguments!r}, standalone_mode=False)\n"
        "print('HEAVY', sorted({'tensorflow', 'tfx', 'apache_beam', 'ml_metadata'} & set(sys.modules)))"
    )
    repository = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert done.stderr == ""
