"""An audit finds every bit that isn't as planned, and passes what is. The exported models here hold variables only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer_module.conftest import rewrite
from trainer_module.audit.audit_record import AuditRecord
from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.plan_in_model import PLAN_IN_MODEL, write_plan
from trainer_module.audit.variable_record import TrainingRecord, record_training
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings

HALF = ("freeze embeddings", "freeze encoder[:2]")
FROZEN = "transformer/layer_1/intermediate/kernel"
TRAINED = "transformer/layer_2/output/kernel"
HEAD = "bert_classifier/head/kernel"
HEAD_VALUES = {HEAD: np.ones((32, 2), np.float32)}
Values = Mapping[str, np.ndarray]


def flip(bit: int, at: int = -1) -> Callable[[np.ndarray], np.ndarray]:
    """Flips one bit of one float32 number; bit 0 is the least of the mantissa."""

    def change(value: np.ndarray) -> np.ndarray:
        value = value.copy()
        value.view(np.uint32).reshape(-1)[at] ^= np.uint32(1 << bit)
        return value

    return change


@pytest.fixture(scope="module")
def make_plan(tiny_model: HubModel) -> Callable[..., FreezePlan]:
    @cache
    def make(*rules: str, pooling: str = "pooled") -> FreezePlan:
        settings = ModelSettings.model_validate(
            {"hub": tiny_model.handle, "freeze": list(rules), "pooling": pooling, "max_tokens": 16}
        )
        return plan_freeze(settings, tiny_model)

    return make


@pytest.fixture(scope="module")
def half(make_plan) -> FreezePlan:
    return make_plan(*HALF)


@pytest.fixture
def save(tmp_path: Path, export_variables: Callable[..., Path]) -> Callable[..., str]:
    """Exports variables as the Trainer does, and a head's; gives the folder."""

    def save(values: Values, plan: FreezePlan | None) -> str:
        return str(export_variables(tmp_path / "model", values, plan, head=HEAD_VALUES))

    return save


@pytest.fixture(scope="module")
def trained(tiny_model: HubModel) -> Callable[[FreezePlan], dict[str, np.ndarray]]:
    """The Hub's values, with every trainable number moved by 0.25."""

    def train(plan: FreezePlan) -> dict[str, np.ndarray]:
        return {name: value + np.float32(0.25) * plan.is_trainable(name) for name, value in tiny_model.weights.items()}

    return train


