"""How a finished run is told."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.evaluator.thresholds import (
    BASELINE_LEVEL,
    BASELINE_P_VALUE,
    BASELINES,
    METRICS,
    Threshold,
    default_thresholds,
)
from pipeline.config import PipelineConfig
from pipeline.run_result import RunResult

_MOST_CLASSES = 12


def print_result(console: Console, result: RunResult, config: PipelineConfig) -> None:
    """Metrics with their thresholds, what was frozen, audited and blessed or not and why, where the model went."""
    console.print()
    if result.spans is not None:
        console.print(escape(result.spans.describe(config.data.train)), soft_wrap=True)
    # Those of a DataGate that ran were told when it did.
    for warning in result.data_gate.warnings if "DataGate" in result.cached else []:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    console.print(_metrics_table(result, config))
    per_class = _class_table(result)
    if per_class is not None:
        console.print(per_class)
    if result.evaluation.slices:
        console.print(_slice_table(result, config))
    for columns in config.evaluate.slices:
        if not any(all(f"{column}=" in name for column in columns) for name in result.evaluation.slices):
            # TFMA says nothing of a slice that no row belongs to.
            console.print(f"[yellow]warning:[/] evaluate.slices: no row has {escape(' and '.join(columns))}")
    for warning in result.evaluation.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    if result.start is not None:
        console.print(escape(result.start.describe()), soft_wrap=True)
    _print_freeze(console, result)
    _print_release(console, result)
    if result.blessed:
        console.print(f"[bold green]blessed[/]: {_verdict(result, config)}", soft_wrap=True)
    else:
        console.print("[bold red]not blessed[/]:")
        for reason in result.evaluation.missed or ["Evaluator gave no reason; see its log"]:
            console.print(f"  {escape(reason)}", soft_wrap=True)
    console.print(_push_line(result), soft_wrap=True)
    if result.cached:
        console.print(f"[dim]unchanged, so not run again: {', '.join(sorted(result.cached))}[/]")
    console.print(f"[dim]log: {escape(result.log_file)}[/]", soft_wrap=True)


def _push_line(result: RunResult) -> str:
    if result.pushed_model:
        return f"pushed to {escape(result.pushed_model)}"
    told = not result.blessed or "failed" in (result.audit.verdict, result.release.verdict)
    return "nothing was pushed" + (f": {escape(result.not_pushed_because)}" if not told else "")


def _metrics_table(result: RunResult, config: PipelineConfig) -> Table:
    metrics, live = result.evaluation.metrics, result.evaluation.live
    count = int(metrics.get("example_count", 0))
    table = Table("metric", title=f"on {count:,} evaluation rows", title_justify="left")
    table.add_column("value", justify="right")
    if live:
        table.add_column("live model", justify="right")
    table.add_column("required")
    for name in METRICS[config.model.task]:
        if name in metrics:
            compared = [f"{live[name]:.4f}" if name in live else ""] if live else []
            required = _required(config.evaluate.thresholds.get(name))
            table.add_row(name, f"{metrics[name]:.4f}", *compared, required)
    baseline = BASELINES[config.model.task]
    bounds = {baseline.value: "", BASELINE_P_VALUE: f"at most {BASELINE_LEVEL:g}"}
    for name, bound in bounds.items():
        if name in metrics:
            required = bound if config.evaluate.must_beat_baseline else ""
            table.add_row(name, f"{metrics[name]:.4f}", *([""] if live else []), required)
    return table


def _verdict(result: RunResult, config: PipelineConfig) -> str:
    """What a blessed model was found to fulfil."""
    wanted, live = config.evaluate, result.evaluation.live
    is_default = wanted.thresholds == default_thresholds(config.model.task)
    bounds = [bound for each in wanted.thresholds.values() for bound in (each.at_least, each.at_most)]
    has_bounds = bool(wanted.slice_thresholds) or any(bound is not None for bound in [*bounds, wanted.minimum_examples])
    if has_bounds or (live and not is_default):
        return "every threshold is met"
    found = ["no threshold set"] if is_default else []
    found.append("no worse than the live model" if live else "no live model to compare with yet")
    if wanted.must_beat_baseline:
        found.append(f"better than {BASELINES[config.model.task].guess}")
    return ", ".join(found)


def _required(threshold: Threshold | None) -> str:
    if threshold is None:
        return ""
    parts = []
    if threshold.at_least is not None:
        parts.append(f"at least {threshold.at_least:g}")
    if threshold.at_most is not None:
        parts.append(f"at most {threshold.at_most:g}")
    if threshold.no_worse_than_live_by is not None:
        margin = threshold.no_worse_than_live_by
        parts.append("no worse than the live model" + (f" by more than {margin:g}" if margin else ""))
    return ", ".join(parts)


def _class_table(result: RunResult) -> Table | None:
    metrics = result.evaluation.metrics
    names = {name.partition("/")[2] for name in metrics if name.startswith(("precision/", "recall/"))}
    if not 0 < len(names) <= _MOST_CLASSES:
        return None
    table = Table("class")
    table.add_column("precision", justify="right")
    table.add_column("recall", justify="right")
    for name in sorted(names):
        keys = (f"precision/{name}", f"recall/{name}")
        table.add_row(escape(name), *(f"{metrics[key]:.3f}" if key in metrics else "" for key in keys))
    return table


def _slice_table(result: RunResult, config: PipelineConfig) -> Table:
    shown = METRICS[config.model.task][:2]
    table = Table("slice")
    for name in ("rows", *shown):
        table.add_column(name, justify="right")
    for name, metrics in sorted(result.evaluation.slices.items()):
        values = [f"{metrics[metric]:.4f}" if metric in metrics else "" for metric in shown]
        table.add_row(escape(name), f"{int(metrics.get('example_count', 0)):,}", *values)
    return table


def _print_freeze(console: Console, result: RunResult) -> None:
    plan = result.plan
    frozen = [block.name for block in plan.blocks() if block.state == "frozen"]
    share = plan.frozen_params / plan.model.parameters
    console.print(
        f"frozen: {plan.frozen_params:,} of {plan.model.parameters:,} parameters ({share:.0%})"
        + (f": {escape(_ranges(frozen))}" if frozen else ""),
        soft_wrap=True,
    )
    if result.audit.verdict == "passed":
        console.print("[bold green]audit passed[/]: each frozen one is bit-identical to the Hub model's")
    else:
        console.print("[bold red]audit failed[/]:")
        for problem in result.audit.problems:
            console.print(f"  {escape(problem)}", soft_wrap=True)


def _print_release(console: Console, result: RunResult) -> None:
    if result.release.verdict == "passed":
        console.print("[bold green]release gate passed[/]: the exported model answers as the trained one")
        return
    console.print("[bold red]release gate failed[/]:")
    for problem in result.release.problems:
        console.print(f"  {escape(problem)}", soft_wrap=True)


def _ranges(blocks: list[str]) -> str:
    """`encoder[0], encoder[1], encoder[2]` as `encoder[0] to encoder[2]`."""
    runs: list[list[str]] = []
    for name in blocks:
        follows = runs and name.startswith("encoder[") and runs[-1][-1] == _previous(name)
        if follows:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _previous(block: str) -> str:
    return f"encoder[{int(block.removeprefix('encoder[').removesuffix(']')) - 1}]"
