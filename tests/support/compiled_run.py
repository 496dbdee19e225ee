"""Runs a compiled job with most of its steps in this process, which has imported TensorFlow and TFX already.

A step that imports them anew costs 6 to 10 seconds before it does anything.
"""

import logging
import runpy
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.compiled import job_step
from pipeline.compiled.artifact_store import Run
from pipeline.compiled.job import CompiledJob
from pipeline.compiled.run import run_job
from pipeline.compiled.step_process import Image, run_command


class Silent:
    """A listener that ignores what it hears of a run."""

    def started(self, component: str, run_id: str) -> None: ...

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...


def run_mostly_here(
    job: CompiledJob, parameters: Mapping[str, Any], root: Path, in_processes: Collection[str] = ()
) -> Run:
    """Runs a job to its end and returns its record.

    Args:
        job: A job whose containers run Python modules.
        parameters: Values of its runtime parameters.
        root: The folder of artifacts.
        in_processes: Names of the steps that run as `permafrost run-compiled` would run them, each in a process of
            its own. All other containers' commands are called in this process.
    """

    def run_step(
        step: str, command: Sequence[str], image: Image, log_file: Path, extra: Mapping[str, str] | None = None
    ) -> None:
        if step in in_processes:
            run_command(step, command, image, log_file, extra)
        else:
            _call(command, image)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_step, "run_command", run_step)
        return run_job(job, parameters, root, Silent())


def _call(command: Sequence[str], image: Image) -> None:
    program, option, module, *arguments = command
    assert (program, option) == ("python", "-m")
    absl = logging.getLogger("absl")
    level, propagate = absl.level, absl.propagate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [module, *arguments])
        # It is a program now, however often it was imported.
        patch.delitem(sys.modules, module, raising=False)
        patch.chdir(image.working_directory)
        # A program installs its own log handlers.
        patch.setattr(logging.root, "handlers", list(logging.root.handlers))
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            assert not end.code, f"{module} ended with {end.code}"
        finally:
            absl.setLevel(level)
            absl.propagate = propagate
