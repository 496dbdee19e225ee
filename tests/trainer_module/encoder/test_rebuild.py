"""The rebuilt encoder is the SavedModel's function, with exactly the planned variables trainable."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.encoder import BertEncoder, CannotRebuild, rebuild
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.encoder.math import ACTIVATIONS, gelu_tanh
from trainer_module.encoder.noise import Noise
from trainer_module.encoder.probe import probe_batch
from trainer_module.freezing.freeze_plan import make_plan
from trainer_module.freezing.freeze_rules import parse_rules
from trainer_module.hub.hub_model import HubModel

HALF_FROZEN = [{"freeze": "embeddings"}, {"freeze": "encoder[:2]"}]
MIXED = [{"freeze": "all"}, {"train": "encoder[1]"}, {"freeze": "layer_1/**/kernel"}, {"train": "pooler"}]


@pytest.fixture
def changed(one_block_model: HubModel) -> Callable[..., HubModel]:
    """A model whose weights in memory aren't those of its program."""

    def make(name: str, change: Callable[[np.ndarray], np.ndarray]) -> HubModel:
        one_block_model.load()  # once, not for each copy
        model = copy.copy(one_block_model)
        model.__dict__["weights"] = dict(one_block_model.weights) | {name: change(one_block_model.weights[name])}
        return model

    return make


