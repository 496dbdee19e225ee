"""A model's program may fail or run for ever: neither ends in anything but one message."""

import threading
from collections.abc import Callable

import pytest
import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub import program_run
from trainer_module.hub.program_run import try_program


def attempt(work: Callable[[], object]) -> object:
    return try_program(work, key="model.hub", handle="the/model", doing="tried out")


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        attempt(work)
    return str(error.value)


def fail_at_length() -> None:
    raise ValueError("\n the reason \n" + "nodes of the graph\n" * 100)


def fail_silently() -> None:
    raise KeyError


def test_what_the_work_gives_is_given() -> None:
    assert attempt(lambda: 3) == 3
    assert attempt(lambda: None) is None


def test_a_failure_is_told_in_one_line() -> None:
    assert refusal(fail_at_length) == (
        "model.hub: the/model can't be tried out (the reason); fetch the model again, or take another one"
    )


def test_a_failure_that_says_nothing_is_damage() -> None:
    assert "can't be tried out (its program is damaged)" in refusal(fail_silently)


@pytest.mark.parametrize("error", [UserError("mine"), MemoryError(), KeyboardInterrupt()])
def test_what_is_not_the_programs_fault_passes_through(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        attempt(work)
    assert raised.value is error


def test_a_loop_without_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_run, "TIME_LIMIT", 0.3)
    over = tf.Variable(False)

    @tf.function(autograph=False)
    def loop() -> tf.Tensor:
        return tf.while_loop(lambda count: tf.logical_not(over), lambda count: [count + 1], [tf.constant(0)])[0]

    assert refusal(loop) == (
        "model.hub: the/model didn't end within 0.3 seconds while it was tried out; its program seems to run for ever; "
        "take another model"
    )
    over.assign(True)
    for thread in threading.enumerate():
        if thread.name == "model program":
            thread.join()
