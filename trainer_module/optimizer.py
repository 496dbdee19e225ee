"""AdamW with a warm-up and a linear decay, as BERT is fine-tuned."""

from typing import Any

import tensorflow as tf
import tf_keras as keras

from trainer_module.settings import TrainSettings


class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 up to `peak` in `warmup_steps`, then linearly down to 0 at `total_steps` (Devlin et al. 2019, A.2).

    Args:
        peak: Highest learning rate.
        warmup_steps: Steps on the way up; 0 starts at the peak.
        total_steps: Step at which the rate is 0.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        done = tf.cast(step, tf.float32)
        up = (done + 1.0) / max(self.warmup_steps, 1)
        down = (self.total_steps - done) / max(self.total_steps - self.warmup_steps, 1)
        return self.peak * tf.maximum(0.0, tf.minimum(up if self.warmup_steps else 1.0, tf.minimum(down, 1.0)))

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


def make_optimizer(settings: TrainSettings, total_steps: int) -> keras.optimizers.Optimizer:
    """The optimizer for `total_steps` steps; it gets a slot for each trainable variable only."""
    warmup_steps = round(settings.warmup_fraction * total_steps)
    optimizer = keras.optimizers.AdamW(
        WarmupLinearDecay(settings.learning_rate, warmup_steps, total_steps),
        weight_decay=settings.weight_decay,
        epsilon=1e-6,
        global_clipnorm=settings.clip_norm or None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "layer_norm"])
    return optimizer
