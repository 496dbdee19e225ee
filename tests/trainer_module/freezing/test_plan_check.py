"""What is trained is what was planned before, or one message says in what they differ."""

from pathlib import Path
from typing import Any

import pytest

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.plan_check import refuse_other_plan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings

SAME = "give FreezePlanner and Trainer the same custom_config"


def make(model: HubModel, *freeze: str, **settings: Any) -> FreezePlan:
    given = {"hub": model.handle, "max_tokens": 16, "freeze": list(freeze), **settings}
    return plan_freeze(ModelSettings.model_validate(given), model)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "freeze_plan.json"


def problems(file: Path, planned: FreezePlan, plan: FreezePlan) -> list[str]:
    file.write_text(planned.to_json(), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        refuse_other_plan(str(file), plan)
    return [problem.replace(str(file), "FILE") for problem in caught.value.problems]


def test_the_same_plan_is_accepted_also_when_other_rules_make_it(tiny_model: HubModel, file: Path) -> None:
    file.write_text(make(tiny_model, "freeze encoder[:2]").to_json(), encoding="utf-8")
    refuse_other_plan(str(file), make(tiny_model, "freeze encoder[:2]"))
    refuse_other_plan(str(file), make(tiny_model, "freeze layer_[01]"))


def test_one_variable_that_differs_is_named(tiny_model: HubModel, file: Path) -> None:
    planned = make(tiny_model, "freeze pooler", "train pooler_transform/bias")
    assert problems(file, planned, make(tiny_model, "freeze pooler")) == [
        "model.freeze: this is not the plan in FILE: `pooler_transform/bias` (trains, now frozen) differs; planned "
        f"were `freeze pooler`, `train pooler_transform/bias`, given are `freeze pooler`; {SAME}"
    ]


def test_of_many_variables_the_first_are_named(tiny_model: HubModel, file: Path) -> None:
    assert problems(file, make(tiny_model), make(tiny_model, "freeze embeddings")) == [
        "model.freeze: this is not the plan in FILE: `word_embeddings/embeddings` (trains, now frozen), "
        "`position_embedding/embeddings` (trains, now frozen), `type_embeddings/embeddings` (trains, now frozen), "
        f"2 more differ; planned were no rules, given are `freeze embeddings`; {SAME}"
    ]


def test_another_stage_or_rate_is_another_plan(tiny_model: HubModel, file: Path) -> None:
    planned = make(tiny_model, "freeze pooler_transform/kernel until_epoch=2", "train pooler_transform/bias lr=0.1")
    (problem,) = problems(file, planned, make(tiny_model))
    assert (
        "`pooler_transform/kernel` (frozen until epoch 2, then trains, now trains), "
        "`pooler_transform/bias` (trains at 0.1, now trains) differ;"
    ) in problem


def test_variables_of_another_model_are_named(tiny_model: HubModel, file: Path) -> None:
    whole = make(tiny_model)
    less = whole.model_copy(update={"variables": whole.variables[:-1]})
    assert "`pooler_transform/bias` (unknown, now trains) differs;" in problems(file, less, whole)[0]
    assert "`pooler_transform/bias` (trains, now unknown) differs;" in problems(file, whole, less)[0]


def test_a_model_that_changed_since_is_refused_though_the_plan_is_the_same(tiny_model: HubModel, file: Path) -> None:
    plan = make(tiny_model, "freeze all")
    earlier = plan.model_copy(update={"model": plan.model.model_copy(update={"hub_digest": "sha256:" + "0" * 64})})
    assert problems(file, earlier, plan) == [
        f"model.hub: {tiny_model.handle} has changed since it was planned: it is {tiny_model.digest}, planned was "
        f"sha256:{'0' * 64}; set model.hub_digest to the one you mean, so that everything goes by it"
    ]


def test_both_differences_are_told_at_once(tiny_model: HubModel, file: Path) -> None:
    plan = make(tiny_model, "freeze all")
    earlier = plan.model_copy(update={"model": plan.model.model_copy(update={"hub_digest": "sha256:" + "0" * 64})})
    found = problems(file, earlier, make(tiny_model))
    assert [problem.split(" ")[0] for problem in found] == ["model.freeze:", "model.hub:"]


def test_a_plan_that_is_not_there_is_refused(tiny_model: HubModel, file: Path) -> None:
    with pytest.raises(UserError) as caught:
        refuse_other_plan(str(file), make(tiny_model))
    assert str(caught.value) == (
        f"freeze_plan: {file} can't be read: {file}; No such file or directory; give a plan's JSON file"
    )


def test_a_file_that_is_no_plan_is_refused_by_its_name(tiny_model: HubModel, file: Path) -> None:
    file.write_text('{"rules": []}', encoding="utf-8")
    with pytest.raises(UserError) as caught:
        refuse_other_plan(str(file), make(tiny_model))
    assert len(caught.value.problems) == 2
    assert all(problem.startswith(f"{file}: freeze plan.") for problem in caught.value.problems)
