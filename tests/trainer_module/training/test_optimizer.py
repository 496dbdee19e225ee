"""The learning rate's course, what decays, and what the optimizer keeps state for."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.probe import probe_batch
from trainer_module.settings import TrainSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.optimizer import Course, CourseAdamW, WarmupLinearDecay, make_optimizer


def rates(schedule: WarmupLinearDecay, *steps: int) -> list[float]:
    return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


@pytest.fixture
def half_frozen(tiny_encoder) -> Any:
    planned = tiny_encoder({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
    classifier = BertClassifier(planned.encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    return planned.plan, classifier


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    schedule = WarmupLinearDecay(peak=8.0, warmup_steps=4, total_steps=12)
    assert rates(schedule, 0, 1, 2, 3, 4, 5, 8, 11, 12, 20) == [2.0, 4.0, 6.0, 8.0, 8.0, 7.0, 4.0, 1.0, 0.0, 0.0]


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert rates(WarmupLinearDecay(8.0, 0, 4), 0, 1, 2, 3, 4) == [8.0, 6.0, 4.0, 2.0, 0.0]


def test_no_step_of_a_training_is_wasted() -> None:
    for total in (1, 2, 7):
        for warmup in range(total + 1):
            course = rates(WarmupLinearDecay(1.0, warmup, total), *range(total))
            assert min(course) > 0 and max(course) == 1.0, (total, warmup)


def test_a_later_start_has_a_warm_up_of_its_own_and_the_common_end() -> None:
    schedule = WarmupLinearDecay(peak=8.0, warmup_steps=4, total_steps=12)
    assert rates(schedule.starting_at(5), 5, 6, 7, 8, 11, 12) == [2.0, 4.0, 5.0, 4.0, 1.0, 0.0]
    assert rates(schedule.starting_at(0), *range(13)) == rates(schedule, *range(13))
    assert rates(WarmupLinearDecay(8.0, 0, 4).starting_at(2), 2, 3) == [4.0, 2.0]


def test_the_schedule_can_be_made_again_from_its_config() -> None:
    schedule = WarmupLinearDecay(0.5, 3, 10, start_step=2)
    again = WarmupLinearDecay.from_config(schedule.get_config())
    assert rates(again, 2, 5) == rates(schedule, 2, 5)


@pytest.mark.parametrize(("fraction", "warmup"), [(0.1, 10), (0.0, 0), (0.999, 100)])
def test_the_warm_up_is_a_share_of_all_steps(fraction: float, warmup: int) -> None:
    settings = TrainSettings(warmup_fraction=fraction, learning_rate=1e-3)
    schedule = make_optimizer(settings, 100)._learning_rate
    assert (schedule.peak, schedule.warmup_steps, schedule.total_steps) == (1e-3, warmup, 100)


def test_only_kernels_and_embeddings_decay(tiny_encoder, tiny_model) -> None:
    classifier = BertClassifier(tiny_encoder().encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    classifier(probe_batch(tiny_model.layout))
    classifier.head.bias.assign_add([1.0, 1.0])
    variables = classifier.trainable_variables
    before = {variable.name: variable.numpy() for variable in variables}
    optimizer = make_optimizer(TrainSettings(weight_decay=0.5, learning_rate=0.1, warmup_fraction=0.0), 10)
    optimizer.apply_gradients([(tf.zeros_like(variable), variable) for variable in variables])
    for variable in variables:
        excluded = variable.name.endswith("bias:0") or "layer_norm" in variable.name
        factor = 1.0 if excluded else 1 - 0.5 * 0.1
        np.testing.assert_allclose(variable.numpy(), before[variable.name] * factor, rtol=1e-5, err_msg=variable.name)


def test_slots_exist_for_trainable_variables_only(half_frozen, tiny_model) -> None:
    plan, classifier = half_frozen
    classifier(probe_batch(tiny_model.layout))
    optimizer = make_optimizer(TrainSettings(), 10)
    optimizer.build(classifier.trainable_variables)
    trained = len(plan.trainable_names) + 2  # and the head's kernel and bias
    slots = [variable for variable in optimizer.variables if variable.shape.rank > 0]
    assert len(slots) == 2 * trained
    trainable = sum(plan_variable.parameters for plan_variable in plan.variables if plan_variable.trainable)
    assert sum(int(np.prod(slot.shape)) for slot in slots) == 2 * (trainable + 32 * 2 + 2)


@pytest.mark.parametrize(("clip_norm", "expected"), [(1.0, 1.0), (0.0, None)])
def test_a_clip_norm_of_zero_turns_clipping_off(clip_norm: float, expected: float | None) -> None:
    assert make_optimizer(TrainSettings(clip_norm=clip_norm), 10).global_clipnorm == expected


# Courses of single variables

SETTINGS = TrainSettings(learning_rate=0.1, weight_decay=0.2, warmup_fraction=0.3, clip_norm=0.0)
TOTAL = 10


def variables() -> list[tf.Variable]:
    """An embedding table, a kernel, and two that don't decay."""
    rng = np.random.default_rng(0)
    shapes = {"embeddings": (6, 3), "kernel": (3, 2), "bias": (2,), "layer_norm/gamma": (3,)}
    return [tf.Variable(rng.normal(size=shape), name=name, dtype=tf.float32) for name, shape in shapes.items()]


def gradients(step: int) -> list[Any]:
    """Of `variables()`; the table's is sparse, with a row that occurs twice."""
    rng = np.random.default_rng([1, step])
    values, indices = tf.constant(rng.normal(size=(4, 3)), tf.float32), tf.constant([0, 2, 2, step % 6])
    rows = tf.IndexedSlices(values, indices, dense_shape=tf.constant([6, 3]))
    return [rows, *(tf.constant(rng.normal(size=each.shape), tf.float32) for each in variables()[1:])]


