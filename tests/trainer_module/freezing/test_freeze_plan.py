import hashlib
import json
import time
from dataclasses import replace
from itertools import pairwise, takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import BlockSummary, FreezePlan, make_plan
from trainer_module.freezing.freeze_rules import Decision, FreezeRule, parse_rules
from trainer_module.hub.layout import EMBEDDINGS, EncoderLayout, HubVariable, block_name
from trainer_module.hub.variable_names import read_layout

NO_POOLER = frozenset({"pooler"})


def plan_for(rules: list[Any], layout: EncoderLayout, unused: frozenset[str] = frozenset()) -> FreezePlan:
    return make_plan(parse_rules(rules), layout, unused)


def problems_of(rules: list[Any], layout: EncoderLayout, unused: frozenset[str] = frozenset()) -> list[str]:
    with pytest.raises(UserError) as caught:
        plan_for(rules, layout, unused)
    return caught.value.problems


def frozen_blocks(plan: FreezePlan) -> list[str]:
    return [block.name for block in plan.blocks() if block.state == "frozen"]


# Random rules, of which some make a plan and some are refused.
selectors = st.sampled_from(
    ["all", "embeddings", "encoder", "pooler", "bias", "kernel", "*layer_norm", "layer_1", "layer_[23]",
     "encoder[0]", "encoder[0,2]", "encoder[:3]", "encoder[-1]", "output/*", "re:query", "layer_9"]
)  # fmt: skip
options = st.sampled_from(["freeze {}", "freeze {}", "train {}", "freeze {} until_epoch=1", "freeze {} until_epoch=3",
                           "train {} lr=0.1", "train {} lr=2"])  # fmt: skip
random_rules = st.lists(
    st.builds(lambda option, selector: FreezeRule.model_validate(option.format(selector)), options, selectors),
    max_size=4,
)


def plan_or_problems(rules: list[FreezeRule], layout: EncoderLayout) -> FreezePlan | list[str]:
    try:
        return make_plan(rules, layout)
    except UserError as error:
        return error.problems


# What a plan decides


def test_without_rules_everything_trains(bert_4: EncoderLayout):
    plan = plan_for([], bert_4)
    assert plan.frozen_names == ()
    assert plan.trainable_names == tuple(variable.name for variable in bert_4.variables)
    assert {variable.rule for variable in plan.variables} == {None}
    assert (plan.frozen_params, plan.trainable_params) == (0, bert_4.parameters)


def test_freeze_all_freezes_the_whole_encoder(bert_4: EncoderLayout):
    plan = plan_for([{"freeze": "all"}], bert_4)
    assert plan.trainable_names == ()
    assert plan.frozen_params == bert_4.parameters


def test_blocks_one_and_three_can_be_frozen_alone(bert_4: EncoderLayout):
    plan = plan_for([{"freeze": "encoder[0,2]"}], bert_4)
    assert frozen_blocks(plan) == ["encoder[0]", "encoder[2]"]
    assert plan.frozen_params == 2 * (12 * 8**2 + 13 * 8)


def test_layers_can_be_frozen_by_their_names(bert_12: EncoderLayout):
    plan = plan_for([{"freeze": "layer_0"}, {"freeze": "layer_1"}], bert_12)
    assert frozen_blocks(plan) == ["encoder[0]", "encoder[1]"]
    assert {v.block: v.rule for v in plan.variables if not v.trainable} == {"encoder[0]": 0, "encoder[1]": 1}


def test_bitfit_trains_the_biases_alone(bert_4: EncoderLayout):
    plan = plan_for([{"freeze": "all"}, {"train": "bias"}], bert_4)
    assert plan.trainable_names == tuple(v.name for v in bert_4.variables if v.name.endswith("/bias"))
    assert len(plan.trainable_names) == 4 * 6 + 1


def test_a_later_rule_overrides_an_earlier_one(bert_4: EncoderLayout):
    plan = plan_for(["freeze encoder", "train encoder[-1]", "freeze *layer_norm"], bert_4)
    decisions = {v.name: (v.trainable, v.rule) for v in plan.variables}
    assert decisions["transformer/layer_2/output/kernel"] == (False, 0)
    assert decisions["transformer/layer_3/output/kernel"] == (True, 1)
    assert decisions["transformer/layer_3/output_layer_norm/beta"] == (False, 2)
    assert decisions["pooler_transform/kernel"] == (True, None)


