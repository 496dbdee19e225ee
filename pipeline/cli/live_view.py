"""The lines and the progress bar of a run under way."""

import logging
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from trainer_module.training.events import PREFIX_CACHE_LOGGER, TRAINING_LOGGER


class LiveView(logging.Handler):
    """Hears of components from the runner, and of training steps and warnings from the log.

    Args:
        console: Where to.
        opening: What happens before the first component.
    """

    def __init__(self, console: Console, opening: str = "loading TensorFlow and TFX") -> None:
        super().__init__()
        self._console = console
        self._opening = opening
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
            console=console,
            transient=True,
            # Rich would bring back on a terminal what `Terminal.hide_noise` sends to the log.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._spinner: TaskID | None = None
        self._training: TaskID | None = None

    def __enter__(self) -> "LiveView":
        logging.getLogger("permafrost").addHandler(self)
        self._progress.start()
        self._show(self._opening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        logging.getLogger("permafrost").removeHandler(self)

    def started(self, component: str, run_id: str) -> None:
        """The runner starts a component."""
        self._show(component)
        self._print(f"[dim]{component} …[/]")

    def ended(self, component: str, seconds: float) -> None:
        """A component came to its end."""
        self._print(f"[green]✓[/] {component:<18} {seconds:7.1f} s")
        self._training = None

    def failed(self, component: str, error: Exception) -> None:
        """A component raised."""
        self._print(f"[red]✗[/] {component}")

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a training step on the bar; what the prefix cache does, and a warning, as a line."""
        progress = getattr(record, "progress", None)
        if progress is not None and record.name == TRAINING_LOGGER:
            self._show_training(progress.step, progress.total_steps, progress.metrics)
        elif record.levelno == logging.INFO and record.name == PREFIX_CACHE_LOGGER:
            self._print(f"  [dim]{escape(record.getMessage())}[/]")
        elif record.levelno >= logging.WARNING:
            self._console.print(f"[yellow]warning:[/] {escape(record.getMessage())}")

    def _print(self, line: str) -> None:
        self._console.print(line)

    def _show(self, description: str) -> None:
        if self._spinner is not None:
            self._progress.remove_task(self._spinner)
        self._spinner = self._progress.add_task(description, total=None, metrics="")

    def _show_training(self, step: int, total: int, metrics: dict[str, float]) -> None:
        shown = " ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        if self._training is None:
            self._show("training")
            self._training = self._spinner
            if not self._console.is_terminal:
                self._print(f"  training: {total} steps")
        assert self._training is not None
        self._progress.update(self._training, total=total, completed=step, metrics=shown)
        if not self._console.is_terminal and "val_loss" in metrics:
            self._print(f"  step {step} of {total}: {shown}")
