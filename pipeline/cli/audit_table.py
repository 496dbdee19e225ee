"""An audit as a table."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainer_module.audit.audit_record import AuditRecord


def print_audit(console: Console, record: AuditRecord) -> None:
    """One row per part of the model, the verdict, and each problem."""
    table = Table("part")
    for name in ("parameters", "frozen", "variables moved", "moved by (relative L2)", "largest change"):
        table.add_column(name, justify="right")
    for block in record.blocks:
        table.add_row(
            block.name.replace("[", r"\["),
            f"{block.parameters:,}",
            f"{block.frozen_params / block.parameters:.0%}",
            f"{block.moved_variables} of {block.variables}",
            block.moved_by,
            block.largest_change,
        )
    console.print(table)
    frozen, trainable = record.frozen_params, record.trainable_params
    console.print(f"frozen    {frozen:>13,}  {frozen / (frozen + trainable):6.1%}")
    console.print(f"trainable {trainable:>13,}  {trainable / (frozen + trainable):6.1%}, and the task head")
    for name, value in (
        ("model", record.model),
        ("hub", record.hub),
        ("hub digest", record.hub_digest),
        ("plan digest", record.plan_digest),
    ):
        console.print(f"{name}: {value}", markup=False, soft_wrap=True)
    if record.verdict == "passed":
        console.print("[bold green]audit passed[/]: every frozen variable is bit-identical to the Hub model's")
        return
    console.print("[bold red]audit failed[/]:")
    for problem in record.problems:
        console.print(f"  {escape(problem)}", soft_wrap=True)