def test_an_albert_is_frozen_as_a_whole(albert: EncoderLayout):
    assert frozen_blocks(plan_for(["freeze encoder"], albert)) == ["encoder"]


def test_is_trainable_answers_by_name_and_knows_only_the_models_variables(bert_4: EncoderLayout):
    plan = plan_for(["freeze embeddings"], bert_4)
    assert not plan.is_trainable("word_embeddings/embeddings")
    assert plan.is_trainable("pooler_transform/bias")
    with pytest.raises(KeyError):
        plan.is_trainable("classifier/kernel")


@given(rules=random_rules)
def test_every_variable_is_covered_exactly_once(rules: list[FreezeRule], bert_4: EncoderLayout):
    plan = plan_or_problems(rules, bert_4)
    if isinstance(plan, FreezePlan):
        names = [variable.name for variable in bert_4.variables]
        assert [variable.name for variable in plan.variables] == names
        assert sorted([*plan.frozen_names, *plan.trainable_names]) == sorted(names)
        assert plan.frozen_params + plan.trainable_params == plan.model.parameters == bert_4.parameters


@given(rules=random_rules)
def test_the_last_rule_that_selects_a_variable_decides(rules: list[FreezeRule], bert_4: EncoderLayout):
    plan = plan_or_problems(rules, bert_4)
    if isinstance(plan, FreezePlan):
        for variable in plan.variables:
            selecting = [i for i, rule in enumerate(rules) if variable.name in rule.select(bert_4)]
            assert variable.rule == (selecting[-1] if selecting else None)
            decision = rules[selecting[-1]].decision if selecting else Decision()
            assert (variable.trainable, variable.until_epoch, variable.lr) == decision


@given(rules=random_rules, data=st.data())
def test_the_order_of_the_models_variables_does_not_matter(
    rules: list[FreezeRule], data: st.DataObject, bert_4: EncoderLayout
):
    shuffled = replace(bert_4, variables=tuple(data.draw(st.permutations(bert_4.variables))))
    plan, other = plan_or_problems(rules, bert_4), plan_or_problems(rules, shuffled)
    if isinstance(plan, FreezePlan) and isinstance(other, FreezePlan):
        assert sorted(plan.variables, key=lambda v: v.name) == sorted(other.variables, key=lambda v: v.name)
        assert plan.digest() == other.digest()
        assert plan.blocks() == other.blocks()
        assert plan.frozen_prefix == other.frozen_prefix
    else:
        assert plan == other


@given(rules=random_rules, data=st.data())
def test_the_order_in_which_a_model_lists_its_variables_does_not_matter(
    rules: list[FreezeRule], data: st.DataObject, bert_12: EncoderLayout
):
    listed = [(variable.name, variable.shape) for variable in bert_12.variables]
    shuffled = read_layout(data.draw(st.permutations(listed)), "a model")
    plan, other = plan_or_problems(rules, read_layout(listed, "a model")), plan_or_problems(rules, shuffled)
    assert plan == other
    if isinstance(plan, FreezePlan) and isinstance(other, FreezePlan):
        assert plan.digest() == other.digest()


# What a plan looks like from outside


def test_the_json_form_is_a_contract(bert_4: EncoderLayout):
    small = replace(bert_4, blocks=1, variables=bert_4.in_block("pooler"))
    plan = plan_for(["freeze kernel"], small)
    variables = [
        {
            "name": "pooler_transform/kernel",
            "block": "pooler",
            "trainable": False,
            "parameters": 64,
            "rule": 0,
        },
        {
            "name": "pooler_transform/bias",
            "block": "pooler",
            "trainable": True,
            "parameters": 8,
            "rule": None,
        },
    ]
    assert json.loads(plan.to_json()) == {
        "model": {"family": "bert", "blocks": 1, "hidden": 8, "parameters": 72, "hub": "", "hub_digest": ""},
        "rules": [{"freeze": "kernel"}],
        "variables": [{**variable, "unused": False, "until_epoch": None, "lr": 1.0} for variable in variables],
        "frozen_params": 64,
        "trainable_params": 8,
        "unused_params": 0,
    }


