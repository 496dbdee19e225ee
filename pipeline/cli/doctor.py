"""`permafrost doctor`: what is wrong with an installation, and what to do about it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline.cli.terminal import Terminal
from pipeline.config import PipelineConfig
from pipeline.config_file import load_config
from pipeline.doctor.checks import installation_checks, pipeline_checks
from pipeline.doctor.examination import Check, Finding, examine
from trainer_module.errors import UserError

_MARKS = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "problem": "[bold red]problem[/]"}


def doctor_command(config_file: Path | None, overrides: Sequence[str], as_json: bool) -> bool:
    """Makes all checks and prints what each found.

    Args:
        config_file: Also check what this pipeline needs. One that can't be read is a finding like another.
        as_json: One line of JSON instead.

    Returns:
        Whether there is no problem.

    Raises:
        UserError: `overrides` are given without a config.
    """
    if overrides and config_file is None:
        raise UserError("doctor: --set goes with --config")
    terminal = Terminal.open()
    terminal.hide_noise()
    findings = examine(installation_checks())
    if config_file is not None:
        config, finding = _read(config_file, overrides)
        findings.append((Check("config", lambda: finding), finding))
        findings += examine(pipeline_checks(config)) if config is not None else []
    if as_json:
        terminal.print_json(_as_json(findings))
    else:
        _print(terminal.out, findings)
    return all(finding.verdict != "problem" for _, finding in findings)


def _read(config_file: Path, overrides: Sequence[str]) -> tuple[PipelineConfig | None, Finding]:
    try:
        return load_config(config_file, overrides), Finding("ok", str(config_file))
    except UserError as error:
        return None, Finding("problem", str(error), "correct the config; then its pipeline is checked too")


def _print(out: Console, findings: Sequence[tuple[Check, Finding]]) -> None:
    width = max(len(check.name) for check, _ in findings)
    for check, finding in findings:
        out.print(f"{_MARKS[finding.verdict]} {check.name:{width}}  {escape(finding.found)}", soft_wrap=True)
        if finding.advice:
            out.print(f"        {'':{width}}  [bold]→[/] {escape(finding.advice)}", soft_wrap=True)
    counts = {verdict: sum(finding.verdict == verdict for _, finding in findings) for verdict in ("warning", "problem")}
    told = [f"{count} {verdict}{'s' if count > 1 else ''}" for verdict, count in counts.items() if count]
    out.print(" and ".join(told) if told else "all is well")


def _as_json(findings: Sequence[tuple[Check, Finding]]) -> dict[str, object]:
    return {
        "ok": all(finding.verdict != "problem" for _, finding in findings),
        "checks": [
            {"check": check.name, "verdict": finding.verdict, "found": finding.found, "advice": finding.advice}
            for check, finding in findings
        ],
    }
