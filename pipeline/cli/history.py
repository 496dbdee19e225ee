"""`permafrost history`: what a pipeline did so far."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from components.evaluator.thresholds import BASELINES
from pipeline.cli.terminal import Terminal
from pipeline.config import PipelineConfig
from pipeline.config_file import load_config

if TYPE_CHECKING:
    from pipeline.history import PastRun

_COLOURS = {"pushed": "green", "unchanged": "green", "not_blessed": "yellow", "running": "cyan", "rolled_back": "cyan"}


def history_command(config_file: Path, overrides: Sequence[str], limit: int, as_json: bool) -> None:
    """Prints the newest runs and rollbacks of a config's pipeline.

    Raises:
        UserError: The config is wrong, or the metadata database can't be read.
    """
    config = load_config(config_file, overrides)
    terminal = Terminal.open()
    terminal.hide_noise()
    from pipeline.history import read_history

    told = read_history(config, limit)
    if as_json:
        content = {"pipeline": config.pipeline.name, "runs": [each.to_json() for each in told]}
        terminal.print_json(content)
    elif told:
        terminal.out.print(_table(told, config))
    else:
        terminal.out.print(f"pipeline {config.pipeline.name} never ran", markup=False)


def _table(told: Sequence["PastRun"], config: PipelineConfig) -> Table:
    table = Table("started", "outcome", "version", "rollback")
    with_spans = any(each.spans for each in told)
    if with_spans:
        table.add_column("spans")
    table.add_column("frozen by")
    baseline = BASELINES[config.model.task]
    shown = dict.fromkeys([*config.evaluate.thresholds, baseline.metric, baseline.value])
    metrics = [name for name in shown if any(name in each.metrics for each in told)]
    for name in metrics:
        table.add_column(name, justify="right")
    table.add_column("why", overflow="fold")
    for each in told:
        colour = _COLOURS.get(each.outcome, "red")
        table.add_row(
            f"{each.started.astimezone():%Y-%m-%d %H:%M}",
            f"[{colour}]{each.outcome.replace('_', ' ')}[/]",
            _version(each),
            "possible" if each.can_roll_back else "[red]no[/]" if each.no_rollback_because else "",
            *([each.spans.window(config.data.train) if each.spans else ""] if with_spans else []),
            escape("; ".join(each.rules) or ("" if each.outcome == "rolled_back" else "nothing")),
            *(f"{each.metrics[name]:.4f}" if name in each.metrics else "" for name in metrics),
            escape("; ".join(filter(None, [each.reason, each.no_rollback_because]))),
        )
    return table


def _version(each: "PastRun") -> str:
    marks = ["[bold green]live[/]"] if each.is_live else ["[red]rolled back[/]"] if each.is_withdrawn else []
    return " ".join([each.version or "", *marks]).strip()