@given(rules=random_rules)
def test_a_plan_survives_json(rules: list[FreezeRule], bert_4: EncoderLayout):
    plan = plan_or_problems(rules, bert_4)
    if isinstance(plan, FreezePlan):
        assert FreezePlan.from_json(plan.to_json()) == plan
        plan.is_trainable(bert_4.variables[0].name)
        assert FreezePlan.from_json(plan.to_json()) == plan


def test_a_text_that_is_no_plan_is_refused_with_all_that_is_missing():
    with pytest.raises(UserError) as caught:
        FreezePlan.from_json('{"rules": []}')
    assert caught.value.problems == ["freeze plan.model: is missing", "freeze plan.variables: is missing"]


def test_the_digest_is_the_sha256_of_sorted_decisions(bert_4: EncoderLayout):
    small = replace(bert_4, variables=bert_4.in_block("pooler"))
    text = b'[["pooler_transform/bias",true,null,1.0],["pooler_transform/kernel",false,null,1.0]]'
    assert plan_for(["freeze kernel"], small).digest() == hashlib.sha256(text).hexdigest()


def test_the_digest_tells_plans_apart_by_what_trains_and_by_nothing_else(bert_4: EncoderLayout):
    by_index = plan_for(["freeze encoder[0]"], bert_4).digest()
    assert plan_for(["freeze layer_0"], bert_4).digest() == by_index
    assert plan_for(["freeze encoder[1]"], bert_4).digest() != by_index
    until = plan_for(["freeze encoder[0] until_epoch=1"], bert_4).digest()
    assert plan_for(["freeze layer_0 until_epoch=1"], bert_4).digest() == until
    slower = plan_for(["train encoder[0] lr=0.1"], bert_4).digest()
    assert plan_for(["train encoder lr=0.1", "train encoder[1:]"], bert_4).digest() == slower
    later = plan_for(["freeze encoder[0] until_epoch=2"], bert_4).digest()
    assert len({by_index, until, later, slower, plan_for(["train encoder[0] lr=0.2"], bert_4).digest()}) == 5


def test_the_digest_does_not_depend_on_where_the_model_lies(bert_4: EncoderLayout):
    plan = plan_for(["freeze encoder[0]"], bert_4)
    model = plan.model.model_copy(update={"hub": "models/bert", "hub_digest": "sha256:" + 64 * "0"})
    moved = plan.model_copy(update={"model": model})
    assert moved.digest() == plan.digest()
    assert FreezePlan.from_json(moved.to_json()) == moved != plan


def test_the_summary_runs_from_input_to_output_with_blocks_in_numeric_order(bert_12: EncoderLayout):
    by_name = replace(bert_12, variables=tuple(sorted(bert_12.variables, key=lambda v: v.name)))
    names = [block.name for block in plan_for([], by_name).blocks()]
    assert names == ["embeddings", *(block_name(index) for index in range(12)), "pooler"]


def test_the_summary_says_how_much_of_a_block_is_frozen_and_by_which_rules(bert_4: EncoderLayout):
    rules = ["freeze encoder[:2]", "train layer_1/**/bias", "freeze embeddings"]
    embeddings, first, second, third, _, pooler = plan_for(rules, bert_4, NO_POOLER).blocks()
    biases = 4 * 8 + 32 + 8
    assert (embeddings.state, embeddings.rules) == ("frozen", (2,))
    assert first == BlockSummary("encoder[0]", 872, 872, (0,), unused=False)
    assert second == BlockSummary("encoder[1]", 872, 872 - biases, (0, 1), unused=False)
    assert (second.state, third.state, third.rules) == ("partly frozen", "trains", ())
    assert pooler == BlockSummary("pooler", 72, 72, (), unused=True)
    assert pooler.state == "unused"


# The frozen prefix


@pytest.mark.parametrize(
    ("rules", "prefix"),
    [
        ([], 0),
        (["freeze encoder"], 0),
        (["freeze embeddings"], 1),
        (["freeze embeddings", "freeze encoder[0]"], 2),
        (["freeze embeddings", "freeze encoder[:3]"], 4),
        (["freeze embeddings", "freeze encoder[0,2]"], 2),
        (["freeze embeddings", "freeze encoder"], 5),
        (["freeze all"], 5),
        (["freeze all", "train pooler"], 5),
        (["freeze all", "train layer_2/output/bias"], 3),
        (["freeze all", "train word_embeddings"], 0),
    ],
)
def test_the_frozen_prefix_ends_at_the_first_part_in_which_anything_trains(
    rules: list[str], prefix: int, bert_4: EncoderLayout
):
    assert plan_for(rules, bert_4).frozen_prefix == prefix


