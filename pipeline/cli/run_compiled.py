"""`permafrost run-compiled`: a compiled job on this machine, with a line per step."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.compiled_view import print_failure, print_outcome
from pipeline.cli.live_view import LiveView
from pipeline.cli.terminal import Terminal
from pipeline.compiled.artifact_store import ArtifactStore
from pipeline.compiled.executor_input import BadOutput
from pipeline.compiled.job import CompiledJob, load_job
from pipeline.compiled.outcome import read_outcome
from pipeline.compiled.parameters import runtime_parameters
from pipeline.compiled.run import run_job
from pipeline.compiled.step_process import StepFailed
from trainer_module.errors import UserError

_FAILED = 1


def run_compiled_command(job_file: Path, parameters: Sequence[str], root: Path | None, as_json: bool) -> bool:
    """Runs a compiled job and prints how it went.

    Returns:
        Whether the model was pushed; true as well when the job has no Pusher.

    Raises:
        UserError: The job, a parameter or the root is wrong, or a step ended by a user's mistake.
    """
    job = load_job(job_file)
    values = runtime_parameters(job, parameters)
    folder = _root_folder(job, root)
    terminal = Terminal.open()
    console = terminal.err if as_json else terminal.out
    try:
        with _stopped_by_sigterm(), LiveView(console, opening="starting") as view:
            run = run_job(job, values, folder, view)
    except (StepFailed, BadOutput) as error:
        print_failure(terminal.err, error)
        raise typer.Exit(_FAILED) from error
    outcome = read_outcome(run, ArtifactStore(folder, job.name).run_folder(run))
    print_outcome(console, outcome)
    if as_json:
        terminal.print_json(outcome.to_json())
    return not outcome.is_refused


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Takes SIGTERM for Ctrl-C while the context is open; otherwise a step would go on, and nobody wait for it."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _root_folder(job: CompiledJob, root: Path | None) -> Path:
    """Where the run goes: `--root`, else what the job says, if that is on this machine."""
    # A Path has lost one of the slashes of gs://.
    given = job.root if root is None else str(root).replace(":/", "://", 1)
    if "://" in given:
        source = "--root" if root is not None else "the job's pipeline root"
        raise UserError(f"{source}: {given} is not on this machine; give --root DIR, a folder to keep artifacts in")
    if not given:
        raise UserError("the job names no pipeline root; give --root DIR, a folder to keep artifacts in")
    folder = Path(given).absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--root: {folder} is a file; give a folder")
    return folder
