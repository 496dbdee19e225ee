"""Names of all generations of Hub encoders become the same parts in the same order."""

import random

import pytest

from trainer_module.errors import UserError
from trainer_module.hub.layout import EncoderLayout
from trainer_module.hub.variable_names import BLOCK_ROLES, read_layout

NamedShapes = list[tuple[str, tuple[int, ...]]]


@pytest.fixture
def named(bert_12: EncoderLayout) -> NamedShapes:
    return [(variable.name, variable.shape) for variable in bert_12.variables]


def refusal(named: NamedShapes) -> str:
    with pytest.raises(UserError) as error:
        read_layout(named, "the/model")
    return str(error.value)


def first_generation(name: str) -> str:
    """The name that the first TF2 generation of Hub models gave a variable."""
    name = name.replace("transformer/layer", "encoder/layer")
    name = name.replace("self_attention/attention_output", "self_attention_output")
    name = name.replace("position_embedding/embeddings", "embedding_postprocessor/position_embeddings")
    name = name.replace("type_embeddings/embeddings", "embedding_postprocessor/type_embeddings")
    name = name.replace("embeddings/layer_norm", "embedding_postprocessor/layer_norm")
    return f"bert_model/{name}"


def places(layout: EncoderLayout) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(variable.block, variable.role, variable.shape) for variable in layout.variables]


def test_reads_every_part(named: NamedShapes, bert_12: EncoderLayout) -> None:
    layout = read_layout(named, "the/model")
    assert (layout.blocks, layout.hidden, layout.heads, layout.positions) == (12, 8, 2, 16)
    assert {v.name: (v.block, v.role) for v in layout.variables} == {
        v.name: (v.block, v.role) for v in bert_12.variables
    }


def test_layer_10_comes_after_layer_2(named: NamedShapes) -> None:
    layout = read_layout(sorted(named), "the/model")
    blocks = list(dict.fromkeys(variable.block for variable in layout.variables))
    assert blocks == ["embeddings", *(f"encoder[{index}]" for index in range(12)), "pooler"]
    first = layout.in_block("encoder[10]")[0]
    assert first.name == "transformer/layer_10/self_attention/query/kernel"


def test_the_order_given_makes_no_difference(named: NamedShapes) -> None:
    expected = read_layout(named, "the/model")
    for seed in range(5):
        shuffled = random.Random(seed).sample(named, len(named))
        assert read_layout(shuffled, "the/model") == expected


def test_the_weights_of_a_block_have_the_order_of_the_hub(named: NamedShapes) -> None:
    layout = read_layout(sorted(named), "the/model")
    for index in range(12):
        assert tuple(variable.role for variable in layout.in_block(f"encoder[{index}]")) == BLOCK_ROLES


@pytest.mark.parametrize("prefix", ["bert_encoder_v2_1/", "bert_encoder_v2/", "model/a/b/"])
def test_a_prefix_is_kept_in_the_name_and_changes_nothing_else(named: NamedShapes, prefix: str) -> None:
    layout = read_layout([(prefix + name, shape) for name, shape in named], "the/model")
    assert places(layout) == places(read_layout(named, "the/model"))
    assert all(variable.name.startswith(prefix) for variable in layout.variables)


def test_the_first_generations_names_mean_the_same(named: NamedShapes) -> None:
    old = [(first_generation(name), shape) for name, shape in named]
    assert ("bert_model/encoder/layer_3/self_attention_output/kernel", (2, 4, 8)) in old
    assert ("bert_model/embedding_postprocessor/layer_norm/gamma", (8,)) in old
    layout = read_layout(old, "the/model")
    assert places(layout) == places(read_layout(named, "the/model"))


def test_a_projection_of_the_embeddings_makes_an_electra(named: NamedShapes) -> None:
    projection: NamedShapes = [("embedding_projection/kernel", (4, 8)), ("embedding_projection/bias", (8,))]
    narrow = [(name, (*shape[:-1], 4) if "embedding" in name else shape) for name, shape in named]
    layout = read_layout([*projection, *narrow], "the/model")
    assert (layout.family, layout.deviation) == ("electra", "")
    assert {variable.role for variable in layout.in_block("embeddings")} >= {"projection/kernel", "projection/bias"}


def test_a_model_without_pooler_is_an_encoder(named: NamedShapes) -> None:
    layout = read_layout([each for each in named if "pooler" not in each[0]], "the/model")
    assert layout.in_block("pooler") == ()
    assert layout.blocks == 12


def shared(named: NamedShapes) -> NamedShapes:
    """The same encoder as an ALBERT: its first block without a number, for all layers."""
    kept = [(name, shape) for name, shape in named if "transformer/layer_" not in name or "/layer_0/" in name]
    return [(name.replace("transformer/layer_0/", "transformer/"), shape) for name, shape in kept]


def test_one_block_without_a_number_makes_an_albert(named: NamedShapes) -> None:
    layout = read_layout(shared(named), "the/model", layers=6)
    assert (layout.family, layout.blocks, layout.layers, layout.shared_blocks) == ("albert", 0, 6, True)
    assert (layout.hidden, layout.heads, layout.positions, layout.deviation) == (8, 2, 16, "")
    assert tuple(variable.role for variable in layout.in_block("encoder")) == BLOCK_ROLES