@pytest.mark.parametrize(("rules", "prefix"), [([], 0), (["freeze embeddings"], 1), (["freeze all"], 2)])
def test_a_shared_block_counts_as_one_part_of_the_prefix(rules: list[str], prefix: int, albert: EncoderLayout):
    assert plan_for(rules, albert).frozen_prefix == prefix


def test_there_is_no_frozen_prefix_while_a_variable_of_unknown_place_trains(bert_4: EncoderLayout):
    odd = replace(bert_4, variables=(*bert_4.variables, HubVariable("scale", (1,), "other", "scale")))
    assert plan_for(["freeze embeddings", "freeze encoder"], odd).frozen_prefix == 0
    assert plan_for(["freeze all"], odd).frozen_prefix == 5


@given(rules=random_rules)
def test_nothing_trains_inside_the_frozen_prefix(rules: list[FreezeRule], bert_4: EncoderLayout):
    plan = plan_or_problems(rules, bert_4)
    if isinstance(plan, FreezePlan):
        parts = [EMBEDDINGS, *(block_name(index) for index in range(4))]
        trained = {variable.block for variable in plan.variables if variable.trainable}
        assert parts[: plan.frozen_prefix] == list(takewhile(lambda part: part not in trained, parts))


# Gradual unfreezing and learning rates


def test_what_is_frozen_until_an_epoch_trains_in_the_end(bert_4: EncoderLayout):
    plan = plan_for(["freeze embeddings", "freeze encoder[:3] until_epoch=2"], bert_4)
    assert plan.frozen_names == tuple(variable.name for variable in bert_4.in_block(EMBEDDINGS))
    assert {(v.trainable, v.until_epoch, v.lr) for v in plan.variables if v.rule == 1} == {(True, 2, 1.0)}
    assert plan.frozen_params == sum(variable.parameters for variable in bert_4.in_block(EMBEDDINGS))
    assert all(plan.is_trainable(variable.name) for variable in bert_4.in_block("encoder[0]"))


def test_the_stages_are_the_epochs_at_which_more_trains(bert_4: EncoderLayout):
    rules = ["freeze embeddings until_epoch=3", "freeze encoder[:2] until_epoch=1", "freeze pooler"]
    plan = plan_for(rules, bert_4)
    assert plan.stages == (0, 1, 3)
    parts = [
        sorted({variable.block for variable in plan.variables if variable.name in plan.trains_in(epoch)})
        for epoch in range(5)
    ]
    top, blocks = ["encoder[2]", "encoder[3]"], [block_name(index) for index in range(4)]
    assert parts == [top, blocks, blocks, [EMBEDDINGS, *blocks], [EMBEDDINGS, *blocks]]
    assert [plan.frozen_prefix_in(epoch) for epoch in range(4)] == [3, 1, 1, 0]
    assert plan.frozen_prefix == 0


@pytest.mark.parametrize("rules", [[], ["freeze all"], ["train encoder lr=0.1"]])
def test_without_until_epoch_there_is_one_stage(rules: list[str], bert_4: EncoderLayout):
    plan = plan_for(rules, bert_4)
    assert plan.stages == (0,)
    assert plan.trains_in(0) == plan.trains_in(7) == set(plan.trainable_names)
    assert plan.frozen_prefix_in(0) == plan.frozen_prefix


def test_a_shared_block_can_be_frozen_for_some_epochs(albert: EncoderLayout):
    plan = plan_for(["freeze embeddings", "freeze encoder until_epoch=2"], albert)
    assert [plan.frozen_prefix_in(epoch) for epoch in range(3)] == [2, 2, 1]