def run(optimizer: keras.optimizers.Optimizer, starts: list[int], dense: bool = False) -> list[np.ndarray]:
    """The variables after `TOTAL` steps, each with gradients from its start on; `dense` joins those of a table."""
    changed = variables()
    optimizer.build(changed)

    @tf.function
    def apply(given: list[Any], indexes: tuple[int, ...]) -> None:
        optimizer.apply_gradients([(given[index], changed[index]) for index in indexes])

    for step in range(TOTAL):
        given = [tf.convert_to_tensor(each) if dense else each for each in gradients(step)]
        apply(given, tuple(index for index, start in enumerate(starts) if start <= step))
    return [variable.numpy() for variable in changed]


def with_courses(*courses: Course, settings: TrainSettings = SETTINGS) -> CourseAdamW:
    by_name = dict(zip([variable.name for variable in variables()], courses, strict=True))
    return make_optimizer(settings, TOTAL, lambda variable: by_name[variable.name])


@pytest.mark.slow
@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
def test_without_courses_it_is_plain_adamw(clip_norm: float) -> None:
    settings = SETTINGS.model_copy(update={"clip_norm": clip_norm})
    plain = keras.optimizers.AdamW(
        WarmupLinearDecay(0.1, 3, TOTAL), weight_decay=0.2, epsilon=1e-6, global_clipnorm=clip_norm or None
    )
    plain.exclude_from_weight_decay(var_names=["bias", "layer_norm"])
    ours = make_optimizer(settings, TOTAL)
    for ours_value, plain_value in zip(run(ours, [0] * 4), run(plain, [0] * 4, dense=True), strict=True):
        np.testing.assert_allclose(ours_value, plain_value, rtol=5e-5, atol=5e-6)
    for ours_slot, plain_slot in zip(ours.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours_slot, plain_slot, rtol=5e-5, atol=1e-7)


def test_a_row_that_occurs_twice_counts_once_in_the_norm_that_is_clipped() -> None:
    table = tf.Variable(tf.zeros([2, 1]))
    optimizer = make_optimizer(SETTINGS.model_copy(update={"clip_norm": 1.0, "weight_decay": 0.0}), TOTAL)
    twice = tf.IndexedSlices(tf.constant([[3.0], [-2.5]]), tf.constant([1, 1]), tf.constant([2, 1]))
    optimizer.apply_gradients([(twice, table)])  # 3 - 2.5 is below the norm of 1
    mean, square = (slot.numpy() for slot in optimizer.variables if slot.shape.rank == 2)
    np.testing.assert_allclose(mean, [[0.0], [0.05]], rtol=1e-6)
    np.testing.assert_allclose(square, [[0.0], [0.00025]], rtol=1e-4)


def expected(index: int, course: Course) -> np.ndarray:
    """AdamW by the book (Loshchilov & Hutter 2019, algorithm 2), for one variable that learns by a course."""
    value = variables()[index].numpy().astype(np.float64)
    mean, square = np.zeros_like(value), np.zeros_like(value)
    schedule = WarmupLinearDecay(0.1, 3, TOTAL).starting_at(course.start_step)
    for step in range(course.start_step, TOTAL):
        count = step - course.start_step + 1
        gradient = tf.convert_to_tensor(gradients(step)[index]).numpy().astype(np.float64)
        rate = rates(schedule, step)[0] * course.lr
        value -= rate * (0.2 if index < 2 else 0.0) * value
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        bias = np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        value -= rate * bias * mean / (np.sqrt(square) + 1e-6)
    return value


@pytest.mark.slow
def test_a_variable_learns_by_its_course_from_its_start_on() -> None:
    courses = [Course(0.1, 4), Course(0.5), Course(1.0, 4), Course(2.0, 7)]
    changed = run(with_courses(*courses), [course.start_step for course in courses])
    for index, (value, course) in enumerate(zip(changed, courses, strict=True)):
        np.testing.assert_allclose(value, expected(index, course), rtol=2e-5, atol=2e-6, err_msg=str(course))


def test_a_late_first_update_is_as_large_as_an_early_one() -> None:
    """Adam's first update is the learning rate, whatever the gradient: that needs the bias counted from the start."""
    settings = TrainSettings(learning_rate=0.1, warmup_fraction=0.0, weight_decay=0.0, clip_norm=0.0)
    late = tf.Variable([1.0, 1.0])
    optimizer = make_optimizer(settings, 1000, lambda variable: Course(start_step=500))
    optimizer.build([late])
    optimizer.iterations.assign(500)
    optimizer.apply_gradients([(tf.constant([3.0, -0.5]), late)])
    np.testing.assert_allclose(late.numpy(), [1 - 0.05, 1 + 0.05], rtol=1e-5)


def test_a_multiplier_scales_update_and_decay_of_a_first_step_alike() -> None:
    steps = []
    for lr in (1.0, 0.1):
        variable = tf.Variable([2.0, -2.0], name="kernel")

        def course_of(variable: tf.Variable, lr: float = lr) -> Course:
            return Course(lr)

        optimizer = make_optimizer(SETTINGS, TOTAL, course_of)
        optimizer.apply_gradients([(tf.constant([1.0, 1.0]), variable)])
        steps.append(variable.numpy() - [2.0, -2.0])
    np.testing.assert_allclose(steps[1], 0.1 * steps[0], rtol=1e-4)


def test_what_gets_no_gradient_does_not_decay_either() -> None:
    changed = run(with_courses(*[Course(start_step=TOTAL)] * 3, Course()), [TOTAL] * 3 + [0])
    for value, before in zip(changed[:3], variables()[:3], strict=True):
        np.testing.assert_array_equal(value, before)
    assert not np.array_equal(changed[3], variables()[3])