def test_an_albert_whose_interface_does_not_give_its_layers_cannot_be_rebuilt(named: NamedShapes) -> None:
    layout = read_layout(shared(named), "the/model", hidden=8)
    assert layout.deviation == "its layers share one block, and its interface doesn't say how many there are"
    assert (layout.blocks, layout.hidden, layout.heads) == (0, 8, 2)
    assert len(layout.in_block("encoder")) == 16


@pytest.mark.parametrize("role", BLOCK_ROLES)
def test_an_incomplete_block_is_no_berts(named: NamedShapes, role: str) -> None:
    layout = read_layout([each for each in named if each[0] != f"transformer/layer_7/{role}"], "the/model")
    assert layout.deviation == f"it lacks 1 variable of a BERT, such as encoder[7]: {role}"
    assert layout.blocks == 0  # blocks that differ can't be counted on


def test_a_gap_in_the_numbers_is_no_berts(named: NamedShapes) -> None:
    layout = read_layout([each for each in named if "layer_7/" not in each[0]], "the/model")
    assert layout.deviation == "it lacks 16 variables of a BERT, such as encoder[7]: self_attention/query/kernel"
    assert layout.blocks == 0


@pytest.mark.parametrize("part", ["word_embeddings", "position_embedding/", "type_embeddings/", "layer_norm/gamma"])
def test_incomplete_embeddings_are_no_berts(named: NamedShapes, part: str) -> None:
    kept = [each for each in named if part not in each[0] or "transformer" in each[0]]
    layout = read_layout(kept, "the/model")
    assert layout.deviation.startswith("it lacks 1 variable of a BERT, such as embeddings: ")
    assert layout.blocks == 12


def test_half_a_pooler_is_no_berts(named: NamedShapes) -> None:
    layout = read_layout([each for each in named if each[0] != "pooler_transform/bias"], "the/model")
    assert layout.deviation == "it lacks 1 variable of a BERT, such as pooler: bias"


def test_a_variable_that_no_bert_has_is_named(named: NamedShapes) -> None:
    layout = read_layout([*named, ("adapter/kernel", (8, 8))], "the/model")
    assert layout.deviation == "it has variables that no BERT has, such as adapter/kernel"
    assert [variable.name for variable in layout.in_block("other")] == ["adapter/kernel"]
    assert layout.blocks == 12


def test_of_two_encoders_in_one_neither_is_the_encoder(named: NamedShapes) -> None:
    layout = read_layout([(f"{tower}/{name}", shape) for tower in ("left", "right") for name, shape in named], "m")
    assert "left/word_embeddings/embeddings and right/word_embeddings/embeddings" in layout.deviation
    assert layout.blocks == 0


def test_no_variables_at_all_are_refused() -> None:
    assert refusal([]) == "model.hub: the/model is a SavedModel but not a BERT encoder: it has no variables"


def test_two_variables_of_one_name_are_refused(named: NamedShapes) -> None:
    message = refusal([*named, named[3]])
    assert message.startswith(f"model.hub: the/model has two variables called {named[3][0]}, so that rules couldn't")


def renamed(named: NamedShapes, old: str, new: str) -> NamedShapes:
    return [(name.replace(old, new), shape) for name, shape in named]


def test_a_block_of_an_absurd_number_is_counted_and_not_listed(named: NamedShapes) -> None:
    layout = read_layout(renamed(named, "layer_11/", "layer_999999/"), "the/model")
    missing = (999_999 - 11) * 16
    assert layout.deviation == f"it lacks {missing} variables of a BERT, such as encoder[11]: {BLOCK_ROLES[0]}"


@pytest.mark.parametrize("number", ["999999999", "9" * 5_000, "١"])
def test_what_is_no_blocks_number_is_no_berts(named: NamedShapes, number: str) -> None:
    layout = read_layout(renamed(named, "layer_11/", f"layer_{number}/"), "the/model")
    assert layout.deviation.startswith(f"it has variables that no BERT has, such as transformer/layer_{number}/")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("transformer/layer_3/self_attention/key/kernel", (8, 2)),
        ("transformer/layer_3/intermediate/bias", (5,)),
        ("transformer/layer_3/output/bias", ()),
        ("position_embedding/embeddings", (16, 9)),
    ],
)
def test_shapes_that_do_not_fit_each_other_are_no_berts(named: NamedShapes, name: str, shape: tuple[int, ...]) -> None:
    layout = read_layout([(each, shape if each == name else given) for each, given in named], "the/model")
    assert layout.deviation.startswith("the shape [") and layout.deviation.endswith("doesn't fit its other variables")


def test_feed_forward_layers_of_several_sizes_are_a_berts(named: NamedShapes) -> None:
    wider = {
        "transformer/layer_3/intermediate/kernel": (8, 5),
        "transformer/layer_3/intermediate/bias": (5,),
        "transformer/layer_3/output/kernel": (5, 8),
    }
    assert read_layout([(name, wider.get(name, shape)) for name, shape in named], "the/model").deviation == ""