@given(rules=random_rules)
def test_from_stage_to_stage_more_trains_until_all_that_is_trainable_does(
    rules: list[FreezeRule], bert_4: EncoderLayout
):
    plan = plan_or_problems(rules, bert_4)
    if isinstance(plan, FreezePlan):
        sets = [plan.trains_in(epoch) for epoch in plan.stages]
        assert plan.stages[0] == 0
        assert all(before < after for before, after in pairwise(sets))
        assert sets[-1] == set(plan.trainable_names)
        assert all(plan.trains_in(epoch - 1) < plan.trains_in(epoch) for epoch in plan.stages[1:])
        prefixes = [plan.frozen_prefix_in(epoch) for epoch in plan.stages]
        assert prefixes == sorted(prefixes, reverse=True)
        assert prefixes[-1] == plan.frozen_prefix


def test_a_rules_lr_multiplies_with_its_parts_and_frozen_variables_have_none(bert_4: EncoderLayout):
    rules = parse_rules(["freeze embeddings", "train encoder[0] lr=0.1", "freeze encoder[1] until_epoch=1"])
    plan = make_plan(rules, bert_4, multipliers={EMBEDDINGS: 0.125, "encoder[0]": 0.5, "encoder[1]": 0.25})
    assert {variable.block: variable.lr for variable in plan.variables} == {
        EMBEDDINGS: 1.0,
        "encoder[0]": 0.05,
        "encoder[1]": 0.25,
        "encoder[2]": 1.0,
        "encoder[3]": 1.0,
        "pooler": 1.0,
    }


def test_training_slower_what_trains_anyway_is_a_rule_of_use(bert_4: EncoderLayout):
    plan = plan_for(["train encoder lr=0.1"], bert_4)
    assert plan.frozen_names == ()
    assert {v.block.partition("[")[0]: v.lr for v in plan.variables} == {EMBEDDINGS: 1.0, "encoder": 0.1, "pooler": 1.0}


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        (["freeze encoder[0] until_epoch=2"], "frozen until epoch 2"),
        (["train encoder[0] lr=0.1"], "trains at 0.1"),
        (["train layer_0 lr=0.1", "train layer_0/**/bias lr=2"], "trains at 0.1 to 2"),
        (["freeze layer_0/**/bias", "train layer_0/**/kernel lr=0.1"], "partly frozen, trains at 0.1 to 1"),
        (["freeze layer_0/**/bias until_epoch=2"], "partly frozen until epoch 2"),
        (["freeze encoder[0] until_epoch=1", "freeze layer_0/**/bias until_epoch=3"], "frozen until epoch 1 or 3"),
        (["freeze layer_0 until_epoch=1", "freeze layer_0/**/bias"], "partly frozen, the rest until epoch 1"),
        (["freeze layer_0/**/bias", "freeze layer_0/**/kernel until_epoch=1"], "partly frozen, partly until epoch 1"),
        (["freeze layer_0/**/kernel until_epoch=1", "train layer_0/**/bias lr=0.5"],
         "partly frozen until epoch 1, trains at 0.5 to 1"),
    ],
)  # fmt: skip
def test_the_summary_says_when_and_how_fast_a_part_trains(rules: list[str], state: str, bert_4: EncoderLayout):
    assert plan_for(rules, bert_4).blocks()[1].state == state


def test_a_freeze_that_outlasts_training_is_refused(bert_4: EncoderLayout):
    rules = parse_rules(
        ["freeze embeddings until_epoch=2", "freeze pooler until_epoch=3", "freeze layer_0 until_epoch=9"]
    )
    with pytest.raises(UserError) as caught:
        make_plan(rules, bert_4, epochs=3)
    assert caught.value.problems == [
        f"rule {position} `freeze {selector} until_epoch={epoch}`: would never train what it selects, because training "
        f"ends with epoch 3 (train.epochs); write `freeze {selector}`, or train for {epoch + 1} epochs or more"
        for position, selector, epoch in [(2, "pooler", 3), (3, "layer_0", 9)]
    ]
    assert make_plan(rules, bert_4, epochs=10).stages == (0, 2, 3, 9)
    assert make_plan(rules, bert_4).stages == (0, 2, 3, 9)


# Parts that the head doesn't read


def test_an_unused_part_never_trains_and_counts_as_frozen(bert_4: EncoderLayout):
    plan = plan_for(["freeze embeddings"], bert_4, NO_POOLER)
    pooler = [variable for variable in plan.variables if variable.block == "pooler"]
    assert [(v.trainable, v.unused, v.rule) for v in pooler] == [(False, True, None)] * 2
    assert plan.unused_params == 72
    assert plan.frozen_params == 72 + sum(v.parameters for v in bert_4.in_block(EMBEDDINGS))
    assert plan.frozen_params + plan.trainable_params == plan.model.parameters


