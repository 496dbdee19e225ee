import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trainer_module.freeze_rules import BlockSelector, FreezeRule, parse_rules
from trainer_module.layout import EncoderLayout, block_name

PROJECT_EXAMPLES = [
    [{"freeze": "all"}],
    [{"freeze": "encoder[0,2]"}],
    [{"freeze": "layer_0"}, {"freeze": "layer_1"}],
    [{"freeze": "all"}, {"train": "bias"}],
]
SELECTORS = [
    "all",
    "embeddings",
    "encoder",
    "pooler",
    "encoder[0]",
    "encoder[0, 2]",
    "encoder[-1]",
    "encoder[:8]",
    "encoder[-2:]",
    "encoder[0:12:2]",
    "encoder[::-1]",
    "layer_1",
    "*layer_norm",
    "self_attention/*/kernel",
    "layer_[0-3]",
    "layer_[!0]",
    "**/output/kernel",
    "re:layer_(1|2)/",
]


def selected_blocks(selector: str, layout: EncoderLayout) -> set[str]:
    names = FreezeRule(freeze=selector).select(layout)
    return {variable.block for variable in layout.variables if variable.name in names}


def selected_names(selector: str, layout: EncoderLayout) -> list[str]:
    names = FreezeRule(freeze=selector).select(layout)
    return [variable.name for variable in layout.variables if variable.name in names]


def problem_of(rule: Any) -> str:
    with pytest.raises(ValueError) as caught:
        parse_rules([rule])
    return str(caught.value)


# How rules are written


@pytest.mark.parametrize("rules", PROJECT_EXAMPLES)
def test_the_json_form_survives_reading_and_writing(rules: list[dict[str, str]]):
    parsed = parse_rules(rules)
    assert [rule.model_dump(mode="json", exclude_unset=True) for rule in parsed] == rules
    assert [rule.model_dump() for rule in parsed] == rules
    assert json.loads(TypeAdapter(list[FreezeRule]).dump_json(parsed)) == rules
    assert parse_rules(json.dumps(rules)) == parsed
    assert parse_rules(parsed) == parsed


def test_the_short_form_means_the_same_as_the_dict():
    assert parse_rules(["freeze all", " train   encoder[0, 2] "]) == [
        FreezeRule(freeze="all"),
        FreezeRule(train="encoder[0, 2]"),
    ]


def test_a_rule_tells_its_action_selector_and_text():
    rule = FreezeRule(train="encoder[:3]")
    assert (rule.action, rule.selector, str(rule)) == ("train", "encoder[:3]", "train encoder[:3]")


def test_a_rule_can_not_be_changed():
    with pytest.raises(ValidationError):
        FreezeRule(train="all").train = "bias"


def test_equal_rules_hash_alike():
    assert len({FreezeRule(train="all"), FreezeRule(train="all"), FreezeRule(freeze="all")}) == 2


def test_spaces_around_a_selector_do_not_count():
    assert FreezeRule(freeze=" all ").selector == "all"


def test_no_rules_are_no_mistake():
    assert parse_rules([]) == []
    assert parse_rules("[]") == []


@given(st.lists(st.tuples(st.sampled_from(["freeze", "train"]), st.sampled_from(SELECTORS))))
def test_every_form_of_a_list_of_rules_reads_the_same(rules: list[tuple[str, str]]):
    dicts = [{action: selector} for action, selector in rules]
    parsed = parse_rules(dicts)
    assert [rule.model_dump() for rule in parsed] == dicts
    assert parse_rules(json.dumps(dicts)) == parsed
    assert parse_rules([str(rule) for rule in parsed]) == parsed


