"""Proof that frozen variables stayed what the Hub model says, and that the others didn't."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from trainer_module.audit.variable_record import TrainingRecord, VariableRecord, record_training
from trainer_module.freezing.freeze_plan import FreezePlan


class FrozenWeightMoved(RuntimeError):
    """A frozen variable differs from the Hub's: a bug, never a user's mistake."""


class NothingTrained(RuntimeError):
    """No trainable variable of the Hub model changed although some should have."""


def check_frozen(
    plan: FreezePlan, hub_values: Mapping[str, np.ndarray], trained: Mapping[str, tf.Variable]
) -> TrainingRecord:
    """Compares each variable with its value in the Hub model, bit by bit.

    Args:
        plan: Which variables are frozen.
        hub_values: By Hub name.
        trained: By Hub name, after training; float32.

    Returns:
        What became of each variable.

    Raises:
        FrozenWeightMoved: Names every frozen variable that differs.
        NothingTrained: Some variable was to train, and none moved.
    """
    record = record_training(plan, lambda name: hub_values[name], lambda name: trained[name].numpy())
    wrong = sorted(moved_though_frozen(record.variables))
    if wrong:
        raise FrozenWeightMoved(f"{len(wrong)} frozen variables differ from the Hub's: {', '.join(wrong)}")
    if nothing_trained(plan, record.variables):
        raise NothingTrained(f"none of {len(plan.trainable_names)} trainable variables moved")
    return record


def moved_though_frozen(variables: Iterable[VariableRecord]) -> list[str]:
    """The names of frozen variables of which any bit differs."""
    return [variable.name for variable in variables if variable.moved and not variable.trainable]


def nothing_trained(plan: FreezePlan, variables: Iterable[VariableRecord]) -> bool:
    """Whether no variable moved although some train from the first epoch on.

    Those that a rule unfreezes later needn't move: training may have stopped early.
    """
    should_move = any(variable.trainable and variable.until_epoch is None for variable in plan.variables)
    return should_move and not any(variable.moved for variable in variables)
