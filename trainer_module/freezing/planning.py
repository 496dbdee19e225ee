"""The freeze plan of a configuration: its rules resolved against its Hub model, before any data is read."""

from trainer_module.errors import UserError, listed
from trainer_module.freezing.freeze_plan import FreezePlan, make_plan
from trainer_module.freezing.layerwise import layerwise_multipliers
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.layout import POOLER
from trainer_module.settings import ModelSettings, TrainSettings


def plan_freeze(settings: ModelSettings, hub_model: HubModel) -> FreezePlan:
    """Resolves `settings.freeze` against `hub_model`.

    Args:
        settings: Where they are `TrainSettings` too, their `layerwise_lr_decay` enters the plan, and a freeze has to
            end before training does. (With `steps` nobody knows yet in which epoch that is; `train` does.)

    Raises:
        UserError: All that doesn't fit: a rule that misses, a text length the position embeddings don't allow,
            weights that aren't finite, …
    """
    problems: list[str] = []
    positions = hub_model.layout.positions
    if positions and settings.max_tokens > positions:
        problems.append(
            f"model.max_tokens: {settings.max_tokens} is beyond the {positions} positions of {settings.hub}; "
            f"set it to {positions} or less"
        )
    if spoilt := hub_model.not_finite():
        problems.append(
            f"model.hub: {settings.hub} has weights that are NaN or infinite: {listed(spoilt)}; "
            "fetch the model again, or take another"
        )
    decay, epochs = 1.0, None
    if isinstance(settings, TrainSettings):
        decay = settings.layerwise_lr_decay
        epochs = settings.epochs if settings.steps is None else None
    unused = frozenset[str]() if settings.pooling == "pooled" else frozenset({POOLER})
    try:
        plan = make_plan(
            settings.freeze,
            hub_model.layout,
            unused_blocks=unused,
            multipliers=layerwise_multipliers(hub_model.layout, decay),
            epochs=epochs,
        )
    except UserError as error:
        problems.extend(error.problems)
    if problems:
        raise UserError(problems)
    source = {"hub": hub_model.handle, "hub_digest": hub_model.digest}
    return plan.model_copy(update={"model": plan.model.model_copy(update=source)})
