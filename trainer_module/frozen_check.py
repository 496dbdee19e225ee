"""Proof that frozen variables stayed what the Hub model says."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from trainer_module.freeze_plan import FreezePlan


class FrozenWeightMoved(RuntimeError):
    """A frozen variable differs from the Hub's: a bug, never a user's mistake."""


class NothingTrained(RuntimeError):
    """No trainable variable of the Hub model changed although some should have."""


def check_frozen(plan: FreezePlan, hub_values: Mapping[str, np.ndarray], trained: Mapping[str, tf.Variable]) -> None:
    """Compares each variable with its value in the Hub model, bit by bit.

    Args:
        plan: Which variables are frozen.
        hub_values: By Hub name.
        trained: By Hub name, after training.

    Raises:
        FrozenWeightMoved: Names every frozen variable that differs.
        NothingTrained: Some variable was to train, and none moved.
    """
    moved = {
        name
        for name, value in hub_values.items()
        if value.astype(np.float32).tobytes() != trained[name].numpy().tobytes()  # the encoder trains in float32
    }
    wrong = sorted(moved & set(plan.frozen_names))
    if wrong:
        raise FrozenWeightMoved(f"{len(wrong)} frozen variables differ from the Hub's: {', '.join(wrong)}")
    if plan.trainable_names and not moved:
        raise NothingTrained(f"none of {len(plan.trainable_names)} trainable variables moved")