def test_an_unused_part_that_the_model_lacks_changes_nothing(unnumbered: EncoderLayout):
    assert plan_for([], unnumbered, NO_POOLER) == plan_for([], unnumbered)


def test_freeze_all_selects_an_unused_part_too(bert_4: EncoderLayout):
    plan = plan_for(["freeze all"], bert_4, NO_POOLER)
    assert {variable.rule for variable in plan.variables} == {0}


@pytest.mark.parametrize("rules", [["freeze pooler"], ["freeze pooler_transform/bias"]])
def test_a_rule_for_an_unused_part_alone_is_refused(rules: list[str], bert_4: EncoderLayout):
    assert problems_of(rules, bert_4, NO_POOLER) == [
        f"rule 1 `{rules[0]}`: selects only variables that the task head doesn't read, "
        "and these never train; remove the rule, or choose another pooling"
    ]


# Rules that select nothing


@pytest.mark.parametrize(
    ("selector", "advice"),
    [
        ("layer_12", "did you mean `layer_11`?"),
        ("layer_99/output", "did you mean `layer_11/output`?"),
        ("layer11", "did you mean `layer_11`?"),
        ("layer[3]", "did you mean `layer_3`?"),
        ("Layer_3", "did you mean `layer_3`?"),
        ("Bias", "did you mean `bias`?"),
        ("ALL", "did you mean `all`?"),
        ("embedding", "did you mean `embeddings`?"),
        ("encoders", "did you mean `encoder`?"),
        ("poler", "did you mean `pooler`?"),
        ("*layernorm", "did you mean `*layer_norm`?"),
        ("self_attenton/*/kernel", "did you mean `self_attention/*/kernel`?"),
        ("layer_0/kernel", "did you mean `layer_0/**/kernel`?"),
        ("transformer.layer_0.output", "did you mean `transformer/layer_0/output`?"),
        ("encoder/layer_0", "did you mean `layer_0`?"),
        ("re:layer_12/output", "did you mean `re:layer_11/output`?"),
        ("re:layer_12/.*kernal$", "did you mean `re:layer_11/.*kernel$`?"),
        ("lora", "its names look like `transformer/layer_11/self_attention/attention_output/kernel`"),
        ("re:^$", "its names look like `transformer/layer_11/self_attention/attention_output/kernel`"),
    ],
)
def test_a_rule_that_selects_nothing_is_refused_with_what_to_write(selector: str, advice: str, bert_12: EncoderLayout):
    assert problems_of([{"freeze": selector}], bert_12) == [
        f"rule 1 `freeze {selector}`: selects no variable of this model; {advice}"
    ]


def test_a_part_that_the_model_lacks_is_refused(unnumbered: EncoderLayout):
    assert problems_of(["freeze pooler"], unnumbered) == [
        "rule 1 `freeze pooler`: selects no variable of this model; it has no pooler, only `embeddings` and `encoder`"
    ]


def test_an_index_outside_the_model_is_refused_with_the_number_of_blocks(bert_4: EncoderLayout):
    assert problems_of(["freeze encoder[0]", "freeze encoder[12]"], bert_4) == [
        "rule 2 `freeze encoder[12]`: there is no block 12: this model has 4 blocks, `encoder[0]` … `encoder[3]`"
    ]


def test_a_slice_that_ends_outside_the_model_is_refused(bert_4: EncoderLayout):
    assert problems_of(["freeze encoder[:8]"], bert_4) == [
        "rule 1 `freeze encoder[:8]`: the slice's end must be from -4 to 4, not 8: "
        "this model has 4 blocks, `encoder[0]` … `encoder[3]`"
    ]


def test_blocks_of_an_albert_are_refused_with_the_reason(albert: EncoderLayout):
    assert problems_of(["freeze encoder[0]"], albert) == [
        "rule 1 `freeze encoder[0]`: all layers of this model share the weights of one block, "
        "so no block stands alone; write `encoder` for all layers"
    ]


