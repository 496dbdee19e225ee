"""A freeze plan as a table."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.step_cost import saved_share
from trainer_module.hub.layout import EncoderLayout

_STYLES = {"frozen": "cyan", "partly": "cyan", "trains": "green", "unused": "dim"}
"""By the first word of a part's state."""


def print_plan(console: Console, plan: FreezePlan, layout: EncoderLayout, tokens: int) -> None:
    """One row per part of the model, totals, and what the freeze saves.

    Args:
        console: Where to.
        plan: What to show.
        layout: Of the model that it was made for.
        tokens: Length of a sequence, for the arithmetic.
    """
    table = Table(
        title=f"{layout.family}: {_depth(layout)}, width {layout.hidden}, {layout.heads or 'unknown'} heads",
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
            f"[{_STYLES[block.state.split()[0]]}]{block.state}[/]",
            escape("\n".join(deciding)) or ("the head doesn't read it" if block.unused else "no rule: trains"),
        )
    console.print(table)
    total = plan.model.parameters
    unused = f" ({plan.unused_params:,} of them unused by the head)" if plan.unused_params else ""
    console.print(f"frozen    {plan.frozen_params:>13,}  {plan.frozen_params / total:6.1%}{unused}")
    console.print(f"trainable {plan.trainable_params:>13,}  {plan.trainable_params / total:6.1%}, and the task head")
    for stage in plan.stages:
        share = saved_share(layout, plan, tokens, stage)
        since = f", from epoch {stage + 1} on" if len(plan.stages) > 1 else ""
        console.print(f"saves {share:.0%} of a training step's arithmetic at {tokens} tokens{since}")


def _depth(layout: EncoderLayout) -> str:
    if layout.shared_blocks:
        return f"{layout.layers} layers that share one block"
    if layout.blocks:
        return f"{layout.blocks} blocks"
    return f"{layout.layers or 'an unknown number of'} layers, not told apart by their names"
