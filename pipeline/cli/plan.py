"""`permafrost plan`: what the freeze rules do to a model, and what a run of the config would refuse of it."""

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
        UserError: A rule or the model is wrong; with a config, its tokenizer, too: all that a run would refuse of
            its `[model]` before it reads a row.
    """
    run = None if config is None else load_config(config, overrides).bert_settings()
    settings = run or _settings(hub, rules)
    terminal = Terminal.open()
    terminal.hide_noise()
    from trainer_module.encoder import make_encoder
    from trainer_module.freezing.planning import plan_freeze
    from trainer_module.hub.hub_model import HubModel
    from trainer_module.preflight import plan_run

    hub_model = HubModel.from_settings(settings)
    if run is None and hub_model.layout.positions:
        # Nobody asked for the default length, so it is no mistake that a small model doesn't allow it.
        tokens = min(settings.max_tokens, hub_model.layout.positions)
        settings = settings.model_copy(update={"max_tokens": tokens})
    plan = plan_freeze(settings, hub_model) if run is None else plan_run(run, hub_model)
    made = make_encoder(hub_model, plan.is_trainable, settings.dropout)
    if as_json:
        encoder = {
            "heads": hub_model.layout.heads,
            "layers": hub_model.layout.layers,
            "positions": hub_model.layout.positions,
            "lower_case": hub_model.lower_case,
            "rebuilt": made.rebuilt,
            "largest_difference": made.largest_difference,
        }
        terminal.print_json({**plan.model_dump(mode="json"), "encoder": encoder})
        return
    print_plan(terminal.out, plan, hub_model.layout, settings.max_tokens)
    casing = {True: "uncased", False: "cased", None: "casing not said"}[hub_model.lower_case]
    facts = {
        "model": f"{hub_model.handle}, {casing}",
        "encoder": made.description,
        "program": hub_model.scan.summary,
        "digest": hub_model.digest,
    }
    for name, fact in facts.items():
        terminal.out.print(f"{name:<9} {fact}", markup=False, soft_wrap=True)


def _settings(hub: str | None, rules: Sequence[str]) -> ModelSettings:
    try:
        return ModelSettings.model_validate({"hub": hub, "freeze": list(rules)})
    except ValidationError as error:
        raise UserError(describe_validation_error(error, ModelSettings)) from None
