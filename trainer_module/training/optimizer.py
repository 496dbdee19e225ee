"""AdamW with a warm-up and a linear decay, as BERT is fine-tuned, for variables that don't all start together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras as keras

from trainer_module.settings import TrainSettings
from trainer_module.training.loss_scale import LossScale


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
        loss_scale: Where losses are scaled, for float16. A step whose gradients overflow counts as a step, but changes
            nothing.
        kwargs: As `keras.optimizers.AdamW` has them.
    """

    def __init__(
        self,
        schedule: WarmupLinearDecay,
        course_of: Callable[[tf.Variable], Course],
        loss_scale: LossScale | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(schedule, **kwargs)
        self.loss_scale = loss_scale
        self._course_of = course_of
        self._courses: tuple[Course, ...] = ()
        self._finite: tf.Tensor | None = None

    def build(self, var_list: Iterable[tf.Variable]) -> None:
        """As `keras.optimizers.Optimizer` has it."""
        variables = list(var_list)
        if not self._courses:
            self._courses = tuple(self._course_of(variable) for variable in variables)
        super().build(variables)

    def compute_gradients(self, loss: tf.Tensor, var_list: list[tf.Variable], tape: Any = None) -> list[Any]:
        """As `keras.optimizers.Optimizer` has it; the gradients are those of the scaled loss."""
        if self.loss_scale is None:
            return super().compute_gradients(loss, var_list, tape)
        gradients = tape.gradient(loss, var_list, output_gradients=tf.identity(self.loss_scale.value))
        return list(zip(gradients, var_list, strict=True))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, tf.Variable]], **kwargs: Any) -> tf.Tensor:
        """As `keras.optimizers.Optimizer` has it, with an embedding table's gradient as a whole.

        Clipping would count a row that occurs twice in a batch as two, and not as their sum.
        """
        return super().apply_gradients([(_dense(gradient), each) for gradient, each in grads_and_vars], **kwargs)

    def aggregate_gradients(self, grads_and_vars: Iterable[tuple[Any, tf.Variable]]) -> list[Any]:
        """The gradients summed over all replicas, no longer scaled; so what follows is the same on each of them."""
        summed = super().aggregate_gradients(grads_and_vars)
        if self.loss_scale is None:
            return summed
        gradients, variables = zip(*summed, strict=True)
        unscaled, self._finite = self.loss_scale.unscale(gradients)
        return list(zip(unscaled, variables, strict=True))

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Decays and updates one variable, and its two slots."""
        index = self._index_dict[self._var_key(variable)]
        course = self._courses[index]
        rate = tf.cast(self._rate(course), variable.dtype)
        beta_1, beta_2 = self.beta_1, self.beta_2
        if self._finite is not None:
            # Of length zero, and with means that forget nothing and learn nothing, a step leaves every bit as it is.
            rate = tf.where(self._finite, rate, 0.0)
            beta_1, beta_2 = (tf.where(self._finite, beta, 1.0) for beta in (beta_1, beta_2))
        if self._use_weight_decay(variable):
            variable.assign(variable * (1.0 - self.weight_decay * rate))
        # Both means start at zero, and dividing them by 1 - beta^steps makes up for that. Were the steps counted from
        # the beginning of training, then a variable that starts late would get next to no correction. Its mean of
        # squares, under the fraction line, needs most of it: its first updates would be three to six times too large.
        steps = tf.cast(self.iterations + (1 - course.start_step), variable.dtype)
        # One pass over all four, where the same in single operations makes a dozen.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), steps),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), steps),
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
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


def _dense(gradient: Any) -> Any:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, gradient.dense_shape[0])


def make_optimizer(
    settings: TrainSettings, total_steps: int, course_of: Callable[[tf.Variable], Course] = lambda variable: Course()
) -> CourseAdamW:
    """The optimizer for `total_steps` steps; it gets slots for the variables that it is built for only.

    Args:
        course_of: The course of each variable; asked when the optimizer is built.
    """
    warmup_steps = round(settings.warmup_fraction * total_steps)
    optimizer = CourseAdamW(
        WarmupLinearDecay(settings.learning_rate, warmup_steps, total_steps),
        course_of,
        LossScale() if settings.compute_dtype == "float16" else None,
        weight_decay=settings.weight_decay,
        epsilon=1e-6,
        global_clipnorm=settings.clip_norm or None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "layer_norm"])
    return optimizer
