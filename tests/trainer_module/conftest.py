"""Encoder layouts as Hub models have them, without the models."""

from math import prod

import pytest

from trainer_module.layout import EMBEDDINGS, ENCODER, POOLER, EncoderLayout, HubVariable, block_name

HIDDEN, HEADS, WORDS, POSITIONS = 8, 2, 30, 16


@pytest.fixture(scope="session")
def bert_4() -> EncoderLayout:
    """A BERT of 4 blocks, named like the Hub's current encoders."""
    return _bert(blocks=4)


@pytest.fixture(scope="session")
def bert_12() -> EncoderLayout:
    """A BERT of 12 blocks, so that `layer_1` and `layer_10` both exist."""
    return _bert(blocks=12)


@pytest.fixture(scope="session")
def albert() -> EncoderLayout:
    """An ALBERT: all layers share one block, whose name has no number."""
    variables = (*_embeddings(), *_block("transformer", ENCODER), *_pooler())
    return _layout("albert", blocks=0, shared_blocks=True, variables=variables)


@pytest.fixture(scope="session")
def unnumbered() -> EncoderLayout:
    """An encoder with several blocks that can't be told apart by their names."""
    variables = (*_embeddings(), *_block("transformer_scaffold", ENCODER))
    return _layout("talking_heads", blocks=0, shared_blocks=False, variables=variables)


def _bert(blocks: int) -> EncoderLayout:
    stack = [
        variable for index in range(blocks) for variable in _block(f"transformer/layer_{index}", block_name(index))
    ]
    variables = (*_embeddings(), *stack, *_pooler())
    return _layout("bert", blocks=blocks, shared_blocks=False, variables=variables)


def _layout(family: str, blocks: int, shared_blocks: bool, variables: tuple[HubVariable, ...]) -> EncoderLayout:
    return EncoderLayout(family, blocks, HIDDEN, HEADS, POSITIONS, shared_blocks, variables)


def _embeddings() -> tuple[HubVariable, ...]:
    return (
        HubVariable("word_embeddings/embeddings", (WORDS, HIDDEN), EMBEDDINGS, "word/embeddings"),
        HubVariable("position_embedding/embeddings", (POSITIONS, HIDDEN), EMBEDDINGS, "position/embeddings"),
        HubVariable("type_embeddings/embeddings", (2, HIDDEN), EMBEDDINGS, "type/embeddings"),
        HubVariable("embeddings/layer_norm/gamma", (HIDDEN,), EMBEDDINGS, "layer_norm/gamma"),
        HubVariable("embeddings/layer_norm/beta", (HIDDEN,), EMBEDDINGS, "layer_norm/beta"),
    )


def _block(prefix: str, block: str) -> tuple[HubVariable, ...]:
    heads = (HEADS, HIDDEN // HEADS)
    kernels = {
        "self_attention/query": ((HIDDEN,), heads),
        "self_attention/key": ((HIDDEN,), heads),
        "self_attention/value": ((HIDDEN,), heads),
        "self_attention/attention_output": (heads, (HIDDEN,)),
        "intermediate": ((HIDDEN,), (4 * HIDDEN,)),
        "output": ((4 * HIDDEN,), (HIDDEN,)),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (before, after) in kernels.items():
        shapes[f"{layer}/kernel"] = (*before, *after)
        shapes[f"{layer}/bias"] = after
    for layer in ("self_attention_layer_norm", "output_layer_norm"):
        shapes[f"{layer}/gamma"] = shapes[f"{layer}/beta"] = (HIDDEN,)
    assert sum(map(prod, shapes.values())) == 12 * HIDDEN**2 + 13 * HIDDEN
    return tuple(HubVariable(f"{prefix}/{role}", shape, block, role) for role, shape in shapes.items())


def _pooler() -> tuple[HubVariable, ...]:
    return (
        HubVariable("pooler_transform/kernel", (HIDDEN, HIDDEN), POOLER, "kernel"),
        HubVariable("pooler_transform/bias", (HIDDEN,), POOLER, "bias"),
    )
