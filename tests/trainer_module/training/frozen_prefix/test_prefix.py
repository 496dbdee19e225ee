"""The prefix is as long as nothing in it trains, and what is kept of it is as little as will be read."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer_module.encoder import HubLayerEncoder
from trainer_module.hub.hub_model import HubModel
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.prefix import Kept, Prefix, part_names, prefix_in

ALL = {"freeze": "all"}
EMBEDDINGS = {"freeze": "embeddings"}


@pytest.fixture(scope="module")
def prefix_of(tiny_encoder: Callable[..., Any]) -> Callable[..., Any]:
    def make(*rules: dict[str, Any], pooling: str = "pooled", epoch: int = 0) -> Any:
        planned = tiny_encoder(*rules, pooling=pooling)
        classifier = BertClassifier(planned.encoder, outputs=2, pooling=pooling, dropout=0.1, seed=0)
        prefix = prefix_in(epoch, planned.plan, classifier)
        return prefix, part_names(prefix, planned.plan) if prefix else []

    return make


@pytest.mark.parametrize(
    ("rules", "pooling", "expected"),
    [
        ((), "pooled", None),
        (({"freeze": "encoder"},), "pooled", None),
        ((EMBEDDINGS,), "pooled", Prefix(1, Kept.STATES)),
        ((EMBEDDINGS, {"freeze": "encoder[0,2]"}), "pooled", Prefix(2, Kept.STATES)),
        ((EMBEDDINGS, {"freeze": "encoder[:2]"}), "cls", Prefix(3, Kept.STATES)),
        ((ALL, {"train": "pooler"}), "pooled", Prefix(4, Kept.FIRST_STATE)),
        ((ALL,), "pooled", Prefix(4, Kept.POOLED)),
        ((ALL,), "cls", Prefix(4, Kept.POOLED)),
        ((EMBEDDINGS, {"freeze": "encoder"}), "mean", Prefix(4, Kept.POOLED)),
        ((ALL, {"train": "layer_0/output/bias"}), "mean", Prefix(1, Kept.STATES)),
    ],
)
def test_from_the_embeddings_up(
    prefix_of: Callable[..., Any], rules: Any, pooling: str, expected: Prefix | None
) -> None:
    assert prefix_of(*rules, pooling=pooling)[0] == expected


def test_in_an_early_epoch_it_reaches_further(prefix_of: Callable[..., Any]) -> None:
    rules = (EMBEDDINGS, {"freeze": "encoder", "until_epoch": 2}, {"freeze": "pooler", "until_epoch": 1})
    found = [prefix_of(*rules, epoch=epoch)[0] for epoch in range(3)]
    assert found == [Prefix(4, Kept.POOLED), Prefix(4, Kept.FIRST_STATE), Prefix(1, Kept.STATES)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [((EMBEDDINGS,), None), ((EMBEDDINGS, {"freeze": "encoder"}), None), ((ALL,), Prefix(0, Kept.POOLED))],
)
def test_a_program_that_runs_as_a_whole_has_none_but_the_whole(
    rules: Any, expected: Prefix | None, tiny_encoder: Callable[..., Any], tiny_model: HubModel
) -> None:
    plan = tiny_encoder(*rules).plan
    encoder = HubLayerEncoder(tiny_model, plan.is_trainable)
    classifier = BertClassifier(encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    assert prefix_in(0, plan, classifier) == expected


def test_its_parts_are_named_as_in_a_plan(prefix_of: Callable[..., Any]) -> None:
    blocks = ["encoder[0]", "encoder[1]", "encoder[2]"]
    assert prefix_of(EMBEDDINGS)[1] == ["embeddings"]
    assert prefix_of(ALL, {"train": "pooler"})[1] == ["embeddings", *blocks]
    assert prefix_of(ALL)[1] == ["embeddings", *blocks, "pooler"]
    assert prefix_of(ALL, pooling="mean")[1] == ["embeddings", *blocks]


def test_it_is_told_in_words() -> None:
    said = [str(Prefix(parts, Kept.STATES)) for parts in (1, 2, 3)]
    assert said == ["embeddings", "embeddings + 1 block", "embeddings + 2 blocks"]
    assert str(Prefix(4, Kept.POOLED)) == "the whole encoder"
