"""Every family of Hub encoders plans, trains, exports and passes its audit, whether it could be rebuilt or not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer_module.conftest import Transformed
from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.frozen_check import check_frozen
from trainer_module.encoder import make_encoder
from trainer_module.errors import UserError
from trainer_module.export import ServingModel, export
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.train import train

FIRST_BLOCK = ["freeze embeddings", "freeze encoder[:1]"]
# Frozen parts, how many variables of how many that is, and whether it could be rebuilt.
HUB_MODELS: dict[str, tuple[list[str], tuple[int, int], bool]] = {
    "bert_L-4_H-32": (FIRST_BLOCK, (21, 71), True),
    "bert_L-12_H-16": (FIRST_BLOCK, (21, 199), True),
    "bert_relu_L-2_H-32": (FIRST_BLOCK, (21, 39), True),
    "bert_v2_L-3_H-32": (FIRST_BLOCK, (21, 55), True),
    "bert_list_io_L-3_H-32": (FIRST_BLOCK, (21, 55), True),
    "electra_L-3_H-32_E-16": (FIRST_BLOCK, (23, 57), True),
    "albert_L-4_H-32": (["freeze embeddings"], (7, 25), True),
    "mobilebert_L-3": (FIRST_BLOCK, (41, 111), False),
}
# The first four differ from the tiny encoder, which trains in all other tests, in what `rebuild` reads only: program,
# activation, number of blocks. What trains, and is exported, is the same network with variables of the same names. What
# an ELECTRA has more than they, a projection of its embeddings, an ALBERT has too.
LIKE_ANOTHER = (
    "bert_L-4_H-32",
    "bert_L-12_H-16",
    "bert_relu_L-2_H-32",
    "bert_list_io_L-3_H-32",
    "electra_L-3_H-32_E-16",
)


@pytest.mark.parametrize("name", HUB_MODELS)
def test_it_plans(loaded_once: Callable[[str], HubModel], name: str) -> None:
    rules, frozen, rebuilt = HUB_MODELS[name]
    model = loaded_once(name)
    plan = plan_freeze(ModelSettings.model_validate({"hub": model.handle, "freeze": rules}), model)
    assert (len(plan.frozen_names), len(plan.variables)) == frozen
    assert (model.layout.deviation == "") is rebuilt


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.soak] if name in LIKE_ANOTHER else []) for name in HUB_MODELS],
)
def test_it_trains_and_audits(
    hub_model: Callable[[str], Path], reviews: Transformed, tmp_path: Path, name: str
) -> None:
    rules, _, rebuilt = HUB_MODELS[name]
    model = HubModel(str(hub_model(name)))
    bert = reviews.settings.to_custom_config()["bert"]
    bert |= {"hub": model.handle, "freeze": rules, "epochs": 1, "batch_size": 32, "learning_rate": 1e-3}
    settings = type(reviews.settings).from_custom_config({"bert": bert})
    plan = plan_freeze(settings, model)

    made = make_encoder(model, plan.is_trainable, settings.dropout)
    assert made.rebuilt is rebuilt
    classifier = BertClassifier(made.encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    # The tokens of another vocabulary, but tokens all the same.
    tokens = reviews.tokens
    train(classifier, tokens, tokens, settings, plan, log_dir=str(tmp_path / "logs"))
    trained = [variable.name.removesuffix(":0") for variable in classifier.trainable_variables]
    assert sorted(trained) == sorted(
        [*plan.trainable_names, "bert_classifier/head/kernel", "bert_classifier/head/bias"]
    )
    slots = classifier.optimizer.variables
    assert len(slots) <= 2 * len(trained) + 2  # two moments each, the step and the learning rate
    variables = classifier.encoder.hub_variables
    assert any((variables[name].numpy() != model.weights[name]).any() for name in plan.trainable_names)
    for name in plan.trainable_names:  # keys' biases, for one, have no gradient
        variables[name].assign_add(tf.ones_like(variables[name]))
    record = check_frozen(plan, model.weights, variables)

    folder = tmp_path / "exported"
    export(ServingModel(classifier, reviews.output, settings, [b"negative", b"positive"]), str(folder), plan)
    found = audit(str(folder), plan, model, record)
    assert (found.verdict, found.problems) == ("passed", ())
    assert (found.frozen_params, found.trainable_params) == (plan.frozen_params, plan.trainable_params)
    assert [each.moved for each in found.variables] == [each.trainable for each in plan.variables]

    served = tf.saved_model.load(str(folder)).signatures["predict_text"](sentence=tf.constant(["the film is good"]))
    np.testing.assert_allclose(served["probabilities"].numpy().sum(), 1.0, atol=1e-6)


def test_an_encoder_of_one_unit_refuses_blocks(loaded_once: Callable[[str], HubModel]) -> None:
    model = loaded_once("albert_L-4_H-32")
    with pytest.raises(UserError) as error:
        plan_freeze(ModelSettings.model_validate({"hub": model.handle, "freeze": ["freeze encoder[:2]"]}), model)
    assert str(error.value) == (
        "rule 1 `freeze encoder[:2]`: all layers of this model share the weights of one block, so no block stands "
        "alone; write `encoder` for all layers"
    )