def test_blocks_without_numbers_are_refused_with_the_reason(unnumbered: EncoderLayout):
    assert problems_of(["freeze encoder[:1]"], unnumbered) == [
        "rule 1 `freeze encoder[:1]`: the blocks of this model can't be told apart by their names; "
        "write `encoder` for all of them, or a name pattern"
    ]


# Rules without effect


def test_training_what_nothing_froze_is_refused(bert_4: EncoderLayout):
    assert problems_of(["train bias", "freeze embeddings"], bert_4) == [
        "rule 1 `train bias`: repeats what holds anyway: everything trains until a rule freezes it; "
        "remove it, or put it after the rule it should override"
    ]


def test_freezing_what_is_frozen_is_refused_with_the_rules_that_froze_it(bert_4: EncoderLayout):
    assert problems_of(["freeze encoder[0]", "freeze encoder[1]", "freeze layer_[01]"], bert_4) == [
        "rule 3 `freeze layer_[01]`: repeats what rule 1 `freeze encoder[0]` and rule 2 `freeze encoder[1]` "
        "already did; remove it"
    ]


def test_of_two_equal_rules_only_the_second_is_refused(bert_4: EncoderLayout):
    assert problems_of(["freeze all", "freeze all"], bert_4) == [
        "rule 2 `freeze all`: repeats what rule 1 `freeze all` already did; remove it"
    ]


def test_a_rule_that_later_rules_undo_is_refused_with_their_names(bert_4: EncoderLayout):
    assert problems_of(["freeze encoder[:2]", "train layer_0", "train layer_1"], bert_4) == [
        "rule 1 `freeze encoder[:2]`: is overridden by rule 2 `train layer_0` and rule 3 `train layer_1` "
        "in everything it selects; remove it, or put it after rule 3"
    ]


def test_a_rule_that_a_wider_one_of_the_same_kind_covers_is_refused(bert_4: EncoderLayout):
    assert problems_of(["freeze encoder[0]", "freeze encoder"], bert_4) == [
        "rule 1 `freeze encoder[0]`: is overridden by rule 2 `freeze encoder` in everything it selects; remove it"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("train bias lr=0.1", "train all"),
        ("freeze bias until_epoch=1", "train all"),
        ("freeze bias until_epoch=1", "freeze bias until_epoch=2"),
        ("freeze bias", "freeze bias until_epoch=1"),
        ("train bias lr=0.1", "train bias lr=0.2"),
    ],
)
def test_a_rule_of_another_epoch_or_rate_overrides(first: str, second: str, bert_4: EncoderLayout):
    assert problems_of([first, second], bert_4) == [
        f"rule 1 `{first}`: is overridden by rule 2 `{second}` in everything it selects; remove it, or put it after "
        "rule 2"
    ]


@pytest.mark.parametrize("rule", ["freeze bias until_epoch=1", "train bias lr=0.1"])
def test_repeating_an_epoch_or_a_rate_is_refused(rule: str, bert_4: EncoderLayout):
    assert problems_of([rule, rule], bert_4) == [
        f"rule 2 `{rule}`: repeats what rule 1 `{rule}` already did; remove it"
    ]


def test_a_multiplier_of_1_is_what_holds_anyway(bert_4: EncoderLayout):
    assert problems_of(["train bias lr=1"], bert_4) == [
        "rule 1 `train bias lr=1`: repeats what holds anyway: everything trains until a rule freezes it; "
        "remove it, or put it after the rule it should override"
    ]


def test_a_rule_whose_changes_are_undone_and_whose_rest_repeats_is_refused(bert_4: EncoderLayout):
    rules = ["freeze encoder[0,1]", "freeze encoder[1,2]", "train encoder[2]"]
    assert problems_of(rules, bert_4) == [
        "rule 2 `freeze encoder[1,2]`: changes nothing beside rule 1 `freeze encoder[0,1]` and rule 3 "
        "`train encoder[2]`; remove it"
    ]


def test_a_rule_that_later_rules_undo_only_in_part_is_kept(bert_4: EncoderLayout):
    assert frozen_blocks(plan_for(["freeze encoder[:2]", "train encoder[0]"], bert_4)) == ["encoder[1]"]


