"""A freeze plan as a table."""

from rich.console import Console
from rich.table import Table

from trainer_module.freeze_plan import FreezePlan
from trainer_module.layout import EncoderLayout
from trainer_module.step_cost import saved_share

_STYLES = {"frozen": "cyan", "partly frozen": "cyan", "trains": "green", "unused": "dim"}


def print_plan(console: Console, plan: FreezePlan, layout: EncoderLayout, tokens: int) -> None:
    """One row per part of the model, totals, and what the freeze saves.

    Args:
        console: Where to.
        plan: What to show.
        layout: Of the model that it was made for.
        tokens: Length of a sequence, for the arithmetic.
    """
    table = Table(
        title=f"{plan.model.family}: {plan.model.blocks} blocks, width {plan.model.hidden}, {layout.heads} heads",
        title_justify="left",
    )
    table.add_column("part")
    table.add_column("parameters", justify="right")
    table.add_column("frozen", justify="right")
    table.add_column("state")
    table.add_column("decided by")
    for block in plan.blocks():
        deciding = [f"{index + 1}. {plan.rules[index]}" for index in block.rules]
        table.add_row(
            block.name,
            f"{block.parameters:,}",
            f"{block.frozen_params / block.parameters:.0%}",
            f"[{_STYLES[block.state]}]{block.state}[/]",
            "\n".join(deciding).replace("[", r"\[") or "no rule: trains",
        )
    console.print(table)
    total = plan.model.parameters
    unused = f" ({plan.unused_params:,} of them unused by the head)" if plan.unused_params else ""
    console.print(f"frozen    {plan.frozen_params:>13,}  {plan.frozen_params / total:6.1%}{unused}")
    console.print(f"trainable {plan.trainable_params:>13,}  {plan.trainable_params / total:6.1%}, and the task head")
    share = saved_share(layout, plan, tokens)
    console.print(f"saves {share:.0%} of a training step's arithmetic at {tokens} tokens")