@pytest.fixture
def one_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer candidates, for speed."""
    monkeypatch.setitem(rebuild.__globals__, "_EPSILONS", (1e-12,))


def names(variables: Any) -> list[str]:
    return sorted(variable.name.removesuffix(":0") for variable in variables)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("bert_L-4_H-32", "gelu_tanh"),
        # The same, with more blocks.
        pytest.param("bert_L-12_H-16", "gelu_tanh", marks=pytest.mark.soak),
        ("bert_relu_L-2_H-32", "relu"),
        ("bert_list_io_L-3_H-32", "gelu_tanh"),
        ("electra_L-3_H-32_E-16", "gelu_tanh"),
        ("bert_v2_L-3_H-32", "gelu_tanh"),
        ("albert_L-4_H-32", "gelu_tanh"),
    ],
)
def test_every_family_is_rebuilt(loaded_once: Callable[[str], HubModel], name: str, activation: str) -> None:
    model = loaded_once(name)
    blocks = "encoder" if model.layout.shared_blocks else "encoder[:1]"
    plan = make_plan(parse_rules([{"freeze": "embeddings"}, {"freeze": blocks}]), model.layout)
    rebuilt = rebuild(model, plan.is_trainable, dropout=0.1)
    assert rebuilt.activation == activation
    assert rebuilt.epsilon == 1e-12
    assert rebuilt.largest_difference <= 1e-5
    assert list(rebuilt.encoder.hub_variables) == [variable.name for variable in model.layout.variables]
    assert names(rebuilt.encoder.trainable_variables) == sorted(plan.trainable_names)
    assert names(rebuilt.encoder.non_trainable_variables) == sorted(plan.frozen_names)
    for variable_name, variable in rebuilt.encoder.hub_variables.items():
        assert variable.numpy().tobytes() == model.weights[variable_name].tobytes()


@pytest.mark.slow
def test_another_batch_than_the_probe_agrees_too(tiny_model: HubModel) -> None:
    encoder = rebuild(tiny_model, lambda name: True, dropout=0.1).encoder
    batch = probe_batch(tiny_model.layout, seed=7)
    expected = tiny_model.load()(batch, training=False)
    tokens = batch["input_mask"].numpy() == 1
    outputs = encoder(batch)
    states = outputs["sequence_output"].numpy()
    np.testing.assert_allclose(states[tokens], expected["sequence_output"].numpy()[tokens], atol=1e-5)
    np.testing.assert_allclose(outputs["pooled_output"], expected["pooled_output"], atol=1e-5)
    blocks = encoder.block_outputs(batch)
    for ours, theirs in zip(blocks, expected["encoder_outputs"], strict=True):
        np.testing.assert_allclose(ours.numpy()[tokens], theirs.numpy()[tokens], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rules", [[], [{"freeze": "all"}], HALF_FROZEN, MIXED, [{"freeze": "all"}, {"train": "bias"}]])
def test_exactly_the_planned_variables_train(tiny_encoder, tiny_model: HubModel, rules) -> None:
    planned = tiny_encoder(*rules)
    assert names(planned.encoder.trainable_variables) == sorted(planned.plan.trainable_names)
    assert names(planned.encoder.variables) == sorted(variable.name for variable in tiny_model.layout.variables)
    for name, variable in planned.encoder.hub_variables.items():
        assert variable.trainable is planned.plan.is_trainable(name)


@pytest.mark.parametrize("rules", [[{"freeze": "all"}], HALF_FROZEN, MIXED])
def test_gradients_reach_exactly_the_trainable_variables(tiny_encoder, tiny_model: HubModel, rules) -> None:
    encoder = tiny_encoder(*rules).encoder
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(probe_batch(tiny_model.layout), training=True)["pooled_output"][:, 0])
    assert names(tape.watched_variables()) == names(encoder.trainable_variables)
    variables = list(encoder.hub_variables.values())
    gradients = tape.gradient(loss, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert (gradient is not None) == variable.trainable, variable.name
        if gradient is not None and not variable.name.endswith("key/bias:0"):  # shifts all scores alike
            assert np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0, variable.name


def test_frozen_parts_have_no_dropout_and_the_others_do(tiny_encoder, tiny_model: HubModel) -> None:
    encoder = tiny_encoder(*HALF_FROZEN).encoder
    batch = probe_batch(tiny_model.layout)
    still = encoder.block_outputs(batch, training=False)
    first, second = (encoder.block_outputs(batch, training=True) for _ in range(2))
    for block in (0, 1):
        np.testing.assert_array_equal(first[block], still[block])
    assert np.abs(first[2] - second[2]).max() > 1e-3
    assert np.abs(first[2] - still[2]).max() > 1e-3


def test_a_trainable_part_below_a_frozen_one_keeps_its_dropout(tiny_encoder, tiny_model: HubModel) -> None:
    encoder = tiny_encoder({"freeze": "encoder"}).encoder
    batch = probe_batch(tiny_model.layout)
    embedded = [encoder.run_parts(batch, 0, 1, Noise.fresh())[0] for _ in range(2)]
    assert np.abs(embedded[0] - embedded[1]).max() > 1e-3
    inputs = {"states": embedded[0], "input_mask": batch["input_mask"]}
    np.testing.assert_array_equal(*(encoder.run_parts(inputs, 1, 2, Noise.fresh())[0] for _ in range(2)))


def test_all_frozen_is_the_same_function_in_training(tiny_encoder, tiny_model: HubModel) -> None:
    encoder = tiny_encoder({"freeze": "all"}).encoder
    batch = probe_batch(tiny_model.layout)
    trained, applied = (encoder(batch, training=training)["sequence_output"] for training in (True, False))
    np.testing.assert_array_equal(trained, applied)


def test_what_trains_from_now_on_decides_about_dropout(tiny_encoder, tiny_model: HubModel) -> None:
    encoder = tiny_encoder().encoder
    batch = probe_batch(tiny_model.layout)
    encoder.train_only(["transformer/layer_2/output/bias"])
    still = encoder.block_outputs(batch, training=False)
    first, second = (encoder.block_outputs(batch, training=True) for _ in range(2))
    np.testing.assert_array_equal(first[1], still[1])
    assert np.abs(first[2] - second[2]).max() > 1e-3
    encoder.train_only([])
    np.testing.assert_array_equal(encoder.block_outputs(batch, training=True)[2], still[2])


@pytest.mark.slow
def test_the_block_of_an_albert_is_one_set_of_variables_in_all_layers(loaded_once) -> None:
    model = loaded_once("albert_L-4_H-32")
    encoder = rebuild(model, lambda name: name.startswith("transformer"), dropout=0.0).encoder
    assert len(encoder.blocks) == 1
    batch = probe_batch(model.layout)
    outputs = encoder.block_outputs(batch)
    expected = model.load()(batch, training=False)["encoder_outputs"]
    tokens = batch["input_mask"].numpy() == 1
    for ours, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ours.numpy()[tokens], theirs.numpy()[tokens], atol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(batch)["sequence_output"][:, 0, 0])
    assert len(encoder.trainable_variables) == 16
    assert all(gradient is not None for gradient in tape.gradient(loss, encoder.trainable_variables))


def test_no_dropout_is_no_dropout(tiny_encoder, tiny_model: HubModel) -> None:
    encoder = tiny_encoder(dropout=0.0).encoder
    batch = probe_batch(tiny_model.layout)
    trained, applied = (encoder(batch, training=training)["sequence_output"] for training in (True, False))
    np.testing.assert_array_equal(trained, applied)


@pytest.mark.parametrize(
    "name",
    [
        "transformer/layer_0/self_attention/query/kernel",
        "transformer/layer_0/output/kernel",
        "type_embeddings/embeddings",
        "embeddings/layer_norm/gamma",
        "pooler_transform/kernel",
    ],
)
def test_an_encoder_that_computes_something_else_is_not_trusted(changed, one_epsilon, name: str) -> None:
    rng = np.random.default_rng(0)
    wrong = changed(name, lambda value: value + rng.normal(0, 0.01, value.shape).astype(np.float32))
    with pytest.raises(CannotRebuild) as error:
        rebuild(wrong, lambda name: True, dropout=0.1)
    message = str(error.value)
    assert message.startswith("a BERT's variables but not its outputs: a probe batch differs by ")
    assert message.endswith(" (at most 0.0001 is trusted)")


def test_weights_that_are_not_numbers_are_not_trusted(changed, one_epsilon) -> None:
    broken = changed("transformer/layer_0/intermediate/kernel", lambda value: np.full_like(value, np.nan))
    with pytest.raises(CannotRebuild, match="a probe batch differs by nan"):
        rebuild(broken, lambda name: True, dropout=0.1)


def test_other_families_are_not_rebuilt(loaded_once: Callable[[str], HubModel]) -> None:
    with pytest.raises(CannotRebuild, match="not a standard BERT: it has variables that no BERT has, such as mobile"):
        rebuild(loaded_once("mobilebert_L-3"), lambda name: True, dropout=0.1)


@pytest.mark.slow
def test_a_candidate_that_gives_no_numbers_does_not_hide_one_that_fits(
    one_block_model: HubModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = {"gelu_tanh": gelu_tanh, "broken": lambda x: x * np.nan, "relu": tf.nn.relu}
    for order in (candidates, dict(reversed(candidates.items()))):
        for module in (rebuild.__globals__, BertEncoder.compute_with.__globals__):
            monkeypatch.setitem(module, "ACTIVATIONS", order)
        assert rebuild(one_block_model, lambda name: True, dropout=0.1).activation == "gelu_tanh"


@pytest.mark.parametrize(("activation", "epsilon"), [("gelu", 1e-3), ("relu", 1e-5)])
def test_the_probe_finds_what_the_saved_model_does_not_say(
    one_block_model: HubModel, activation: str, epsilon: float
) -> None:
    layout = one_block_model.layout
    frozen = HubWeights(layout, one_block_model.weights, lambda name: False)
    program = BertEncoder(layout, frozen, activation=activation, epsilon=epsilon)

    def run(batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        return program(batch, training=training)

    model = copy.copy(one_block_model)
    model.__dict__["program"] = run
    rebuilt = rebuild(model, lambda name: True, dropout=0.1)
    assert (rebuilt.activation, rebuilt.epsilon, rebuilt.largest_difference) == (activation, epsilon, 0.0)


def test_the_probe_has_padding_both_segments_and_one_token_rows(tiny_model: HubModel) -> None:
    batch = {name: tensor.numpy() for name, tensor in probe_batch(tiny_model.layout).items()}
    assert batch["input_mask"].sum(axis=1).tolist() == [1, 2, 7, 16, 16]
    assert set(batch["input_type_ids"][batch["input_mask"] == 1]) == {0, 1}
    assert not batch["input_word_ids"][batch["input_mask"] == 0].any()
    words = tiny_model.weights["word_embeddings/embeddings"].shape[0]
    assert batch["input_word_ids"][batch["input_mask"] == 1].min() > 0
    assert batch["input_word_ids"].max() < words


def test_every_activation_can_be_told_from_the_others() -> None:
    x = tf.constant([-1.0, 0.5, 2.0])
    outputs = [tuple(activation(x).numpy().tolist()) for activation in ACTIVATIONS.values()]
    assert len(set(outputs)) == len(ACTIVATIONS)
