import json
from typing import Any

import pytest

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_rules import FreezeRule
from trainer_module.settings import BertSettings

GIVEN: dict[str, Any] = {
    "hub": "models/bert",
    "freeze": [{"freeze": "embeddings"}, {"freeze": "encoder[:3]"}],
    "text": ["sentence"],
    "label": "label",
    "learning_rate": 3e-5,
}


def problems_of(custom_config: Any) -> list[str]:
    with pytest.raises(UserError) as caught:
        BertSettings.from_custom_config(custom_config)
    return caught.value.problems


def test_settings_are_read_beside_the_keys_of_others():
    settings = BertSettings.from_custom_config({"bert": GIVEN, "ai_platform_training_args": {"project": "p"}})
    assert settings.freeze == [FreezeRule(freeze="embeddings"), FreezeRule(freeze="encoder[:3]")]
    assert (settings.hub, settings.text, settings.label) == ("models/bert", ["sentence"], "label")
    assert (settings.learning_rate, settings.max_tokens, settings.epochs) == (3e-5, 128, 3)


def test_json_text_means_the_same_as_the_dict():
    from_dict = BertSettings.from_custom_config({"bert": GIVEN})
    assert BertSettings.from_custom_config({"bert": json.dumps(GIVEN)}) == from_dict


def test_rules_may_be_json_text_too():
    given = {**GIVEN, "freeze": json.dumps(GIVEN["freeze"])}
    assert BertSettings.from_custom_config({"bert": given}).freeze[1] == FreezeRule(freeze="encoder[:3]")


def test_settings_survive_the_way_through_custom_config():
    settings = BertSettings.from_custom_config({"bert": GIVEN})
    written = settings.to_custom_config()
    assert written == {"bert": GIVEN}
    assert BertSettings.from_custom_config(json.loads(json.dumps(written))) == settings


def test_transform_is_told_only_what_changes_its_output():
    given = {**GIVEN, "max_tokens": 64, "epochs": 9}
    assert BertSettings.from_custom_config({"bert": given}).to_transform_config() == {
        "bert": {"hub": "models/bert", "text": ["sentence"], "label": "label", "max_tokens": 64}
    }


@pytest.mark.parametrize("custom_config", [None, {}, {"hub": "models/bert"}])
def test_a_missing_bert_key_is_refused(custom_config: Any):
    assert problems_of(custom_config) == ['custom_config: has no "bert" key; put Permafrost\'s settings there']


def test_broken_json_text_is_refused_with_an_example():
    (problem,) = problems_of({"bert": '{"hub": '})
    assert problem.startswith("bert: is not valid JSON: Expecting value")
    assert problem.endswith('write an object such as {"hub": …}')


def test_json_text_is_held_to_the_same_bounds_as_a_config():
    assert problems_of({"bert": "[" * 100_000})[0].startswith("bert: is not valid JSON: it is nested too deeply;")
    given = json.dumps({**GIVEN, "label": "a\0b", "epochs": 2**63})
    assert problems_of({"bert": given}) == [
        r"bert.label: holds a NUL byte; remove it; given 'a\x00b'",
        "bert.epochs: should fit into 64 bits; given 9223372036854775808",
    ]


def test_all_problems_are_told_at_once():
    given = {
        **GIVEN,
        "label": None,
        "text": [],
        "max_tokens": 2,
        "epochs": 0,
        "learnig_rate": 1e-5,
        "freeze": ["freeze encoder[", "freeze all", "train re:("],
    }
    del given["hub"]
    problems = sorted(problems_of({"bert": given}))
    assert [problem.split(":")[0] for problem in problems] == [
        "bert.epochs",
        "bert.freeze",
        "bert.freeze",
        "bert.hub",
        "bert.label",
        "bert.learnig_rate",
        "bert.max_tokens",
        "bert.text",
    ]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("learnig_rate", 1e-5, "bert.learnig_rate: is not a known key; did you mean 'learning_rate'?"),
        ("max_tokens", 4, "bert.max_tokens: should be greater than or equal to 5; given 4"),
        ("epochs", 0, "bert.epochs: should be greater than or equal to 1; given 0"),
        ("dropout", 1, "bert.dropout: should be less than 1; given 1"),
        ("learning_rate", 0, "bert.learning_rate: should be greater than 0; given 0"),
        ("task", "ranking", "bert.task: should be 'classification' or 'regression'; given 'ranking'"),
        ("pooling", "max", "bert.pooling: should be 'pooled', 'cls' or 'mean'; given 'max'"),
        ("freeze", ["freeze encoder["], "bert.freeze: rule 1 `freeze encoder[`: the bracket is not closed; "
         "write `encoder[0]`, `encoder[0,2]`, `encoder[:8]` or `encoder[-2:]`"),
    ],
)  # fmt: skip
def test_an_impossible_value_is_refused_with_what_is_allowed(key: str, value: Any, problem: str):
    assert problems_of({"bert": {**GIVEN, key: value}}) == [problem]


@pytest.mark.parametrize("key", ["hub", "text", "label"])
def test_a_missing_key_is_refused(key: str):
    assert problems_of({"bert": {k: v for k, v in GIVEN.items() if k != key}}) == [f"bert.{key}: is missing"]


@pytest.mark.parametrize("bert", [[1], 3, None, "[1]"])
def test_anything_but_a_table_is_refused(bert: Any):
    (problem,) = problems_of({"bert": bert})
    assert problem.startswith("bert: should be a table of keys and values; given ")


@pytest.mark.parametrize("text", [[], ["a", "b", "c"], [""], "sentence"])
def test_one_or_two_text_columns_are_asked_for(text: Any):
    assert all(problem.startswith("bert.text") for problem in problems_of({"bert": {**GIVEN, "text": text}}))


def test_settings_can_not_be_changed_by_accident():
    settings = BertSettings.from_custom_config({"bert": GIVEN})
    with pytest.raises(ValueError, match="frozen"):
        settings.epochs = 4
