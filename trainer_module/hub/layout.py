"""What a Hub encoder consists of: its variables, each with the part of the model it belongs to."""

from dataclasses import dataclass
from math import prod

EMBEDDINGS = "embeddings"
ENCODER = "encoder"
POOLER = "pooler"
OTHER = "other"

WORD_EMBEDDINGS = "word/embeddings"
"""The role of the table with one row per piece of the vocabulary."""


def block_name(index: int) -> str:
    """The name of transformer block `index` (zero-based), as rules, plans and reports write it."""
    return f"{ENCODER}[{index}]"


@dataclass(frozen=True)
class HubVariable:
    """One weight of a Hub encoder.

    Attributes:
        name: As published, without `:0`, e.g. `transformer/layer_0/output/kernel`.
        shape: Its dimensions.
        block: `embeddings`, `encoder[i]`, `encoder` (one block shared by all layers), `pooler` or `other`.
        role: Its name inside the block, e.g. `output/kernel`: the same in every block and family.
    """

    name: str
    shape: tuple[int, ...]
    block: str
    role: str

    @property
    def parameters(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class EncoderLayout:
    """The architecture of a Hub encoder, as far as its variables tell.

    Attributes:
        family: `bert`, `electra`, `albert`, … in lower case.
        blocks: Number of transformer blocks that can be addressed; 0 when they can't be told apart.
        hidden: Width of a block's output.
        heads: Attention heads per block; 0 when unknown.
        positions: Longest sequence the position embeddings allow; 0 when unknown.
        shared_blocks: Whether one block's weights serve all layers (ALBERT).
        variables: Embeddings first, then the blocks in numeric order, then the pooler.
        layers: How often a block is applied: `blocks`, but more where one is shared; 0 when unknown.
        deviation: Why these aren't exactly a BERT's variables (ELECTRA's and ALBERT's count as such), so that the
            encoder can't be rebuilt from them; empty when they are.
    """

    family: str
    blocks: int
    hidden: int
    heads: int
    positions: int
    shared_blocks: bool
    variables: tuple[HubVariable, ...]
    layers: int = 0
    deviation: str = ""

    @property
    def words(self) -> int:
        """Number of word embeddings; 0 when unknown."""
        return next((v.shape[0] for v in self.in_block(EMBEDDINGS) if v.role == WORD_EMBEDDINGS and v.shape), 0)

    @property
    def parameters(self) -> int:
        return sum(variable.parameters for variable in self.variables)

    def in_block(self, block: str) -> tuple[HubVariable, ...]:
        """The variables of one part, in the layout's order."""
        return tuple(variable for variable in self.variables if variable.block == block)
