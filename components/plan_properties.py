"""What ML Metadata knows of a freeze plan."""

from tfx.types.artifact import Artifact

from trainer_module.freezing.freeze_plan import FreezePlan


def record_plan(artifact: Artifact, plan: FreezePlan) -> None:
    """Writes onto an artifact, as custom properties, which plan it holds or was made by.

    They are `hub` (the handle), `hub_digest`, `plan_digest`, `frozen_params` and `trainable_params`: with them one can
    ask ML Metadata for all models that were trained by one plan.

    Args:
        artifact: An output of the running component; TFX publishes it when the component succeeds.
        plan: See `FreezePlan`.
    """
    artifact.set_string_custom_property("hub", plan.model.hub)
    artifact.set_string_custom_property("hub_digest", plan.model.hub_digest)
    artifact.set_string_custom_property("plan_digest", plan.digest())
    artifact.set_int_custom_property("frozen_params", plan.frozen_params)
    artifact.set_int_custom_property("trainable_params", plan.trainable_params)
