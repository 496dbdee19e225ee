"""Digests are of float32 bytes; movements add up, over chunks and over variables."""

import hashlib
import struct

import numpy as np
import pytest

from trainer_module.audit import variable_record
from trainer_module.audit.variable_record import (
    Movement,
    TrainingRecord,
    digest,
    movement,
    record_training,
    record_variable,
)
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan, PlannedModel, PlannedVariable

KERNEL = PlannedVariable(name="kernel", block="pooler", trainable=True, parameters=4, rule=None)
BIAS = PlannedVariable(name="bias", block="pooler", trainable=False, parameters=2, rule=0)
PLAN = FreezePlan(
    model=PlannedModel(family="bert", blocks=1, hidden=2, parameters=6), rules=(), variables=(KERNEL, BIAS)
)
BEFORE = {"kernel": np.array([[3, 0], [0, 4]], np.float32), "bias": np.zeros(2, np.float32)}
AFTER = {"kernel": np.array([[3, 0], [0.5, 4]], np.float32), "bias": np.zeros(2, np.float32)}


def test_a_digest_is_of_little_endian_float32_in_c_order() -> None:
    expected = hashlib.sha256(struct.pack("<4f", 3, 0, 0.5, 4)).hexdigest()
    assert digest(AFTER["kernel"]) == expected
    assert digest(np.asfortranarray(AFTER["kernel"])) == expected
    assert digest(AFTER["kernel"].astype(np.float64)) == expected
    assert digest(AFTER["kernel"].astype(">f4")) == expected


def test_a_digest_tells_zeros_of_different_signs_apart() -> None:
    assert digest(np.array([0.0], np.float32)) != digest(np.array([-0.0], np.float32))


def test_a_scalar_and_nothing_have_digests() -> None:
    assert digest(np.array(1, np.float32)) == hashlib.sha256(struct.pack("<f", 1)).hexdigest()
    assert digest(np.zeros((0, 3), np.float32)) == hashlib.sha256(b"").hexdigest()


def test_movement_is_the_largest_and_the_relative_difference() -> None:
    moved = movement(BEFORE["kernel"], AFTER["kernel"])
    assert moved == Movement(max_abs=0.5, squares=0.25, squares_before=25)
    assert (moved.largest, moved.relative_l2) == (0.5, 0.1)


def test_movements_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 7, 5)).astype(np.float32)
    whole = movement(before, after)
    monkeypatch.setattr(variable_record, "_CHUNK", 8)
    for parts in (movement(before, after), movement(before[:3], after[:3]) + movement(before[3:], after[3:])):
        assert parts.max_abs == whole.max_abs == np.abs(after.astype(float) - before).max()
        assert parts.relative_l2 == pytest.approx(whole.relative_l2, rel=1e-12)


def test_what_did_not_move_moved_by_nothing() -> None:
    still = movement(BEFORE["bias"], AFTER["bias"])
    assert (still.largest, still.relative_l2) == (0.0, 0.0)
    assert (Movement().largest, Movement().relative_l2) == (0.0, 0.0)


def test_a_move_away_from_zero_has_no_relative_size() -> None:
    moved = movement(np.zeros(2), np.ones(2))
    assert (moved.largest, moved.relative_l2) == (1.0, None)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_have_no_size(odd: float) -> None:
    moved = movement(np.array([1, 2], np.float32), np.array([1, odd], np.float32))
    assert (moved.largest, moved.relative_l2) == (None, None)
    total = Movement(max_abs=3, squares=9, squares_before=1) + moved
    assert (total.largest, total.relative_l2) == (None, None)
    assert (moved + Movement()).largest is None


def test_the_record_of_a_variable() -> None:
    record, moved = record_variable(KERNEL, BEFORE["kernel"], AFTER["kernel"])
    assert record.model_dump() == {
        "name": "kernel",
        "block": "pooler",
        "trainable": True,
        "parameters": 4,
        "sha256_before": digest(BEFORE["kernel"]),
        "sha256_after": digest(AFTER["kernel"]),
        "max_abs_change": 0.5,
        "relative_l2_change": 0.1,
    }
    assert record.moved
    assert moved == movement(BEFORE["kernel"], AFTER["kernel"])


def test_values_of_another_float_type_are_compared_as_float32() -> None:
    tenth = np.array([0.1], np.float64)  # no float32
    record, _ = record_variable(BIAS, tenth, tenth.astype(np.float32))
    assert not record.moved
    assert record.max_abs_change == 0.0


def test_the_record_of_a_training_follows_the_plan_and_survives_json() -> None:
    record = record_training(PLAN, BEFORE.__getitem__, AFTER.__getitem__)
    assert record.plan_digest == PLAN.digest()
    assert [(each.name, each.moved) for each in record.variables] == [("kernel", True), ("bias", False)]
    assert TrainingRecord.from_json(record.to_json()) == record


def test_values_that_are_not_finite_survive_json() -> None:
    record, _ = record_variable(KERNEL, BEFORE["kernel"], np.full((2, 2), np.nan, np.float32))
    whole = TrainingRecord(plan_digest="", variables=(record,))
    assert TrainingRecord.from_json(whole.to_json()) == whole
    assert whole.variables[0].max_abs_change is None


def test_text_that_is_no_record_is_refused() -> None:
    with pytest.raises(UserError) as error:
        TrainingRecord.from_json('{"variables": [{"name": 1}]}')
    assert "variables.json.plan_digest: is missing" in str(error.value)
    assert "variables.json.variables[0].name: should be a valid string; given 1" in str(error.value)
