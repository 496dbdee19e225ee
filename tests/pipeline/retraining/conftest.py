"""A real process in place of `permafrost run`, which does in each attempt what the test says."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.retrain_settings import RetrainSettings
from pipeline.retraining.retraining import Retraining
from pipeline.retraining.stop import Stop

SCRIPT = """
import json, os, pathlib, signal, subprocess, sys, time  # for what a test says
folder = pathlib.Path(sys.argv[1])
attempt = len(list(folder.glob("attempt-*")))
(folder / f"attempt-{attempt}").write_text(json.dumps({"pid": os.getpid(), "arguments": sys.argv[2:]}))
steps = json.loads((folder / "steps.json").read_text())
print(f"step of attempt {attempt}", file=sys.stderr, flush=True)
exec(steps[min(attempt, len(steps) - 1)])
"""
RUN = {"blessed": True, "pushed_model": "/serving/1", "metrics": {"accuracy": 0.9}}
REFUSED = RUN | {"blessed": False, "pushed_model": None, "not_blessed_because": ["accuracy is 0.5"]}
STEPS = {
    "pushed": f"print('noise'); print({json.dumps(json.dumps(RUN))})",
    "not blessed": f"print({json.dumps(json.dumps(REFUSED))}); sys.exit(3)",
    "unchanged": f"print({json.dumps(json.dumps(RUN | {'outcome': 'unchanged'}))})",
    "mistake": "print('error: 2 problems:\\n  - a: is missing\\n  - b: is odd', file=sys.stderr); sys.exit(2)",
    "crash": "print('error: Trainer failed: OSError: no space', file=sys.stderr); sys.exit(1)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "time.sleep(600)",
    "hangs on": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    "leaves another": "subprocess.Popen(['sleep', '600']); " + f"print({json.dumps(json.dumps(RUN))})",
    "long log": "print('x' * 1_000_000, file=sys.stderr); " + f"print({json.dumps(json.dumps(RUN))})",
}


class Child:
    """The process.

    Args:
        folder: Where it reads what to do, and leaves a note of each attempt.
        steps: What the attempts do, the last of them for ever; see `STEPS`.
    """

    def __init__(self, folder: Path, *steps: str) -> None:
        self.folder = folder
        (folder / "steps.json").write_text(json.dumps([STEPS[step] for step in steps]))
        (folder / "child.py").write_text(SCRIPT)
        self.command = [sys.executable, str(folder / "child.py"), str(folder)]

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("attempt-*"))]

    def retraining(self, **settings: object) -> Retraining:
        return Retraining(
            pipeline="mine",
            config_file="/configs/mine.toml",
            settings=RetrainSettings.model_validate({"backoff_seconds": 0.01, "grace_seconds": 5, **settings}),
            root=str(self.folder),
            command=self.command,
            stop=Stop(),
        )


@pytest.fixture
def make_child(tmp_path: Path) -> Callable[..., Child]:
    """`make_child("crash", "pushed")` gives one."""
    return lambda *steps: Child(tmp_path, *steps)


@pytest.fixture
def hook(tmp_path: Path) -> tuple[Sequence[str], Callable[[], list[dict[str, Any]]]]:
    """A command for `retrain.hook`, and what it got each time: its stdin, and the variable as `variable`."""
    script, file = tmp_path / "hook.py", tmp_path / "hook.jsonl"
    script.write_text(
        "import json, os, sys\n"
        "got = json.load(sys.stdin) | {'variable': os.environ['PERMAFROST_OUTCOME']}\n"
        "open(sys.argv[1], 'a').write(json.dumps(got) + '\\n')\n"
    )

    def received() -> list[dict[str, Any]]:
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    return [sys.executable, str(script), str(file)], received
