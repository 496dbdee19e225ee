"""How a run of a compiled job is told."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.compiled.artifact_store import Step
from pipeline.compiled.executor_input import BadOutput
from pipeline.compiled.outcome import Outcome
from pipeline.compiled.step_process import StepFailed


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Steps, seconds and artifacts; whether the model was blessed, and where it went."""
    console.print()
    console.print(_steps_table(outcome))
    if outcome.blessed is not None:
        console.print("[bold green]blessed[/]" if outcome.blessed else "[bold red]not blessed[/]")
    if outcome.pushes:
        place = outcome.pushed_model
        console.print(f"pushed to {escape(place)}" if place else "nothing was pushed", soft_wrap=True)
    console.print(f"[dim]artifacts, logs and run.json: {escape(str(outcome.run_dir))}[/]", soft_wrap=True)


def print_failure(console: Console, error: StepFailed | BadOutput) -> None:
    """What failed, and the end of the log that says why."""
    if isinstance(error, StepFailed):
        console.print(error.log_end, markup=False, soft_wrap=True)
    console.print("[bold red]error:[/] ", end="")
    console.print(str(error), markup=False, soft_wrap=True)
    if isinstance(error, StepFailed):
        console.print(f"The whole log: {error.log_file}", markup=False, soft_wrap=True)


def _steps_table(outcome: Outcome) -> Table:
    table = Table(title=f"{escape(outcome.run.pipeline)}, run {outcome.run.run_id}", title_justify="left")
    table.add_column("step", overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("artifacts")
    for step in outcome.run.steps:
        table.add_row(escape(step.task), f"{step.seconds:.1f}", escape(_artifacts(step, outcome)))
    return table


def _artifacts(step: Step, outcome: Outcome) -> str:
    """What the step made; of what was there before, which it is."""
    own = f"{outcome.run.pipeline}/{outcome.run.run_id}/"
    parts = []
    for key, artifacts in step.outputs.items():
        if not artifacts:
            parts.append(f"{key}: nothing found")
        elif artifacts[0].name.startswith(own):
            parts.append(key)
        else:
            parts.append(f"{key}: {artifacts[0].name}")
    return ", ".join(parts)
