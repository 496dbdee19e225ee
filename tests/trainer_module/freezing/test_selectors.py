"""Which variables a selector takes, and which it refuses to guess."""

import dataclasses
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.freezing.selectors import BlockSelector, parse_selector
from trainer_module.hub.layout import EncoderLayout, HubVariable, block_name


def selected_blocks(selector: str, layout: EncoderLayout) -> set[str]:
    names = parse_selector(selector).select(layout)
    return {variable.block for variable in layout.variables if variable.name in names}


def selected_names(selector: str, layout: EncoderLayout) -> list[str]:
    names = parse_selector(selector).select(layout)
    return [variable.name for variable in layout.variables if variable.name in names]


def test_all_takes_every_variable(bert_4: EncoderLayout):
    assert selected_names("all", bert_4) == [variable.name for variable in bert_4.variables]


@pytest.mark.parametrize("part", ["embeddings", "pooler"])
def test_a_part_takes_its_own_variables_and_no_others(part: str, bert_4: EncoderLayout):
    assert selected_names(part, bert_4) == [variable.name for variable in bert_4.in_block(part)]


def test_encoder_takes_all_blocks(bert_4: EncoderLayout):
    assert selected_blocks("encoder", bert_4) == {block_name(index) for index in range(4)}


def test_encoder_takes_the_one_shared_block(albert: EncoderLayout):
    assert selected_names("encoder", albert) == [variable.name for variable in albert.in_block("encoder")]


@pytest.mark.parametrize(
    ("selector", "indexes"),
    [
        ("encoder[0]", [0]),
        ("encoder[0,2]", [0, 2]),
        ("encoder[ 2 , 0 ]", [0, 2]),
        ("encoder[-1]", [11]),
        ("encoder[-12]", [0]),
        ("encoder[:8]", range(8)),
        ("encoder[:12]", range(12)),
        ("encoder[:]", range(12)),
        ("encoder[-2:]", [10, 11]),
        ("encoder[-12:]", range(12)),
        ("encoder[0:12:2]", range(0, 12, 2)),
        ("encoder[:-10]", [0, 1]),
        ("encoder[3:0:-1]", [1, 2, 3]),
        ("encoder[::-1]", range(12)),
    ],
)
def test_blocks_are_taken_by_index_and_slice(selector: str, indexes: list[int], bert_12: EncoderLayout):
    assert selected_blocks(selector, bert_12) == {block_name(index) for index in indexes}


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        ("encoder[4]", "there is no block 4: this model has 4 blocks, `encoder[0]` … `encoder[3]`"),
        ("encoder[-5]", "there is no block -5: this model has 4 blocks"),
        ("encoder[0,4,9]", "there is no block 4 or 9: this model has 4 blocks"),
        ("encoder[:8]", "the slice's end must be from -4 to 4, not 8: this model has 4 blocks"),
        ("encoder[:-5]", "the slice's end must be from -4 to 4, not -5"),
        ("encoder[4:]", "the slice's start must be from -4 to 3, not 4"),
        ("encoder[-5:]", "the slice's start must be from -4 to 3, not -5"),
        ("encoder[2:2]", "the slice is empty, so it selects no block: this model has 4 blocks"),
        ("encoder[3:1]", "the slice is empty"),
        ("encoder[:0]", "the slice is empty"),
        ("encoder[:-4]", "the slice is empty"),
        ("encoder[1,1]", "names block 1 more than once"),
        ("encoder[0,-4]", "names block 0 more than once"),
    ],
)
def test_blocks_outside_the_model_are_refused_not_clamped(selector: str, problem: str, bert_4: EncoderLayout):
    with pytest.raises(ValueError) as caught:
        selected_names(selector, bert_4)
    assert str(caught.value).startswith(problem)


bounds = st.none() | st.integers(-8, 8)


@given(bounds, bounds, st.none() | st.integers(-3, 3).filter(bool), st.integers(1, 6))
def test_slices_mean_what_they_mean_in_python_or_are_refused(
    start: int | None, stop: int | None, step: int | None, count: int
):
    expected = tuple(range(count))[start:stop:step]
    inside = (start is None or -count <= start < count) and (stop is None or -count <= stop <= count)
    selector = BlockSelector(slice(start, stop, step))
    if inside and expected:
        assert selector.indexes(count) == expected
    else:
        with pytest.raises(ValueError, match="slice"):
            selector.indexes(count)


@given(st.integers(-8, 8), st.integers(1, 6))
def test_an_index_means_what_it_means_in_python_or_is_refused(index: int, count: int):
    selector = BlockSelector((index,))
    if -count <= index < count:
        assert selector.indexes(count) == (range(count)[index],)
    else:
        with pytest.raises(ValueError, match="there is no block"):
            selector.indexes(count)


@given(index=st.integers(0, 11))
def test_a_layers_name_takes_that_block_and_no_other(index: int, bert_12: EncoderLayout):
    assert selected_blocks(f"layer_{index}", bert_12) == {block_name(index)}


