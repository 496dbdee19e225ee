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
from trainer_module.freezing.freeze_rules import parse_rules
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.train import train

FIRST_BLOCK = ["freeze embeddings", "freeze encoder[:1]"]
# Frozen parts, and how many variables of how many that is.
HUB_MODELS = [
    ("bert_L-4_H-32", FIRST_BLOCK, (21, 71), True),
    ("bert_L-12_H-16", FIRST_BLOCK, (21, 199), True),
    ("bert_relu_L-2_H-32", FIRST_BLOCK, (21, 39), True),
    ("bert_v2_L-3_H-32", FIRST_BLOCK, (21, 55), True),
    ("bert_list_io_L-3_H-32", FIRST_BLOCK, (21, 55), True),
    ("electra_L-3_H-32_E-16", FIRST_BLOCK, (23, 57), True),
    ("albert_L-4_H-32", ["freeze embeddings"], (7, 25), True),
    ("mobilebert_L-3", FIRST_BLOCK, (41, 111), False),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rules", "frozen", "rebuilt"), HUB_MODELS, ids=[name for name, *_ in HUB_MODELS])
def test_it_plans_trains_and_audits(
    hub_model: Callable[[str], Path],
    reviews: Transformed,
    tmp_path: Path,
    name: str,
    rules: list[str],
    frozen: tuple[int, int],
    rebuilt: bool,
) -> None:
    model = HubModel(str(hub_model(name)))
    bert = reviews.settings.to_custom_config()["bert"]
    bert |= {"hub": model.handle, "freeze": rules, "epochs": 1, "batch_size": 32, "learning_rate": 1e-3}
    settings = type(reviews.settings).from_custom_config({"bert": bert})
    plan = plan_freeze(settings, model)
    assert (len(plan.frozen_names), len(plan.variables)) == frozen

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
    record = check_frozen(plan, model.weights, classifier.encoder.hub_variables)

    folder = tmp_path / "exported"
    export(ServingModel(classifier, reviews.output, settings, [b"negative", b"positive"]), str(folder), plan)
    found = audit(str(folder), plan, model, record)
    assert (found.verdict, found.problems) == ("passed", ())
    assert (found.frozen_params, found.trainable_params) == (plan.frozen_params, plan.trainable_params)
    assert found.moved_variables > 0

    served = tf.saved_model.load(str(folder)).signatures["predict_text"](sentence=tf.constant(["the film is good"]))
    np.testing.assert_allclose(served["probabilities"].numpy().sum(), 1.0, atol=1e-6)


@pytest.mark.slow
def test_an_encoder_of_one_unit_refuses_blocks(hub_model: Callable[[str], Path], reviews: Transformed) -> None:
    model = HubModel(str(hub_model("albert_L-4_H-32")))
    with pytest.raises(UserError) as error:
        plan_freeze(reviews.settings.model_copy(update={"freeze": parse_rules(["freeze encoder[:2]"])}), model)
    assert str(error.value) == (
        "rule 1 `freeze encoder[:2]`: all layers of this model share the weights of one block, so no block stands "
        "alone; write `encoder` for all layers"
    )
