"""What can't be rebuilt trains through hub.KerasLayer, by the same plan."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.encoder import BertEncoder, HubLayerEncoder, make_encoder
from trainer_module.encoder.hub_call import call_hub_encoder
from trainer_module.encoder.probe import probe_batch
from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel

FIRST_BLOCK = "transformer/layer_0/"


@pytest.fixture
def not_rebuilt(tiny_model: HubModel) -> Callable[..., HubLayerEncoder]:
    """The tiny encoder as `hub.KerasLayer`."""
    return lambda is_trainable: HubLayerEncoder(tiny_model, is_trainable)


def names(variables: Any) -> list[str]:
    return sorted(variable.name.removesuffix(":0") for variable in variables)


def test_a_standard_bert_is_rebuilt(tiny_model: HubModel) -> None:
    made = make_encoder(tiny_model, lambda name: True, dropout=0.1)
    assert isinstance(made.encoder, BertEncoder)
    assert made.rebuilt and made.largest_difference <= 1e-5
    assert made.description.startswith("rebuilt: gelu_tanh, epsilon 1e-12; a probe differs from the SavedModel by ")


def test_a_probe_that_fails_leads_to_the_program(tiny_model: HubModel, caplog: pytest.LogCaptureFixture) -> None:
    changed = copy.copy(tiny_model)
    name = "transformer/layer_0/output/kernel"
    changed.__dict__["weights"] = dict(tiny_model.weights) | {name: tiny_model.weights[name] * 2}
    made = make_encoder(changed, lambda name: True, dropout=0.1)
    assert isinstance(made.encoder, HubLayerEncoder)
    assert not made.rebuilt
    assert "not rebuilt (a BERT's variables but not its outputs: a probe batch differs by" in made.description
    assert made.description.endswith("trains through hub.KerasLayer")
    assert made.description in caplog.text


def test_exactly_the_planned_variables_train(not_rebuilt, tiny_model: HubModel) -> None:
    encoder = not_rebuilt(lambda name: not name.startswith(FIRST_BLOCK))
    everything = [variable.name for variable in tiny_model.layout.variables]
    assert list(encoder.hub_variables) == everything
    assert names(encoder.variables) == sorted(everything)
    assert names(encoder.non_trainable_variables) == sorted(name for name in everything if name.startswith(FIRST_BLOCK))
    assert names(encoder.trainable_variables) == sorted(name for name in everything if not name.startswith(FIRST_BLOCK))


def test_it_computes_what_the_saved_model_computes(not_rebuilt, tiny_model: HubModel) -> None:
    batch = probe_batch(tiny_model.layout)
    expected = tiny_model.load()(batch, training=False)
    outputs = not_rebuilt(lambda name: True)(batch)
    assert set(outputs) == {"sequence_output", "pooled_output"}
    for name, output in outputs.items():
        np.testing.assert_array_equal(output, expected[name])


def test_dropout_is_off_while_anything_is_frozen(not_rebuilt, tiny_model: HubModel) -> None:
    batch = probe_batch(tiny_model.layout)

    def moves(encoder: HubLayerEncoder) -> bool:
        first, second = (encoder(batch, training=True)["sequence_output"].numpy() for _ in range(2))
        return bool(np.abs(first - second).max() > 1e-3)

    assert not moves(not_rebuilt(lambda name: not name.startswith(FIRST_BLOCK)))
    free = not_rebuilt(lambda name: True)
    assert moves(free)
    free.train_only([name for name in free.hub_variables if not name.startswith(FIRST_BLOCK)])
    assert not moves(free)
    free.train_only(free.hub_variables)
    assert moves(free)


def test_gradients_reach_the_trainable_variables(not_rebuilt, tiny_model: HubModel) -> None:
    encoder = not_rebuilt(lambda name: not name.startswith(FIRST_BLOCK))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(encoder.trainable_variables)
        loss = tf.reduce_sum(encoder(probe_batch(tiny_model.layout), training=True)["pooled_output"][:, 0])
    gradients = tape.gradient(loss, list(encoder.hub_variables.values()))
    for name, gradient in zip(encoder.hub_variables, gradients, strict=True):
        assert (gradient is None) == name.startswith(FIRST_BLOCK), name


@pytest.mark.slow
def test_a_mobilebert_trains_by_its_blocks(hub_model: Callable[[str], Path]) -> None:
    # Loaded for this test alone: what trains is the program itself.
    model = HubModel(str(hub_model("mobilebert_L-3")))
    last = [variable.name for variable in model.layout.in_block("encoder[2]")]
    made = make_encoder(model, lambda name: name in last, dropout=0.1)
    assert not made.rebuilt
    assert names(made.encoder.trainable_variables) == sorted(last)  # type: ignore[attr-defined]
    before = {name: variable.numpy() for name, variable in made.encoder.hub_variables.items()}
    optimizer = tf.keras.optimizers.SGD(0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made.encoder(probe_batch(model.layout), training=True)["pooled_output"] ** 2)
    variables = made.encoder.trainable_variables  # type: ignore[attr-defined]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    for name, variable in made.encoder.hub_variables.items():
        # Keys' biases shift all scores alike: their gradient is 0 up to rounding.
        if not name.endswith("key/bias"):
            assert (variable.numpy() != before[name]).any() == (name in last), name


def test_an_encoder_of_one_length_gets_its_padding(tiny_model: HubModel) -> None:
    from dataclasses import replace

    batch = probe_batch(tiny_model.layout)
    seen: list[tuple[int, ...]] = []

    def program(inputs: dict[str, tf.Tensor], training: bool) -> Any:
        seen.extend(tuple(tensor.shape) for tensor in inputs.values())
        return tiny_model.load()(inputs, training=training)

    interface = replace(tiny_model.interface, sequence_length=24)
    outputs = call_hub_encoder(program, interface, batch)
    assert set(seen) == {(5, 24)}
    assert outputs["sequence_output"].shape == (5, 16, 32)
    expected = tiny_model.load()(batch, training=False)
    tokens = batch["input_mask"].numpy() == 1
    np.testing.assert_allclose(
        outputs["sequence_output"].numpy()[tokens], expected["sequence_output"].numpy()[tokens], atol=1e-5
    )


class Called(HubModel):
    """The tiny encoder with something else in its program's place.

    Args:
        model: The honest one.
        program: What is called instead; takes the three inputs.
    """

    def __init__(self, model: HubModel, program: Callable[[dict[str, tf.Tensor]], Any]) -> None:
        self.__dict__.update(model.__dict__)
        self._program = program

    def load(self) -> Any:
        return lambda inputs, training: self._program(inputs)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (lambda inputs: {}, "'sequence_output'"),
        (lambda inputs: {"sequence_output": tf.ones([5, 16, 32]), "pooled_output": tf.ones([32])},
         "for tokens of the shape [5, 16] its outputs have [5, 16, 32] and [32]"),
        (lambda inputs: {"sequence_output": tf.matmul(tf.ones([2, 3]), tf.ones([2, 3]))}, "Matrix size-incompatible"),
    ],
    ids=["nothing", "shape", "error"],
)  # fmt: skip
def test_a_program_that_fails_when_it_is_tried_out_is_refused(
    tiny_model: HubModel, program: Callable[[dict[str, tf.Tensor]], Any], reason: str
) -> None:
    with pytest.raises(UserError) as error:
        make_encoder(Called(tiny_model, program), lambda name: True, dropout=0.1)
    message = str(error.value)
    assert message.startswith(f"model.hub: {tiny_model.handle} can't be run (")
    assert reason in message
    assert "\n" not in message


def test_what_cannot_be_rebuilt_is_tried_out_too(tiny_model: HubModel) -> None:
    other = Called(tiny_model, lambda inputs: {})
    other.layout = replace(tiny_model.layout, deviation="it has a twist")
    with pytest.raises(UserError, match="can't be run"):
        make_encoder(other, lambda name: True, dropout=0.1)
