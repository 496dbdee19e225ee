import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trainer_module.freezing.freeze_rules import Decision, FreezeRule, parse_rules

PROJECT_EXAMPLES = [
    [{"freeze": "all"}],
    [{"freeze": "encoder[0,2]"}],
    [{"freeze": "layer_0"}, {"freeze": "layer_1"}],
    [{"freeze": "all"}, {"train": "bias"}],
    [{"freeze": "encoder[:3]", "until_epoch": 2}, {"train": "pooler", "lr": 0.1}],
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


def problem_of(rule: Any) -> str:
    with pytest.raises(ValueError) as caught:
        parse_rules([rule])
    return str(caught.value)


# How rules are written


@pytest.mark.parametrize("rules", PROJECT_EXAMPLES)
def test_the_json_form_survives_reading_and_writing(rules: list[dict[str, Any]]):
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


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"freeze": "encoder[:3]", "until_epoch": 2}, "freeze encoder[:3] until_epoch=2"),
        ({"train": "pooler", "lr": 0.1}, "train pooler lr=0.1"),
        ({"train": "encoder[0, 2]", "lr": 2.0}, "train encoder[0, 2] lr=2"),
        ({"train": "re:layer_(1|2)/", "lr": 1e-05}, "train re:layer_(1|2)/ lr=1e-05"),
    ],
)
def test_an_option_follows_the_selector_in_the_short_form(rule: dict[str, Any], text: str):
    assert str(FreezeRule.model_validate(rule)) == text
    assert FreezeRule.model_validate(text).model_dump() == rule


def test_spaces_around_an_option_do_not_count():
    assert str(FreezeRule.model_validate("freeze  encoder[0, 2]   until_epoch = 3 ")) == (
        "freeze encoder[0, 2] until_epoch=3"
    )


def test_a_rule_tells_what_it_decides():
    decisions = [rule.decision for rule in parse_rules(["freeze all", "freeze all until_epoch=2", "train all lr=0.1"])]
    assert decisions == [(False, None, 1.0), (True, 2, 1.0), (True, None, 0.1)]
    assert FreezeRule(train="all").decision == FreezeRule(train="all", lr=1).decision == Decision()


random_rules = st.one_of(
    st.builds(lambda selector: {"freeze": selector}, st.sampled_from(SELECTORS)),
    st.builds(lambda selector: {"train": selector}, st.sampled_from(SELECTORS)),
    st.builds(lambda selector, epoch: {"freeze": selector, "until_epoch": epoch},
              st.sampled_from(SELECTORS), st.integers(1, 10**9 - 1)),
    st.builds(lambda selector, lr: {"train": selector, "lr": lr},
              st.sampled_from(SELECTORS), st.floats(min_value=0, exclude_min=True, allow_infinity=False)),
)  # fmt: skip


@given(st.lists(random_rules))
def test_every_form_of_a_list_of_rules_reads_the_same(rules: list[dict[str, Any]]):
    parsed = parse_rules(rules)
    assert [rule.model_dump() for rule in parsed] == rules
    assert parse_rules(json.dumps(rules)) == parsed
    assert parse_rules([str(rule) for rule in parsed]) == parsed
    assert TypeAdapter(list[FreezeRule]).validate_json(TypeAdapter(list[FreezeRule]).dump_json(parsed)) == parsed


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
        ({"freeze": "all", "train": "bias"},
         'rule 1 `{"freeze": "all", "train": "bias"}`: a rule has one action; write {"freeze": SELECTOR} or '
         '{"train": SELECTOR}, each as a rule of its own'),
        ({}, "rule 1 `{}`: a rule has one action; write"),
        ({"lr": 0.1}, "rule 1 `lr 0.1`: a rule has one action; write"),
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


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"train": "pooler", "until_epoch": 2},
         "rule 1 `train pooler until_epoch=2`: `until_epoch` goes only with `freeze`: it is the last epoch in which "
         'something is still frozen; write {"freeze": SELECTOR, "until_epoch": 2}'),
        ("train pooler until_epoch=2", "rule 1 `train pooler until_epoch=2`: `until_epoch` goes only with `freeze`"),
        ({"freeze": "pooler", "lr": 0.1},
         "rule 1 `freeze pooler lr=0.1`: `lr` goes only with `train`: what is frozen has no learning rate; "
         'write {"train": SELECTOR, "lr": 0.1}'),
        ("freeze pooler lr=0.1", "`lr` goes only with `train`"),
        ({"freeze": "all", "until_epochs": 2},
         "rule 1 `freeze all until_epochs=2`: 'until_epochs' is not a known key; did you mean 'until_epoch'?"),
        ({"freeze": "all", "epochs": 2}, "'epochs' is not a known key; did you mean 'until_epoch'?"),
        ({"train": "all", "learning_rate": 0.1},
         "rule 1 `train all learning_rate=0.1`: 'learning_rate' is not a known key; did you mean 'lr'?"),
        ({"train": "all", "LR": 0.1}, "'LR' is not a known key; did you mean 'lr'?"),
        ("train all learning_rate=0.1", "'learning_rate' is not a known key; did you mean 'lr'?"),
        ({"train": "all", "momentum": 1}, "'momentum' is not a known key; write {"),
        ("train all lr=0.1 lr=0.2", "gives 'lr' twice; write it once"),
        ("freeze until_epoch=2", "rule 1 `freeze until_epoch=2`: the selector is empty"),
        ({"freeze": "encoder[", "until_epoch": 0},
         "the bracket is not closed; write `encoder[0]`, `encoder[0,2]`, `encoder[:8]` or `encoder[-2:]`; and "
         "`until_epoch` must be a whole number of epochs, 1 or more, not 0"),
        ({"train": "layer_1 lr=0.1"},
         "rule 1 `train layer_1 lr=0.1`: `lr=0.1` stands inside the selector; write it as a key of its own: "
         '{"train": "layer_1", "lr": 0.1}'),
    ],
)  # fmt: skip
def test_a_misplaced_or_misspelt_option_is_refused_with_what_to_write(rule: Any, problem: str):
    assert problem in problem_of(rule)