# What can't be read


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"freeze": ""}, "rule 1 `freeze `: the selector is empty; write `all`, `embeddings`"),
        ({"freeze": "  "}, "rule 1 `freeze   `: the selector is empty"),
        ("freeze", "rule 1 `freeze`: the selector is empty"),
        ({"freeze": "encoder["}, "rule 1 `freeze encoder[`: the bracket is not closed; write `encoder[0]`"),
        ({"freeze": "encoder[]"}, "rule 1 `freeze encoder[]`: names no block; write `encoder[0]`"),
        ({"freeze": "encoder[0,]"}, "`0,` is neither indexes nor a slice; write `encoder[0]`, "),
        ({"freeze": "encoder[0-3]"}, "`0-3` is neither indexes nor a slice"),
        ({"freeze": "encoder[a]"}, "`a` is neither indexes nor a slice"),
        ({"freeze": "encoder[1.0]"}, "`1.0` is neither indexes nor a slice"),
        ({"freeze": "encoder[٣]"}, "`٣` is neither indexes nor a slice"),
        ({"freeze": "encoder[0:1:2:3]"}, "`0:1:2:3` is neither indexes nor a slice"),
        ({"freeze": "encoder[0,2:4]"}, "mixes indexes and a slice; write one rule for each"),
        ({"freeze": "encoder[0:4:0]"}, "the slice's step is 0; write 1 or more"),
        ({"freeze": "encoder[0]/output"}, "`/output` follows the blocks, but they can only be taken whole"),
        ({"freeze": "encoder[0]]"}, "`]` follows the blocks"),
        ({"freeze": "layer_[0-3"}, "the bracket `[` has no partner; write sets of characters such as"),
        ({"freeze": "layer_0-3]"}, "the bracket `]` has no partner"),
        ({"freeze": "layer_[0/1]"}, "the bracket `[` has no partner"),
        ({"freeze": "layer_[]"}, "`[]` holds no characters"),
        ({"freeze": "layer_[!]"}, "`[!]` holds no characters"),
        ({"freeze": "layer_[3-0]"}, "`[3-0]` is not a set of characters: bad character range 3-0"),
        ({"freeze": "layer_**"}, "`**` stands for whole components, so not inside `layer_**`; write `*`"),
        ({"freeze": "/layer_0"}, "has an empty component; write single slashes between components"),
        ({"freeze": "layer_0/"}, "has an empty component"),
        ({"freeze": "layer_0//kernel"}, "has an empty component"),
        ({"freeze": "output/kernel:0"}, "names are written without TensorFlow's `:0`; write `output/kernel`"),
        ({"freeze": "re:"}, "the regular expression is empty; write one"),
        ({"freeze": "re:layer_(1"}, "is not a regular expression: missing ), unterminated subpattern"),
        ({"freez": "all"}, "rule 1 `freez all`: 'freez' is not a known key; did you mean 'freeze'?"),
        ({"layers": "all"}, 'is not a known key; write {"freeze": SELECTOR} or {"train": SELECTOR}'),
        ({"freeze": "all", "train": "bias"}, 'a rule has one key; write {"freeze": SELECTOR}'),
        ({}, "rule 1 `{}`: a rule has one key"),
        ({"freeze": 3}, 'rule 1 `freeze 3`: the selector must be text such as "encoder[0]", not 3'),
        ({"freeze": None}, "the selector must be text"),
        ({"freeze": ["layer_0"]}, "the selector must be text"),
        ("all", "rule 1 `all`: must start with `freeze ` or `train `"),
        ("", "must start with `freeze ` or `train `"),
        ("freezeall", "must start with `freeze ` or `train `"),
        (7, "rule 1 `7`: is not a rule; write {\"freeze\": SELECTOR}"),
        (None, "rule 1 `null`: is not a rule"),
        (["freeze", "all"], "rule 1 `[\"freeze\", \"all\"]`: is not a rule"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_with_what_to_write(rule: Any, problem: str):
    assert problem in problem_of(rule)


def test_all_bad_rules_are_named_at_once_by_their_position():
    with pytest.raises(ValueError) as caught:
        parse_rules([{"freeze": "all"}, {"freeze": "encoder["}, {"train": "bias"}, {"train": "re:("}])
    first, second = str(caught.value).splitlines()
    assert first.startswith("rule 2 `freeze encoder[`: the bracket is not closed")
    assert second.startswith("rule 4 `train re:(`: is not a regular expression")


def test_a_bad_rule_can_not_be_built_directly_either():
    with pytest.raises(ValidationError, match="the bracket is not closed"):
        FreezeRule(freeze="encoder[")


def test_text_that_is_not_json_is_refused_with_an_example():
    with pytest.raises(ValueError, match=r"^is not valid JSON: .*; write a list of rules such as \["):
        parse_rules("freeze all")


@pytest.mark.parametrize("value", [{"freeze": "all"}, '{"freeze": "all"}', 3, "3", None, "null", '"freeze all"'])
def test_anything_but_a_list_is_refused(value: Any):
    with pytest.raises(ValueError, match=r"^must be a list of rules such as \[.*; given "):
        parse_rules(value)


# What selectors select


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


@pytest.mark.parametrize("selector", ["encoder[0]", "encoder[:]"])
def test_blocks_can_not_be_addressed_where_layers_share_weights(selector: str, albert: EncoderLayout):
    with pytest.raises(ValueError, match=r"share the weights of one block.*; write `encoder` for all layers"):
        selected_names(selector, albert)


def test_blocks_can_not_be_addressed_where_they_can_not_be_told_apart(unnumbered: EncoderLayout):
    with pytest.raises(ValueError, match="can't be told apart by their names; write `encoder` for all of them"):
        selected_names("encoder[0]", unnumbered)
