"""A freeze plan for people: one row per part of the model, a bar for what of it is frozen."""

from components.html_page import Bar, Cell, render_page
from trainer_module.freezing.freeze_plan import BlockSummary, FreezePlan

_COLUMNS = ("part", "parameters", "frozen", "state", "decided by")


def plan_page(plan: FreezePlan) -> str:
    """The page's HTML; see `html_page.render_page`."""
    model = plan.model
    unused = f", {plan.unused_params:,} of them unused by the head" if plan.unused_params else ""
    facts = {
        "model": model.hub,
        "digest, to pin as model.hub_digest": model.hub_digest,
        "family": model.family,
        "blocks": str(model.blocks),
        "width": str(model.hidden),
        "parameters": f"{model.parameters:,}",
        "frozen": f"{plan.frozen_params:,} ({plan.frozen_params / model.parameters:.1%}{unused})",
        "trainable": f"{plan.trainable_params:,} ({plan.trainable_params / model.parameters:.1%}), and the task head",
        "plan digest": plan.digest(),
    }
    return render_page("Freeze plan", facts, _COLUMNS, [_row(plan, block) for block in plan.blocks()])


def _row(plan: FreezePlan, block: BlockSummary) -> list[Cell]:
    share = block.frozen_params / block.parameters
    rules = "\n".join(f"{index + 1}. {plan.rules[index]}" for index in block.rules)
    otherwise = "the head doesn't read it" if block.unused else "no rule: trains"
    return [block.name, f"{block.parameters:,}", Bar(share, f"{share:.1%}"), block.state, rules or otherwise]