def test_all_problems_are_told_at_once_in_the_rules_order(bert_4: EncoderLayout):
    rules = [
        "freeze embeddings",
        "freeze embeddings",
        "freeze encoder[9]",
        "freeze layer_4",
        "train embeddings",
    ]
    assert [problem.split(":")[0] for problem in problems_of(rules, bert_4)] == [
        "rule 1 `freeze embeddings`",
        "rule 2 `freeze embeddings`",
        "rule 3 `freeze encoder[9]`",
        "rule 4 `freeze layer_4`",
    ]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (["freeze all"] * 10_000, "rule 2 `freeze all`: repeats what rule 1 `freeze all` already did; remove it"),
        (["freeze all", "train all"] * 5_000,
         "rule 1 `freeze all`: is overridden by rule 10000 `train all` in everything it selects; "
         "remove it, or put it after rule 10000"),
        ([f"freeze layer_9/x{number}" for number in range(10_000)],
         "rule 1 `freeze layer_9/x0`: selects no variable of this model; its names look like "
         "`transformer/layer_3/self_attention/attention_output/kernel`"),
    ],
)  # fmt: skip
def test_of_thousands_of_useless_rules_the_first_are_shown(rules: list[str], problem: str, bert_4: EncoderLayout):
    start = time.monotonic()
    with pytest.raises(UserError) as refused:
        plan_for(rules, bert_4)
    assert time.monotonic() - start < 60
    head, first, *others = str(refused.value).splitlines()
    assert head == f"{len(refused.value.problems):,} problems; the first 20:"
    assert first == f"  - {problem}"
    assert len(others) == 19


def test_of_many_rules_that_override_one_the_first_are_named(bert_4: EncoderLayout):
    rules = ["freeze all", *(f"train {variable.name}" for variable in bert_4.variables)]
    (problem,) = problems_of(rules, bert_4)
    assert problem.startswith("rule 1 `freeze all`: is overridden by rule 2 `train ")
    assert f"` and {len(bert_4.variables) - 5} more in everything it selects; remove it" in problem


def test_a_rule_after_an_unresolved_one_is_not_blamed_for_repeating(bert_4: EncoderLayout):
    problems = problems_of(["freeze encoder[0]", "train layer_O", "freeze encoder[0]"], bert_4)
    assert [problem.split(":")[0] for problem in problems] == ["rule 2 `train layer_O`"]


@given(rules=random_rules)
def test_train_all_at_the_end_makes_every_live_rule_dead_and_is_left_alone(
    rules: list[FreezeRule], bert_4: EncoderLayout
):
    plan = plan_or_problems(rules, bert_4)
    if isinstance(plan, FreezePlan) and rules:
        end = len(rules) + 1
        with_end = [*rules, FreezeRule(train="all")]
        same = [rule.decision == Decision() for rule in rules]
        assert problems_of(with_end, bert_4) == [
            f"rule {position} `{rule}`: is overridden by rule {end} `train all` in everything it selects; remove it"
            + ("" if same[position - 1] else f", or put it after rule {end}")
            for position, rule in enumerate(rules, start=1)
        ]
        assert set(decisions(with_end, bert_4).values()) == {Decision()}


@given(rules=random_rules)
def test_deleting_the_rules_called_superfluous_changes_no_decision(rules: list[FreezeRule], bert_4: EncoderLayout):
    outcome = plan_or_problems(rules, bert_4)
    if isinstance(outcome, FreezePlan) or any("selects no variable" in problem for problem in outcome):
        return
    refused = {int(problem.split(" ")[1]) - 1 for problem in outcome}
    kept = [rule for position, rule in enumerate(rules) if position not in refused]
    assert decisions(kept, bert_4) == decisions(rules, bert_4)


@given(rules=random_rules)
def test_every_rule_of_a_plan_is_of_use(rules: list[FreezeRule], bert_4: EncoderLayout):
    if isinstance(plan_or_problems(rules, bert_4), FreezePlan):
        for position in range(len(rules)):
            others = rules[:position] + rules[position + 1 :]
            assert decisions(others, bert_4) != decisions(rules, bert_4)


def decisions(rules: list[FreezeRule], layout: EncoderLayout) -> dict[str, Decision]:
    """What the rules mean by the book, whether or not each of them is of use."""
    decided = {variable.name: Decision() for variable in layout.variables}
    for rule in rules:
        decided.update(dict.fromkeys(rule.select(layout), rule.decision))
    return decided
