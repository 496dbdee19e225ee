"""How many floating-point operations a training needs at least."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.training.design import CLASSES, Level


@dataclass(frozen=True)
class Architecture:
    """Of a BERT: number of blocks, width, and width inside the feed-forward part."""

    blocks: int
    hidden: int
    inner: int


MINILM_L6 = Architecture(blocks=6, hidden=384, inner=1536)


def useful_flops(lengths: Iterable[int], level: Level, epochs: int, architecture: Architecture = MINILM_L6) -> int:
    """Operations of the matrix products of a whole training, two for each multiplication.

    Counted as `freezing/step_cost.py` counts, and the same for every system, whatever it does beyond: each example at
    its own length without padding; a product that trains three times an epoch (forward, gradient of its input,
    gradient of its weights); what is below the lowest that trains once only, because it gives the same in each epoch.

    Args:
        lengths: Tokens of each training example.
        level: What is frozen.
        epochs: Passes over the examples.
    """
    hidden = architecture.hidden
    head = hidden * CLASSES
    passes = 3 * epochs
    block_passes = level.frozen_blocks + (architecture.blocks - level.frozen_blocks) * passes
    # Under the head of an encoder that is frozen nothing needs a gradient.
    top = head * (2 * epochs) if not level.pooler_trains else (head + hidden * hidden) * passes
    return sum(2 * (_block(tokens, architecture) * block_passes + top) for tokens in lengths)


def _block(tokens: int, architecture: Architecture) -> int:
    """Multiplications of one sequence on its way through a block."""
    hidden = architecture.hidden
    projections = 4 * hidden * hidden  # query, key, value, output
    feed_forward = 2 * hidden * architecture.inner
    attention = 2 * tokens * tokens * hidden
    return tokens * (projections + feed_forward) + attention
