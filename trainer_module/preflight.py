"""All that can be refused before a row is read: the model, the rules, the tokenizer."""

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.text.tokenizer_source import find_tokenizer


def plan_run(settings: BertSettings) -> FreezePlan:
    """The plan of a run that could start now. Nothing of the model is run.

    Raises:
        UserError: All that is wrong with the model, the freeze rules and the tokenizer.
    """
    hub_model = HubModel.from_settings(settings)
    problems: list[str] = []
    try:
        plan = plan_freeze(settings, hub_model)
    except UserError as error:
        problems += error.problems
    try:
        find_tokenizer(settings, hub_model)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(problems)
    return plan
