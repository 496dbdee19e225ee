"""Whether what is about to be trained is what was planned before the run."""

import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan, PlannedVariable

_NAMED = 3
"""So many variables are named in a message."""


def refuse_other_plan(file: str, plan: FreezePlan) -> None:
    """Compares the plan that was made of this process's settings and model with one made before.

    Args:
        file: JSON of the earlier plan, local or gs://.
        plan: What would be trained now.

    Raises:
        UserError: The file can't be read, variables would be trained otherwise than planned, or the Hub model's content
            isn't what it was; both at once where both hold.
    """
    planned = _read(file)
    problems = []
    if planned.digest() != plan.digest():
        problems.append(
            f"model.freeze: this is not the plan in {file}: {_differences(planned, plan)}; planned were "
            f"{_rules(planned)}, given are {_rules(plan)}; give FreezePlanner and Trainer the same custom_config"
        )
    if planned.model.hub_digest != plan.model.hub_digest:
        problems.append(
            f"model.hub: {plan.model.hub} has changed since it was planned: it is {plan.model.hub_digest}, planned was "
            f"{planned.model.hub_digest}; set model.hub_digest to the one you mean, so that everything goes by it"
        )
    if problems:
        raise UserError(problems)


def _read(file: str) -> FreezePlan:
    try:
        with tf.io.gfile.GFile(file) as stream:
            return FreezePlan.from_json(stream.read())
    except tf.errors.OpError as error:
        raise UserError(f"freeze_plan: {file} can't be read: {error.message}; give a plan's JSON file") from None
    except UserError as error:
        raise UserError([f"{file}: {problem}" for problem in error.problems]) from None


def _differences(planned: FreezePlan, plan: FreezePlan) -> str:
    before = {variable.name: _treatment(variable) for variable in planned.variables}
    now = {variable.name: _treatment(variable) for variable in plan.variables}
    names = [name for name in before | now if before.get(name) != now.get(name)]
    told = [f"`{name}` ({before.get(name, 'unknown')}, now {now.get(name, 'unknown')})" for name in names[:_NAMED]]
    rest = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    verb = "differs" if len(names) == 1 else "differ"
    return f"{', '.join(told + rest)} {verb}"


def _treatment(variable: PlannedVariable) -> str:
    if not variable.trainable:
        return "frozen"
    trains = "trains" if variable.lr == 1 else f"trains at {variable.lr}"
    return trains if variable.until_epoch is None else f"frozen until epoch {variable.until_epoch}, then {trains}"


def _rules(plan: FreezePlan) -> str:
    return ", ".join(f"`{rule}`" for rule in plan.rules) or "no rules"
