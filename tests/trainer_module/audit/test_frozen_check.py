"""One flipped bit in a frozen variable is found; a training that trained nothing too."""

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.audit.frozen_check import FrozenWeightMoved, NothingTrained, check_frozen
from trainer_module.audit.variable_record import digest

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
FROZEN = "transformer/layer_1/intermediate/kernel"
TRAINED = "transformer/layer_2/output/bias"


def flip_bit(variable: tf.Variable, bit: int = 0) -> None:
    """Flips one bit of the variable's last number; bit 0 is the least."""
    value = variable.numpy()
    value.view(np.uint32).reshape(-1)[-1] ^= np.uint32(1 << bit)
    variable.assign(value)


def test_frozen_as_planned_passes(tiny_encoder, tiny_model) -> None:
    planned = tiny_encoder(*HALF)
    flip_bit(planned.encoder.hub_variables[TRAINED])
    record = check_frozen(planned.plan, tiny_model.weights, planned.encoder.hub_variables)
    assert [variable.name for variable in record.variables] == [each.name for each in planned.plan.variables]
    assert [variable.name for variable in record.variables if variable.moved] == [TRAINED]
    (moved,) = (variable for variable in record.variables if variable.moved)
    assert moved.sha256_before == digest(tiny_model.weights[TRAINED])
    assert moved.sha256_after == digest(planned.encoder.hub_variables[TRAINED].numpy())


@pytest.mark.parametrize("bit", [0, 22, 31])
def test_one_flipped_bit_is_found_and_named(tiny_encoder, tiny_model, bit: int) -> None:
    planned = tiny_encoder(*HALF)
    variables = planned.encoder.hub_variables
    flip_bit(variables[TRAINED])
    flip_bit(variables[FROZEN], bit)
    with pytest.raises(FrozenWeightMoved) as error:
        check_frozen(planned.plan, tiny_model.weights, variables)
    assert str(error.value) == f"1 frozen variables differ from the Hub's: {FROZEN}"


def test_the_sign_of_a_zero_counts(tiny_encoder, tiny_model) -> None:
    planned = tiny_encoder({"freeze": "all"})
    weights = {name: np.zeros_like(value) for name, value in tiny_model.weights.items()}
    for variable in planned.encoder.hub_variables.values():
        variable.assign(tf.zeros_like(variable))
    check_frozen(planned.plan, weights, planned.encoder.hub_variables)
    flip_bit(planned.encoder.hub_variables[FROZEN], 31)
    with pytest.raises(FrozenWeightMoved, match=FROZEN):
        check_frozen(planned.plan, weights, planned.encoder.hub_variables)


def test_every_variable_that_moved_is_named(tiny_encoder, tiny_model) -> None:
    planned = tiny_encoder({"freeze": "all"})
    for name in (FROZEN, "word_embeddings/embeddings"):
        flip_bit(planned.encoder.hub_variables[name])
    with pytest.raises(FrozenWeightMoved, match=f"^2 frozen .*: {FROZEN}, word_embeddings/embeddings$"):
        check_frozen(planned.plan, tiny_model.weights, planned.encoder.hub_variables)


def test_a_training_that_moved_nothing_is_found(tiny_encoder, tiny_model) -> None:
    planned = tiny_encoder(*HALF)
    with pytest.raises(NothingTrained, match=f"none of {len(planned.plan.trainable_names)} trainable variables moved"):
        check_frozen(planned.plan, tiny_model.weights, planned.encoder.hub_variables)


def test_nothing_has_to_move_where_all_is_frozen(tiny_encoder, tiny_model) -> None:
    planned = tiny_encoder({"freeze": "all"})
    check_frozen(planned.plan, tiny_model.weights, planned.encoder.hub_variables)


def test_an_unused_pooler_need_not_move(tiny_encoder, tiny_model) -> None:
    planned = tiny_encoder({"freeze": "embeddings"}, {"freeze": "encoder"}, pooling="mean")
    check_frozen(planned.plan, tiny_model.weights, planned.encoder.hub_variables)


def test_what_is_unfrozen_later_need_not_move(tiny_encoder, tiny_model) -> None:
    """Training may have stopped before."""
    planned = tiny_encoder({"freeze": "all", "until_epoch": 2})
    check_frozen(planned.plan, tiny_model.weights, planned.encoder.hub_variables)
