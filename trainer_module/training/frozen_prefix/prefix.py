"""The lower part of a classifier that gives the same output for the same text, because nothing in it trains."""

from dataclasses import dataclass
from enum import Enum

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.hub.layout import EMBEDDINGS, ENCODER, POOLER, block_name
from trainer_module.training.classifier import BertClassifier


class Kept(Enum):
    """What is stored of an example.

    Attributes:
        STATES: The state of every token.
        FIRST_STATE: That of the first token, where all blocks are frozen and the head or the pooler reads no other.
        POOLED: What the head reads, where all of the encoder is frozen.
    """

    STATES = "states"
    FIRST_STATE = "first_state"
    POOLED = "pooled"


@dataclass(frozen=True)
class Prefix:
    """What is computed once per example.

    Attributes:
        parts: How many parts of the encoder, the embeddings first; see `BertEncoder.parts`.
        kept: What is stored of their output.
    """

    parts: int
    kept: Kept

    def __str__(self) -> str:
        if self.kept is Kept.POOLED:
            return "the whole encoder"
        blocks = self.parts - 1
        return "embeddings" + (f" + {blocks} block{'s' if blocks > 1 else ''}" if blocks else "")


def prefix_in(epoch: int, plan: FreezePlan, classifier: BertClassifier) -> Prefix | None:
    """The longest prefix in which nothing trains in this zero-based epoch or before; none: the embeddings train.

    An encoder that runs as a whole only has one where all of it is frozen.
    """
    encoder = classifier.encoder
    if not plan.trains_in(epoch):
        return Prefix(encoder.parts, Kept.POOLED)
    parts = min(plan.frozen_prefix_in(epoch), encoder.parts)
    if not parts:
        return None
    only_first = parts == encoder.parts and classifier.pooling != "mean"
    return Prefix(parts, Kept.FIRST_STATE if only_first else Kept.STATES)


def part_names(prefix: Prefix, plan: FreezePlan) -> list[str]:
    """The parts of the model that a prefix consists of, as a plan names them."""
    if prefix.kept is Kept.POOLED:
        return [block.name for block in plan.blocks() if not (block.unused and block.name == POOLER)]
    blocks = [block_name(index) for index in range(plan.model.blocks)] or [ENCODER]
    return [EMBEDDINGS, *blocks][: prefix.parts]