@pytest.fixture(scope="module")
def exported_once(
    trained, half: FreezePlan, export_variables: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return export_variables(tmp_path_factory.mktemp("exported") / "model", trained(half), half, head=HEAD_VALUES)


@pytest.fixture
def exported(exported_once: Path, tmp_path: Path) -> str:
    """A model as planned, which the test may damage."""
    return str(shutil.copytree(exported_once, tmp_path / "exported"))


def only_problem(record: AuditRecord) -> str:
    assert record.verdict == "failed"
    (problem,) = record.problems
    return problem


def test_a_model_as_planned_passes(exported: str, half: FreezePlan, tiny_model: HubModel) -> None:
    record = audit(exported, half, tiny_model)
    assert (record.verdict, record.problems) == ("passed", ())
    assert (record.model, record.hub, record.hub_digest) == (exported, tiny_model.handle, tiny_model.digest)
    assert record.plan_digest == half.digest()
    assert (record.frozen_params, record.trainable_params) == (half.frozen_params, half.trainable_params)
    assert record.moved_variables == len(half.trainable_names)
    assert [each.name for each in record.variables] == [each.name for each in half.variables]
    assert [each.moved for each in record.variables] == [each.trainable for each in half.variables]
    assert AuditRecord.from_json(record.to_json()) == record


def test_each_part_of_the_model_is_summed_up(exported: str, half: FreezePlan, tiny_model: HubModel) -> None:
    blocks = {block.name: block for block in audit(exported, half, tiny_model).blocks}
    assert list(blocks) == ["embeddings", "encoder[0]", "encoder[1]", "encoder[2]", "pooler"]
    for name, block in blocks.items():
        weights = [tiny_model.weights[each.name] for each in half.variables if each.block == name]
        parameters = sum(weight.size for weight in weights)
        moved = name in ("encoder[2]", "pooler")
        assert (block.parameters, block.variables) == (parameters, len(weights))
        assert (block.frozen_params, block.trainable_params) == ((0, parameters) if moved else (parameters, 0))
        assert block.moved_variables == (len(weights) if moved else 0)
        norm = np.sqrt(sum(np.sum(weight.astype(np.float64) ** 2) for weight in weights))
        expected = 0.25 * np.sqrt(parameters) / norm if moved else 0.0
        assert block.relative_l2_change == pytest.approx(expected, rel=1e-6)
        assert block.max_abs_change == pytest.approx(0.25 if moved else 0.0, rel=1e-6)


def test_it_runs_nothing(exported: str, half: FreezePlan, tiny_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was loaded")

    monkeypatch.setattr(tf.saved_model, "load", refuse)
    assert audit(exported, half, HubModel(str(tiny_hub))).verdict == "passed"


@pytest.mark.parametrize("bit", [0, 11, 22, 31])
def test_one_flipped_bit_of_a_frozen_variable_is_found_and_named(
    exported: str, half: FreezePlan, tiny_model: HubModel, bit: int
) -> None:
    rewrite(Path(exported), {FROZEN: flip(bit)})
    record = audit(exported, half, tiny_model)
    assert only_problem(record) == f"1 frozen variables differ from the Hub model's: {FROZEN}"
    assert record.moved_variables == len(half.trainable_names) + 1
    (wrong,) = (each for each in record.variables if each.name == FROZEN)
    assert wrong.moved and not wrong.trainable


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_found_and_named(
    exported: str, half: FreezePlan, tiny_model: HubModel, number: float
) -> None:
    def spoil(value: np.ndarray) -> np.ndarray:
        value = value.copy()
        value.reshape(-1)[-1] = number
        return value

    rewrite(Path(exported), dict.fromkeys((FROZEN, TRAINED, HEAD), spoil))
    record = audit(exported, half, tiny_model)
    assert record.problems == (
        f"the exported model has weights that are NaN or infinite: {FROZEN}, {TRAINED}, {HEAD}",
        f"1 frozen variables differ from the Hub model's: {FROZEN}",
    )
    (block,) = (block for block in record.blocks if block.name == "encoder[1]")
    assert (block.max_abs_change, block.relative_l2_change) == (None, None)
    assert (block.largest_change, block.moved_by) == ("unknown", "unknown")
    assert AuditRecord.from_json(record.to_json()) == record


def test_many_frozen_variables_that_moved_are_counted_and_some_named(save, half, tiny_model) -> None:
    moved = {name: value + np.float32(1) for name, value in tiny_model.weights.items()}
    problem = only_problem(audit(save(moved, half), half, tiny_model))
    count = len(half.frozen_names)
    assert problem.startswith(f"{count} frozen variables differ from the Hub model's: {half.frozen_names[0]}, ")
    assert problem.endswith(f" and {count - 8} more")


def test_a_model_in_which_nothing_trained_fails(save, half, tiny_model) -> None:
    assert only_problem(audit(save(tiny_model.weights, half), half, tiny_model)) == (
        f"nothing was trained: none of {len(half.trainable_names)} trainable variables differs from the Hub model's"
    )


@pytest.mark.parametrize("rules", [("freeze all",), ("freeze all until_epoch=2",)])
def test_nothing_has_to_move_where_all_is_frozen_at_first(save, make_plan, tiny_model, rules: tuple[str]) -> None:
    plan = make_plan(*rules)
    record = audit(save(tiny_model.weights, plan), plan, tiny_model)
    assert (record.verdict, record.moved_variables) == ("passed", 0)


def test_what_is_unfrozen_later_may_move(save, trained, make_plan, tiny_model) -> None:
    plan = make_plan("freeze all until_epoch=2")
    record = audit(save(trained(plan), plan), plan, tiny_model)
    assert (record.verdict, record.moved_variables) == ("passed", len(plan.variables))


def test_an_unused_pooler_counts_as_frozen(save, trained, make_plan, tiny_model) -> None:
    plan = make_plan("freeze embeddings", pooling="mean")
    values = trained(plan)
    assert audit(save(values, plan), plan, tiny_model).verdict == "passed"
    values["pooler_transform/bias"] = values["pooler_transform/bias"] + np.float32(1)
    problem = only_problem(audit(save(values, plan), plan, tiny_model))
    assert problem == "1 frozen variables differ from the Hub model's: pooler_transform/bias"


@pytest.fixture
def changed_hub(tiny_hub: Path, tmp_path: Path) -> HubModel:
    """The tiny model with another number in a frozen matrix."""
    folder = tmp_path / "changed"
    shutil.copytree(tiny_hub, folder)
    rewrite(folder, {FROZEN: flip(5)})
    return HubModel(str(folder))


def test_another_hub_model_than_planned_is_found(exported: str, half, tiny_model, changed_hub: HubModel) -> None:
    record = audit(exported, half, changed_hub)
    assert record.verdict == "failed"
    assert record.problems == (
        f"the Hub model {changed_hub.handle} is not the one that was planned: its content is {changed_hub.digest}, "
        f"the plan says {tiny_model.digest}",
        f"1 frozen variables differ from the Hub model's: {FROZEN}",
    )


def test_a_hub_model_of_another_shape_is_found(exported: str, half, hub_model) -> None:
    """4 blocks instead of 3, and another vocabulary."""
    record = audit(exported, half, HubModel(str(hub_model("bert_L-4_H-32"))))
    extra, words, differing = (
        next(problem for problem in record.problems if part in problem)
        for part in ("are missing in the plan", "word_embeddings/embeddings has shape", "frozen variables differ")
    )
    assert extra.startswith("16 variables of the Hub model are missing in the plan: transformer/layer_3/")
    assert words.endswith("in the Hub's")
    assert "position_embedding/embeddings" in differing or "type_embeddings/embeddings" in differing


def test_variables_that_are_missing_or_of_another_kind_are_found(save, trained, half, tiny_model) -> None:
    values = trained(half)
    del values[TRAINED]
    values[FROZEN] = values[FROZEN].T
    values["pooler_transform/bias"] = values["pooler_transform/bias"].astype(np.float16)
    record = audit(save(values, half), half, tiny_model)
    assert record.verdict == "failed"
    assert record.problems == (
        f"1 variables of the plan are missing in the exported model: {TRAINED}",
        f"{FROZEN} has shape (64, 32) in the exported model, (32, 64) in the Hub's",
        "pooler_transform/bias is float16 in the exported model; it must be float32",
    )
    assert len(record.variables) == len(half.variables) - 3


def test_two_variables_of_one_name_are_found(trained, half, tiny_model, tmp_path: Path) -> None:
    root = tf.Module()
    root.first = [tf.Variable(value, name=name) for name, value in trained(half).items()]
    root.second = tf.Variable(tiny_model.weights[FROZEN], name=FROZEN)
    tf.saved_model.save(root, str(tmp_path / "model"))
    write_plan(str(tmp_path / "model"), half)
    problem = only_problem(audit(str(tmp_path / "model"), half, tiny_model))
    assert problem == f"1 variables of the plan are in the exported model more than once: {FROZEN}"


def test_another_plan_in_the_model_is_found(save, trained, make_plan, half, tiny_model) -> None:
    other = make_plan("freeze embeddings", "freeze encoder[0]")
    problems = audit(save(trained(half), other), half, tiny_model).problems
    (problem,) = problems
    names = [name for name in half.frozen_names if name not in other.frozen_names]
    assert problem == (
        "the exported model was trained by another plan: it trains other variables; "
        f"they differ in {', '.join(names[:8])} and {len(names) - 8} more"
    )


def test_other_learning_rates_are_another_plan(save, trained, make_plan, half, tiny_model) -> None:
    other = make_plan(*HALF, "train pooler lr=0.1")
    assert only_problem(audit(save(trained(half), other), half, tiny_model)) == (
        "the exported model was trained by another plan: "
        "it trains the same variables, but at other epochs or learning rates"
    )


def test_a_model_trained_from_other_content_is_found(save, trained, half, tiny_model) -> None:
    other = half.model_copy(update={"model": half.model.model_copy(update={"hub_digest": "sha256:" + "0" * 64})})
    assert only_problem(audit(save(trained(half), other), half, tiny_model)) == (
        f"the exported model was trained from another Hub model: sha256:{'0' * 64}, the plan says {tiny_model.digest}"
    )


def test_a_model_without_a_plan_or_with_a_broken_one_fails(save, trained, half, tiny_model) -> None:
    exported = save(trained(half), None)
    assert only_problem(audit(exported, half, tiny_model)) == f"the exported model carries no plan ({PLAN_IN_MODEL})"
    write_plan(exported, half)
    Path(exported, PLAN_IN_MODEL).write_text('{"rules": []}')
    problems = audit(exported, half, tiny_model).problems
    assert problems == tuple(
        f"the plan in the exported model can't be understood: freeze plan.{key}: is missing"
        for key in ("model", "variables")
    )


@pytest.mark.slow
def test_any_raw_bit_flipped_in_the_variables_file_is_found(exported: str, half, tiny_model) -> None:
    (file,) = Path(exported, "variables").glob("variables.data-*")
    content = file.read_bytes()
    offsets = [0, len(content) - 1, *np.random.default_rng(0).integers(0, len(content), 30).tolist()]
    for offset in offsets:
        damaged = bytearray(content)
        damaged[offset] ^= 1
        file.write_bytes(damaged)
        record = audit(exported, half, tiny_model)
        assert record.verdict == "failed", offset
        assert "can't be read" in record.problems[0]
        assert "hecksum" in record.problems[0], record.problems[0]
        assert "fetch the model again" not in record.problems[0], "nobody can fetch an exported model"
    file.write_bytes(content)
    assert audit(exported, half, tiny_model).verdict == "passed"


def test_a_damaged_variable_is_named_and_the_others_are_still_compared(exported: str, half, tiny_model) -> None:
    (file,) = Path(exported, "variables").glob("variables.data-*")
    content = bytearray(file.read_bytes())
    start = content.index(tiny_model.weights[FROZEN].tobytes())
    content[start + 7] ^= 64
    file.write_bytes(content)
    record = audit(exported, half, tiny_model)
    assert only_problem(record).startswith(f"the exported model is damaged: {FROZEN} can't be read (")
    assert len(record.variables) == len(half.variables) - 1


def test_damage_in_the_task_head_is_found_too(exported: str, half, tiny_model) -> None:
    (file,) = Path(exported, "variables").glob("variables.data-*")
    content = bytearray(file.read_bytes())
    content[content.index(np.ones(64, np.float32).tobytes())] ^= 1
    file.write_bytes(content)
    assert only_problem(audit(exported, half, tiny_model)).startswith(
        f"the exported model is damaged: {HEAD} can't be read ("
    )


def test_a_folder_without_a_model_fails(half, tiny_model, tmp_path: Path) -> None:
    write_plan(str(tmp_path), half)
    record = audit(str(tmp_path), half, tiny_model)
    assert only_problem(record).startswith(f"the exported model {tmp_path} can't be read: ")
    assert (record.variables, record.moved_variables) == ((), 0)
    assert [block.moved_by for block in record.blocks] == ["unknown"] * 5


def test_a_damaged_hub_model_is_the_users_to_mend(exported: str, half, changed_hub: HubModel) -> None:
    (file,) = Path(changed_hub.path, "variables").glob("variables.data-*")
    content = bytearray(file.read_bytes())
    content[content.index(changed_hub.weights[FROZEN].tobytes())] ^= 1
    file.write_bytes(content)
    damaged = f"{changed_hub.path}/variables is damaged"
    with pytest.raises(UserError, match=rf"^model\.hub: {damaged} \(.*hecksum.*\); fetch the model again$"):
        audit(exported, half, HubModel(changed_hub.path))


@pytest.fixture
def training(half: FreezePlan, trained, tiny_model) -> TrainingRecord:
    values = trained(half)
    return record_training(half, lambda name: tiny_model.weights[name], lambda name: values[name])


def test_what_was_exported_must_be_what_was_trained(exported: str, half, tiny_model, training) -> None:
    assert audit(exported, half, tiny_model, training).verdict == "passed"
    rewrite(Path(exported), {TRAINED: flip(0)})
    assert audit(exported, half, tiny_model).verdict == "passed", "without the record nobody can tell"
    assert only_problem(audit(exported, half, tiny_model, training)) == (
        f"1 variables are not in the exported model as the Trainer left them: {TRAINED}"
    )


def test_a_record_of_another_training_is_refused(exported: str, half, make_plan, tiny_model, training) -> None:
    other = make_plan("freeze embeddings")
    record = audit(exported, half, tiny_model, training.model_copy(update={"plan_digest": other.digest()}))
    assert only_problem(record) == f"the Trainer trained by another plan: {other.digest()}, not {half.digest()}"


def test_text_that_is_no_record_is_refused() -> None:
    with pytest.raises(UserError, match=r"freeze audit\.verdict: is missing"):
        AuditRecord.from_json('{"problems": []}')