def test_layer_1_never_takes_layer_10_or_11(bert_12: EncoderLayout):
    names = selected_names("layer_1", bert_12)
    assert len(names) == 16
    assert not [name for name in names if "layer_10" in name or "layer_11" in name]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("bias", r"/bias$"),
        ("*layer_norm", r"layer_norm/(gamma|beta)$"),
        ("layer_norm", r"^embeddings/layer_norm/"),
        ("self_attention/*/kernel", r"/self_attention/[a-z_]+/kernel$"),
        ("layer_[0-3]", r"/layer_[0-3]/"),
        ("layer_[!0-9]", r"(?!)"),
        ("layer_[!0]", r"/layer_[1-9]/"),
        ("layer_[^0]", r"/layer_[1-9]/"),
        ("layer_?", r"/layer_[0-9]/"),
        ("layer_??", r"/layer_1[01]/"),
        ("layer_*", r"/layer_([0-9]+|norm)/"),
        ("**/output/kernel", r"/output/kernel$"),
        ("output/kernel", r"/output/kernel$"),
        ("layer_0/**/kernel", r"/layer_0/.*kernel$"),
        ("layer_0/**/output/kernel", r"/layer_0/output/kernel$"),
        ("layer_0/**", r"/layer_0/"),
        ("layer_0/**/**/query/bias", r"/layer_0/self_attention/query/bias$"),
        ("transformer/layer_0/output/bias", r"^transformer/layer_0/output/bias$"),
        ("transformer/*/kernel", r"(?!)"),
        ("embeddings/*/gamma", r"^embeddings/layer_norm/gamma$"),
        ("layer", r"(?!)"),
        ("Bias", r"(?!)"),
        ("transformer/layer_0?output", r"(?!)"),
        ("layer_0[.-0]output", r"(?!)"),
        ("ker.el", r"(?!)"),
        ("**", r""),
        ("re:layer_(1|2)/", r"layer_[12]/"),
        ("re:^pooler", r"^pooler"),
        ("re:/layer_1", r"/layer_1[01]?/"),
    ],
)  # fmt: skip
def test_a_pattern_matches_whole_components(pattern: str, names: str, bert_12: EncoderLayout):
    expected = [variable.name for variable in bert_12.variables if re.search(names, variable.name)]
    assert selected_names(pattern, bert_12) == expected


LONG = "a" * 40


@pytest.fixture
def long_names(bert_4: EncoderLayout) -> EncoderLayout:
    """Names that some patterns match in a very long time only."""
    names = (f"{LONG * 5}!", f"{LONG * 5}/{LONG * 5}!", *("/".join(["a"] * 200 + [str(last)]) for last in range(5)))
    variables = tuple(HubVariable(name, (1,), "other", name) for name in names)
    return dataclasses.replace(bert_4, variables=variables)


@pytest.mark.parametrize(
    "pattern", ["re:(a+)+$", "re:(a|aa)+$", "re:" + "(a|a)" * 60 + "$", "*a" * 12 + "b", "**/a/" * 12 + "b"]
)
def test_a_pattern_that_would_search_for_ever_is_refused(pattern: str, long_names: EncoderLayout):
    start = time.monotonic()
    with pytest.raises(ValueError) as refused:
        selected_names(pattern, long_names)
    assert str(refused.value) == (
        "takes more than 2 seconds to search for in this model's names; "
        "write a simpler one, without repetitions of repetitions"
    )
    assert time.monotonic() - start < 60


def test_a_pattern_of_many_wildcards_finds_what_it_says(long_names: EncoderLayout):
    assert selected_names("*a*a*!", long_names) == [name for name in selected_names("all", long_names) if "!" in name]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("re:a{99999999999}", "is not a regular expression: the repetition number is too large; "
                              "mend it, or write a name pattern"),
        ("re:" + "(" * 490 + ")" * 490, "nests its groups too deeply; write a simpler expression, or a name pattern"),
    ],
)  # fmt: skip
def test_an_expression_that_python_can_not_compile_is_refused_at_once(pattern: str, problem: str):
    with pytest.raises(ValueError) as refused:
        parse_selector(pattern)
    assert str(refused.value) == problem


def test_an_index_named_very_often_is_refused_at_once(bert_4: EncoderLayout):
    with pytest.raises(ValueError, match="names block 0 more than once"):
        BlockSelector((0,) * 200_000).select(bert_4)


@pytest.mark.parametrize("selector", ["encoder[0]", "encoder[:]"])
def test_blocks_can_not_be_addressed_where_layers_share_weights(selector: str, albert: EncoderLayout):
    with pytest.raises(ValueError, match=r"share the weights of one block.*; write `encoder` for all layers"):
        selected_names(selector, albert)


def test_blocks_can_not_be_addressed_where_they_can_not_be_told_apart(unnumbered: EncoderLayout):
    with pytest.raises(ValueError, match="can't be told apart by their names; write `encoder` for all of them"):
        selected_names("encoder[0]", unnumbered)
