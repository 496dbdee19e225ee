"""All that can be refused before a row is read: the model, the rules, the tokenizer."""

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.text.text_encoder import try_preprocessing_model
from trainer_module.text.tokenizer_source import PreprocessingModel, find_tokenizer


def plan_run(settings: BertSettings, hub_model: HubModel | None = None) -> FreezePlan:
    """The plan of a run that could start now.

    Nothing of the encoder is run. A preprocessing model is tried out, because only that shows whether it is damaged.

    Args:
        settings: The configuration.
        hub_model: The settings' model, where it was read already.

    Raises:
        UserError: All that is wrong with the model, the freeze rules and the tokenizer.
    """
    hub_model = hub_model or HubModel.from_settings(settings)
    problems: list[str] = []
    try:
        plan = plan_freeze(settings, hub_model)
    except UserError as error:
        problems += error.problems
    try:
        source = find_tokenizer(settings, hub_model)
        if isinstance(source, PreprocessingModel):
            try_preprocessing_model(source, hub_model.layout.words)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(problems)
    return plan
