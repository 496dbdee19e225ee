"""A configuration is held against its model before any data is read."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer_module.conftest import rewrite
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings, ModelSettings


def plan(model: HubModel, **settings: Any) -> FreezePlan:
    return plan_freeze(ModelSettings.model_validate({"hub": model.handle, "max_tokens": 64, **settings}), model)


def problems(model: HubModel, **settings: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        plan(model, **settings)
    return error.value.problems


def plan_training(model: HubModel, **settings: Any) -> FreezePlan:
    bert = {"hub": model.handle, "max_tokens": 64, "text": ["sentence"], "label": "label", **settings}
    return plan_freeze(BertSettings.model_validate(bert), model)


def test_the_rules_are_resolved_against_the_model(tiny_model: HubModel) -> None:
    made = plan(tiny_model, freeze=[{"freeze": "embeddings"}, {"freeze": "encoder[:2]"}])
    assert made.frozen_names == tuple(
        variable.name
        for variable in tiny_model.layout.variables
        if variable.block in ("embeddings", "encoder[0]", "encoder[1]")
    )
    assert made.frozen_params + made.trainable_params == tiny_model.layout.parameters


def test_as_many_tokens_as_positions_are_allowed(tiny_model: HubModel) -> None:
    assert plan(tiny_model, max_tokens=64).frozen_params == 0


def test_more_tokens_than_positions_are_refused(tiny_model: HubModel) -> None:
    assert problems(tiny_model, max_tokens=65) == [
        f"model.max_tokens: 65 is beyond the 64 positions of {tiny_model.handle}; set it to 64 or less"
    ]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_and_named(tiny_hub: Path, tmp_path: Path, number: float) -> None:
    def spoil(value: np.ndarray) -> np.ndarray:
        value.reshape(-1)[-1] = number
        return value

    names = ("word_embeddings/embeddings", "transformer/layer_1/output/bias")
    folder = Path(shutil.copytree(tiny_hub, tmp_path / "model"))
    rewrite(folder, dict.fromkeys(names, spoil))
    assert problems(HubModel(str(folder)), freeze=["freeze layer_9"]) == [
        f"model.hub: {folder} has weights that are NaN or infinite: {', '.join(names)}; "
        "fetch the model again, or take another",
        "rule 1 `freeze layer_9`: selects no variable of this model; did you mean `layer_2`?",
    ]


def test_all_that_does_not_fit_is_reported_together(tiny_model: HubModel) -> None:
    found = problems(tiny_model, max_tokens=128, freeze=[{"freeze": "layer_9"}, {"freeze": "encoder[3]"}])
    assert len(found) == 3
    assert found[0].startswith("model.max_tokens: 128 is beyond the 64 positions")
    assert "layer_9" in found[1]
    assert "encoder[3]" in found[2]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_pooler_that_the_head_does_not_read_is_unused(tiny_model: HubModel, pooling: str) -> None:
    made = plan(tiny_model, pooling=pooling)
    pooler = [variable for variable in made.variables if variable.block == "pooler"]
    assert [(variable.unused, variable.trainable) for variable in pooler] == [(True, False)] * 2
    assert made.unused_params == 32 * 32 + 32
    assert made.trainable_params == tiny_model.layout.parameters - made.unused_params


def test_a_pooler_that_the_head_reads_trains(tiny_model: HubModel) -> None:
    made = plan(tiny_model, pooling="pooled")
    assert made.unused_params == 0
    assert "pooler_transform/kernel" in made.trainable_names


def test_the_plan_names_its_model(tiny_model: HubModel) -> None:
    made = plan(tiny_model)
    assert (made.model.hub, made.model.hub_digest) == (tiny_model.handle, tiny_model.digest)


def test_the_layerwise_decay_enters_each_variables_rate(tiny_model: HubModel) -> None:
    rules = ["freeze embeddings", "train encoder[0] lr=0.1", "freeze encoder[1] until_epoch=1"]
    made = plan_training(tiny_model, freeze=rules, layerwise_lr_decay=0.5)
    assert {variable.block: (variable.trainable, variable.lr) for variable in made.variables} == {
        "embeddings": (False, 1.0),
        "encoder[0]": (True, 0.0125),
        "encoder[1]": (True, 0.25),
        "encoder[2]": (True, 0.5),
        "pooler": (True, 1.0),
    }


def test_without_training_settings_every_rate_is_the_rules(tiny_model: HubModel) -> None:
    made = plan(tiny_model, freeze=["freeze embeddings until_epoch=99", "train encoder[0] lr=0.1"])
    assert {variable.block: variable.lr for variable in made.variables if variable.lr != 1} == {"encoder[0]": 0.1}
    assert made.stages == (0, 99)


@pytest.mark.parametrize("pooling", ["pooled", "mean"])
def test_a_decay_leaves_an_unused_pooler_alone(tiny_model: HubModel, pooling: str) -> None:
    made = plan_training(tiny_model, pooling=pooling, layerwise_lr_decay=0.5)
    assert {variable.lr for variable in made.variables if variable.block == "pooler"} == {1.0}


def test_a_freeze_has_to_end_before_training_does(tiny_model: HubModel) -> None:
    settings: dict[str, Any] = {"freeze": ["freeze embeddings", "freeze encoder until_epoch=3"], "epochs": 3}
    with pytest.raises(UserError) as error:
        plan_training(tiny_model, **settings, pooling="cls")
    assert error.value.problems == [
        "rule 2 `freeze encoder until_epoch=3`: would never train what it selects, because training ends with epoch 3 "
        "(train.epochs); write `freeze encoder`, or train for 4 epochs or more"
    ]
    assert plan_training(tiny_model, **settings | {"epochs": 4}).stages == (0, 3)


def test_with_steps_the_number_of_epochs_is_not_known_yet(tiny_model: HubModel) -> None:
    assert plan_training(tiny_model, freeze=["freeze all until_epoch=9"], epochs=1, steps=10).stages == (0, 9)
