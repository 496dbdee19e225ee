"""The freeze plan that an exported model carries, so that anybody who has the model can audit it."""

import os

import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.hub.saved_model_reader import refuse_special_file

PLAN_IN_MODEL = os.path.join("assets.extra", "permafrost", "freeze_plan.json")
"""Where: TensorFlow Serving leaves `assets.extra` alone, and Pusher copies it with the rest."""


def write_plan(model_dir: str, plan: FreezePlan) -> None:
    """Puts the plan into the SavedModel folder `model_dir`, local or remote."""
    file = os.path.join(model_dir, PLAN_IN_MODEL)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.gfile.GFile(file, "w") as stream:
        stream.write(plan.to_json())


def read_plan(model_dir: str) -> FreezePlan | None:
    """The plan in the SavedModel folder `model_dir`; None: it carries none.

    Raises:
        UserError: There is one, but it can't be read or understood.
    """
    file = os.path.join(model_dir, PLAN_IN_MODEL)
    if not tf.io.gfile.exists(file):
        return None
    refuse_special_file(file, "freeze plan")
    try:
        with tf.io.gfile.GFile(file, "rb") as stream:
            content = stream.read()
    except tf.errors.OpError as error:  # a folder, or no permission
        raise UserError(f"freeze plan: can't be read ({error.message}); export the model again") from None
    return FreezePlan.from_json(content)
