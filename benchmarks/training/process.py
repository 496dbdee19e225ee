"""Processes of their own for what is measured: this one imports neither TensorFlow nor PyTorch.

A child's peak of memory begins with what its parent had when it was started, so the parent stays small.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.training.design import ROOT
from trainer_module.errors import UserError

OWN_PYTHON = Path(sys.executable)
# PyTorch, transformers and matplotlib live apart from TFX: transformers needs a newer Python.
PEER_PYTHON = ROOT / ".tools" / "bench" / "bin" / "python"
LOG = ROOT / "runs" / "bench-training.log"

_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Processors are what is compared.
    "CUDA_VISIBLE_DEVICES": "-1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class ProcessFailed(Exception):
    """A measurement's process ended with an error; its output is in the log."""


def refuse_missing_peer() -> None:
    """Raises:
    UserError: The peer's environment isn't there.
    """
    if not PEER_PYTHON.exists():
        raise UserError(f"{PEER_PYTHON}: PyTorch and matplotlib are not set up; call `make bench`, which does that")


def run_module(python: Path, module: str, *arguments: str) -> str:
    """Runs `python -m module` and gives the last line that it printed.

    Raises:
        ProcessFailed: Its exit code isn't 0.
    """
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with open(LOG, "a", encoding="utf-8") as log:
        print(f"--- {module} {' '.join(arguments)}", file=log, flush=True)
        ended = subprocess.run(
            [str(python), "-m", module, *arguments],
            cwd=ROOT,
            env=os.environ | _ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=False,
        )
        log.write(ended.stdout)
    if ended.returncode:
        raise ProcessFailed(f"{module} {' '.join(arguments)} ended with exit code {ended.returncode}; see {LOG}")
    return ended.stdout.strip().rpartition("\n")[2]


def run_for_json(python: Path, module: str, *arguments: str) -> dict[str, Any]:
    """As `run_module`; the line is JSON."""
    return json.loads(run_module(python, module, *arguments))
