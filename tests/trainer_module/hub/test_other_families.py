"""Blocks are told apart by any numbered component of the names, and only when nothing about it is in doubt."""

import random

import pytest

from trainer_module.hub.layout import EncoderLayout
from trainer_module.hub.other_families import read_other_layout

SUBLAYERS: dict[str, tuple[int, ...]] = {
    "self_attention/query/kernel": (8, 2, 4),
    "self_attention/query/bias": (2, 4),
    "ffn_layer_0/dense/kernel": (8, 16),
    "ffn_layer_1/dense/kernel": (8, 16),
}
AROUND: dict[str, tuple[int, ...]] = {
    "word_embeddings/embeddings": (30, 8),
    "position_embedding/embeddings": (16, 8),
    "cls_transform/kernel": (8, 8),
}


def read(*blocks: str, sublayers: dict[str, tuple[int, ...]] = SUBLAYERS, more: tuple[str, ...] = ()) -> EncoderLayout:
    named: list[tuple[str, tuple[int, ...]]] = list(AROUND.items())
    named += [(f"{block}/{name}", shape) for block in blocks for name, shape in sublayers.items()]
    named += [(name, (3,)) for name in more]
    random.Random(0).shuffle(named)
    return read_other_layout(named, "a reason", hidden=8, layers=0)


def blocks(layout: EncoderLayout) -> dict[str, list[str]]:
    """The first component of the variables of each block."""
    found: dict[str, list[str]] = {}
    for variable in layout.variables:
        if variable.block.startswith("encoder"):
            names = found.setdefault(variable.block, [])
            names += [] if variable.name.split("/")[0] in names else [variable.name.split("/")[0]]
    return found


def test_the_larger_of_two_numbers_in_a_name_is_the_block() -> None:
    layout = read("transformer_layer_0", "transformer_layer_1", "transformer_layer_2")
    assert blocks(layout) == {f"encoder[{index}]": [f"transformer_layer_{index}"] for index in range(3)}
    assert (layout.blocks, layout.layers, layout.heads, layout.positions, layout.words) == (3, 3, 2, 16, 30)
    assert layout.deviation == "a reason"


def test_blocks_are_in_numeric_order() -> None:
    layout = read(*(f"transformer_layer_{index}" for index in range(12)))
    assert list(blocks(layout)) == [f"encoder[{index}]" for index in range(12)]
    assert blocks(layout)["encoder[10]"] == ["transformer_layer_10"]


def test_the_first_block_may_have_no_number() -> None:
    layout = read("transformer_scaffold", "transformer_scaffold_1", "transformer_scaffold_2")
    assert blocks(layout) == {
        "encoder[0]": ["transformer_scaffold"],
        "encoder[1]": ["transformer_scaffold_1"],
        "encoder[2]": ["transformer_scaffold_2"],
    }


def test_numbers_may_start_anywhere() -> None:
    assert blocks(read("block_12", "block_13")) == {"encoder[0]": ["block_12"], "encoder[1]": ["block_13"]}


def test_numbers_that_keras_adds_inside_a_block_do_not_make_blocks_differ() -> None:
    named = [("scaffold/attention/kernel", (8, 8)), ("scaffold_1/attention_1/kernel", (8, 8)), *AROUND.items()]
    assert read_other_layout(named, "a reason", hidden=8, layers=0).blocks == 2


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("block_0", "block_2"), "a gap"),
        (("block_0",), "only one"),
        (("left/layer_0", "left/layer_1", "right/layer_0", "right/layer_1"), "two towers"),
        (("block", "block_0"), "no number beside 0"),
    ],
)
def test_in_doubt_the_encoder_is_one_unit(names: tuple[str, ...], why: str) -> None:
    layout = read(*names, sublayers={"attention/kernel": (8, 8), "dense/kernel": (8, 8)})
    assert layout.blocks == 0, why
    assert {variable.block for variable in layout.variables} == {"embeddings", "encoder", "pooler"}


def test_blocks_with_different_contents_are_not_told_apart() -> None:
    layout = read("block_0", "block_1", more=("block_1/extra/kernel",))
    assert layout.blocks == 0


def test_what_is_in_no_block_is_other() -> None:
    layout = read("block_0", "block_1", more=("adapter/kernel",))
    assert [variable.name for variable in layout.in_block("other")] == ["adapter/kernel"]
    assert [variable.name for variable in layout.in_block("pooler")] == ["cls_transform/kernel"]
    assert {variable.name for variable in layout.in_block("embeddings")} == {
        "word_embeddings/embeddings",
        "position_embedding/embeddings",
    }


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mobile_bert_embedding_1/norm/gamma", "mobilebert"),
        ("x/pre_softmax_weight", "talking_heads"),
        ("self_attention/query/bias", "bert-like"),
        ("dense/kernel", "unknown"),
    ],
)
def test_names_give_the_family_away(name: str, family: str) -> None:
    assert read_other_layout([(name, (3,))], "a reason", hidden=8, layers=0).family == family


def test_the_order_given_makes_no_difference() -> None:
    named = [(variable.name, variable.shape) for variable in read("block_0", "block_1").variables]
    expected = read_other_layout(named, "a reason", hidden=8, layers=0)
    for seed in range(5):
        shuffled = random.Random(seed).sample(named, len(named))
        assert read_other_layout(shuffled, "a reason", hidden=8, layers=0) == expected