@pytest.mark.parametrize("epoch", [0, -1, 2.0, 1.5, math.nan, True, "2", None, [2]])
def test_only_a_whole_number_from_1_on_is_an_epoch(epoch: Any):
    problem = problem_of({"freeze": "all", "until_epoch": epoch})
    assert problem.endswith(f"`until_epoch` must be a whole number of epochs, 1 or more, not {epoch!r}")


def test_no_training_has_a_billion_epochs():
    assert problem_of({"freeze": "all", "until_epoch": 10**9}) == (
        "rule 1 `freeze all until_epoch=1000000000`: `until_epoch` must be less than 1,000,000,000: "
        "no training has so many epochs"
    )


@pytest.mark.parametrize("lr", [0, 0.0, -0.1, math.nan, math.inf, -math.inf, 10**400, True, "0.1", None, [0.1]])
def test_only_a_finite_number_above_0_multiplies_the_learning_rate(lr: Any):
    problem = problem_of({"train": "all", "lr": lr})
    assert problem.endswith(f"`lr` must be a finite number above 0, such as 0.1, not {lr!r}")


@pytest.mark.parametrize(("text", "given"), [("0", "0"), ("-1", "-1"), ("2.0", "2.0"), ("two", "'two'"), ("", "''")])
def test_the_short_form_refuses_the_same_epochs(text: str, given: str):
    assert problem_of(f"freeze all until_epoch={text}").endswith(f"1 or more, not {given}")


@pytest.mark.parametrize(
    ("text", "given"), [("0", "0"), ("-0.1", "-0.1"), ("nan", "nan"), ("inf", "inf"), ("a", "'a'")]
)
def test_the_short_form_refuses_the_same_multipliers(text: str, given: str):
    assert problem_of(f"train all lr={text}").endswith(f"such as 0.1, not {given}")


def test_all_bad_rules_are_named_at_once_by_their_position():
    with pytest.raises(ValueError) as caught:
        parse_rules([{"freeze": "all"}, {"freeze": "encoder["}, {"train": "bias"}, {"train": "re:("}])
    first, second = str(caught.value).splitlines()
    assert first.startswith("rule 2 `freeze encoder[`: the bracket is not closed")
    assert second.startswith("rule 4 `train re:(`: is not a regular expression")


def test_a_bad_rule_can_not_be_built_directly_either():
    with pytest.raises(ValidationError, match="the bracket is not closed"):
        FreezeRule(freeze="encoder[")


@pytest.mark.parametrize("rule", ["freeze " + "a" * 994, {"freeze": "a" * 1001}, {"freeze": " " * 100_000 + "lr"}])
def test_a_rule_longer_than_any_name_is_refused(rule: Any):
    length = len(rule if isinstance(rule, str) else rule["freeze"])
    problem = problem_of(rule)
    assert problem.endswith(f"`: has {length:,} characters, and may have 1,000; write several rules")
    assert len(problem) < 500


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (r'["freeze \ud800"]', r"rules[0]: holds a character that isn't UTF-8; remove it; given 'freeze \ud800'"),
        (r'[{"freeze": "a\u0000"}]', r"rules[0].freeze: holds a NUL byte; remove it; given 'a\x00'"),
        ("[" * 100_000, "is not valid JSON: it is nested too deeply; write a list of rules"),
        (f'[{{"freeze": "all", "until_epoch": {"9" * 5000}}}]',
         "is not valid JSON: it holds an integer of thousands of digits; write a list of rules"),
    ],
    ids=["surrogate", "NUL", "nested", "digits"],
)  # fmt: skip
def test_json_that_python_gives_up_on_is_told_plainly(text: str, problem: str):
    with pytest.raises(ValueError) as refused:
        parse_rules(text)
    assert str(refused.value).startswith(problem)


def test_text_that_is_not_json_is_refused_with_an_example():
    with pytest.raises(ValueError, match=r"^is not valid JSON: .*; write a list of rules such as \["):
        parse_rules("freeze all")


@pytest.mark.parametrize("value", [{"freeze": "all"}, '{"freeze": "all"}', 3, "3", None, "null", '"freeze all"'])
def test_anything_but_a_list_is_refused(value: Any):
    with pytest.raises(ValueError, match=r"^must be a list of rules such as \[.*; given "):
        parse_rules(value)
