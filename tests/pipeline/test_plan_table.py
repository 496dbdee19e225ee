"""A plan as people see it."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.cli.plan_table import print_plan
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings


@pytest.fixture(scope="module")
def model(tiny_hub: Path) -> HubModel:
    return HubModel(str(tiny_hub))


def table(model: HubModel, *rules: str, pooling: str = "pooled") -> tuple[FreezePlan, list[str]]:
    """The plan, and the printed lines with single spaces and no frames."""
    settings = ModelSettings.model_validate(
        {"hub": model.handle, "freeze": list(rules), "pooling": pooling, "max_tokens": 32}
    )
    plan = plan_freeze(settings, model)
    console = Console(file=io.StringIO(), width=200)
    print_plan(console, plan, model.layout, tokens=32)
    assert isinstance(console.file, io.StringIO)
    text = "".join(" " if character in "│┃" else character for character in console.file.getvalue())
    return plan, [" ".join(line.split()) for line in text.splitlines()]


def test_a_line_per_part_and_totals(model: HubModel) -> None:
    plan, lines = table(model, "freeze embeddings", "freeze encoder[:2]", "train encoder[1]")
    parameters = {block.name: block.parameters for block in plan.blocks()}
    assert lines[0] == "bert: 3 blocks, width 32, 2 heads"
    rows = [line for line in lines if line.startswith(("embeddings", "encoder", "pooler"))]
    assert rows[:3] == [
        f"embeddings {parameters['embeddings']:,} 100% frozen 1. freeze embeddings",
        f"encoder[0] {parameters['encoder[0]']:,} 100% frozen 2. freeze encoder[:2]",
        f"encoder[1] {parameters['encoder[1]']:,} 0% trains 3. train encoder[1]",
    ]
    assert rows[4] == f"pooler {parameters['pooler']:,} 0% trains no rule: trains"
    total = plan.model.parameters
    assert f"frozen {plan.frozen_params:,} {plan.frozen_params / total:.1%}" in lines
    assert f"trainable {plan.trainable_params:,} {plan.trainable_params / total:.1%}, and the task head" in lines


def test_a_part_of_which_some_is_frozen(model: HubModel) -> None:
    plan, lines = table(model, "freeze bias")
    (first,) = (line for line in lines if line.startswith("encoder[0]"))
    block = plan.blocks()[1]
    assert (
        first
        == f"encoder[0] {block.parameters:,} {block.frozen_params / block.parameters:.0%} partly frozen 1. freeze bias"
    )


def test_an_unused_pooler(model: HubModel) -> None:
    plan, lines = table(model, pooling="mean")
    (pooler,) = (line for line in lines if line.startswith("pooler"))
    assert "unused" in pooler
    assert any(line.endswith(f"({plan.unused_params:,} of them unused by the head)") for line in lines)


@pytest.mark.parametrize(("rules", "least", "most"), [((), 0, 0), (("freeze all",), 60, 70)])
def test_what_it_saves(model: HubModel, rules: tuple[str, ...], least: int, most: int) -> None:
    """With everything frozen no gradient is computed: two thirds of the arithmetic."""
    _, lines = table(model, *rules)
    (saved,) = (line for line in lines if line.startswith("saves"))
    assert least <= int(saved.split()[1].rstrip("%")) <= most
    assert saved.endswith("of a training step's arithmetic at 32 tokens")
