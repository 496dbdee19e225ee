"""The freeze plan of a configuration: its rules resolved against its Hub model, before any data is read."""

from trainer_module.errors import UserError
from trainer_module.freeze_plan import FreezePlan, make_plan
from trainer_module.hub_model import HubModel
from trainer_module.layout import POOLER
from trainer_module.settings import ModelSettings


def plan_freeze(settings: ModelSettings, hub_model: HubModel) -> FreezePlan:
    """Resolves `settings.freeze` against `hub_model`.

    Raises:
        UserError: All that doesn't fit: a rule that misses, a text length the position embeddings don't allow, …
    """
    problems: list[str] = []
    positions = hub_model.layout.positions
    if positions and settings.max_tokens > positions:
        problems.append(
            f"model.max_tokens: {settings.max_tokens} is beyond the {positions} positions of {settings.hub}; "
            f"set it to {positions} or less"
        )
    unused = frozenset[str]() if settings.pooling == "pooled" else frozenset({POOLER})
    try:
        plan = make_plan(settings.freeze, hub_model.layout, unused_blocks=unused)
    except UserError as error:
        problems.extend(error.problems)
    if problems:
        raise UserError(problems)
    return plan
