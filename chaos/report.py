"""What is told at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Finding:
    """What came of one kind of trouble.

    Attributes:
        trouble: What was done to the pipeline.
        problems: What must not be and was; none: it survived.
        seen: What it did instead.
        skipped: Whether it couldn't be tried here; `seen` says why.
    """

    trouble: str
    problems: Sequence[str]
    seen: str
    skipped: bool = False


def print_report(findings: Sequence[Finding], console: Console) -> bool:
    """Prints a line for each; gives whether nothing did harm."""
    table = Table("trouble", "survived", "what was seen", show_lines=True)
    for finding in findings:
        verdict = "[yellow]not tried[/]" if finding.skipped else "[red]no[/]" if finding.problems else "[green]yes[/]"
        table.add_row(finding.trouble, verdict, "\n".join([*finding.problems, finding.seen]))
    console.print(table)
    return not any(finding.problems for finding in findings)
