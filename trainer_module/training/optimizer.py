"""AdamW with a warm-up and a linear decay, as BERT is fine-tuned, for variables that don't all start together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
        start_step: Step at which the way up begins; the way down is the same for every start.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, start_step: int = 0) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.start_step = start_step

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        done = tf.cast(step, tf.float32)
        up = (done - self.start_step + 1.0) / max(self.warmup_steps, 1)
        down = (self.total_steps - done) / max(self.total_steps - self.warmup_steps, 1)
        return self.peak * tf.maximum(0.0, tf.minimum(up if self.warmup_steps else 1.0, tf.minimum(down, 1.0)))

    def starting_at(self, step: int) -> "WarmupLinearDecay":
        """The same course with its way up moved to this step."""
        return WarmupLinearDecay(self.peak, self.warmup_steps, self.total_steps, step)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "start_step": self.start_step,
        }


@dataclass(frozen=True)
class Course:
    """How one variable learns.

    Attributes:
        lr: What its learning rate is multiplied with.
        start_step: The first step that changes it.
    """

    lr: float = 1.0
    start_step: int = 0


class CourseAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019) in which each variable has its own start and learning rate.

    A variable that starts late learns as if training began with its start: its warm-up, and Adam's correction of
    the means' bias, count from there. With the default course it is plain AdamW.

    Args:
        schedule: The learning rate of a variable with the default course.
        course_of: The course of a variable.
        kwargs: As `keras.optimizers.AdamW` has them.
    """

    def __init__(self, schedule: WarmupLinearDecay, course_of: Callable[[tf.Variable], Course], **kwargs: Any) -> None:
        super().__init__(schedule, **kwargs)
        self._course_of = course_of

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, tf.Variable]], **kwargs: Any) -> tf.Tensor:
        """As `keras.optimizers.Optimizer` has it, with an embedding table's gradient as a whole.

        Clipping would count a row that occurs twice in a batch as two, and not as their sum.
        """
        return super().apply_gradients([(_dense(gradient), each) for gradient, each in grads_and_vars], **kwargs)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Decays and updates one variable, and its two slots."""
        course = self._course_of(variable)
        rate = tf.cast(self._rate(course), variable.dtype)
        if self._use_weight_decay(variable):
            variable.assign(variable * (1.0 - self.weight_decay * rate))
        # Both means start at zero, and dividing them by 1 - beta^steps makes up for that. Were the steps counted from
        # the beginning of training, then a variable that starts late would get next to no correction. Its mean of
        # squares, under the fraction line, needs most of it: its first updates would be three to six times too large.
        steps = tf.cast(self.iterations + (1 - course.start_step), variable.dtype)
        mean, square = self._slots(variable)
        # One pass over all four, where the same in single operations makes a dozen.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=square.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), steps),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), steps),
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def _apply_weight_decay(self, variables: Any) -> None:
        """Nothing: `update_step` decays, because it knows the variable's rate."""
        return

    def _rate(self, course: Course) -> tf.Tensor:
        rate = self.learning_rate
        if course.start_step:
            rate = self._learning_rate.starting_at(course.start_step)(self.iterations)
        return rate if course.lr == 1 else rate * course.lr

    def _slots(self, variable: tf.Variable) -> tuple[tf.Variable, tf.Variable]:
        index = self._index_dict[self._var_key(variable)]
        return self._momentums[index], self._velocities[index]


def _dense(gradient: Any) -> Any:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, gradient.dense_shape[0])


def make_optimizer(
    settings: TrainSettings, total_steps: int, course_of: Callable[[tf.Variable], Course] = lambda variable: Course()
) -> CourseAdamW:
    """The optimizer for `total_steps` steps; it gets slots for the variables that it is built for only.

    Args:
        course_of: The course of each variable; asked when the training step is traced.
    """
    warmup_steps = round(settings.warmup_fraction * total_steps)
    optimizer = CourseAdamW(
        WarmupLinearDecay(settings.learning_rate, warmup_steps, total_steps),
        course_of,
        weight_decay=settings.weight_decay,
        epsilon=1e-6,
        global_clipnorm=settings.clip_norm or None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "layer_norm"])
    return optimizer
