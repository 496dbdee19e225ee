"""`permafrost plan`: what the freeze rules do to a model."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from pipeline.cli.plan_table import print_plan
from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config
from trainer_module.errors import UserError
from trainer_module.settings import ModelSettings
from trainer_module.validation import describe_validation_error


def plan_command(
    config: Path | None, overrides: Sequence[str], hub: str | None, rules: Sequence[str], as_json: bool
) -> None:
    """Prints the plan of a config file, or of a model and rules.

    Raises:
        UserError: A rule or the model is wrong.
    """
    settings = _settings(config, overrides, hub, rules)
    terminal = Terminal.open()
    terminal.hide_noise()
    from trainer_module.hub_model import HubModel
    from trainer_module.planning import plan_freeze

    hub_model = HubModel.from_settings(settings)
    if config is None and hub_model.layout.positions:
        # Nobody asked for the default length, so it is no mistake that a small model doesn't allow it.
        tokens = min(settings.max_tokens, hub_model.layout.positions)
        settings = settings.model_copy(update={"max_tokens": tokens})
    plan = plan_freeze(settings, hub_model)
    if as_json:
        terminal.out.print(plan.to_json(indent=None), markup=False, soft_wrap=True)
    else:
        print_plan(terminal.out, plan, hub_model.layout, settings.max_tokens)
        terminal.out.print(f"model: {hub_model.handle}\ndigest: {hub_model.digest}", markup=False, soft_wrap=True)


def _settings(config: Path | None, overrides: Sequence[str], hub: str | None, rules: Sequence[str]) -> ModelSettings:
    if config is not None:
        return load_config(config, overrides).model
    try:
        return ModelSettings.model_validate({"hub": hub, "freeze": list(rules)})
    except ValidationError as error:
        raise UserError(describe_validation_error(error, ModelSettings)) from None
