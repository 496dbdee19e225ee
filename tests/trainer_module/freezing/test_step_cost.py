import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.freezing.freeze_plan import make_plan
from trainer_module.freezing.freeze_rules import parse_rules
from trainer_module.freezing.step_cost import saved_share
from trainer_module.hub.layout import EncoderLayout

TOKENS = 16
# Multiplications of one sequence, for the fixtures' width of 8.
KERNELS = TOKENS * 12 * 8**2
ATTENTION = 2 * TOKENS * TOKENS * 8
BLOCK = KERNELS + ATTENTION
POOLER = 8**2
FULL = 3 * (4 * BLOCK + POOLER)


def saved(rules: list[str], layout: EncoderLayout, unused: frozenset[str] = frozenset()) -> float:
    return saved_share(layout, make_plan(parse_rules(rules), layout, unused), TOKENS)


def test_nothing_frozen_saves_nothing(bert_4: EncoderLayout):
    assert saved([], bert_4) == 0


def test_all_frozen_leaves_the_forward_third(bert_4: EncoderLayout):
    assert saved(["freeze all"], bert_4) == pytest.approx(2 / 3)


def test_frozen_embeddings_alone_save_nothing(bert_4: EncoderLayout):
    assert saved(["freeze embeddings"], bert_4) == 0


def test_a_frozen_prefix_saves_both_gradients_of_its_blocks(bert_4: EncoderLayout):
    expected = 2 * (KERNELS + ATTENTION) * 2 / FULL
    assert saved(["freeze embeddings", "freeze encoder[:2]"], bert_4) == pytest.approx(expected)


def test_a_frozen_block_above_a_trained_one_saves_its_weights_gradient_alone(bert_4: EncoderLayout):
    assert saved(["freeze encoder[-1]"], bert_4) == pytest.approx(KERNELS / FULL)


def test_trained_word_embeddings_need_the_gradient_through_every_frozen_block(bert_4: EncoderLayout):
    assert saved(["freeze encoder"], bert_4) == pytest.approx(4 * KERNELS / FULL)


def test_bitfit_saves_the_gradients_of_all_kernels(bert_4: EncoderLayout):
    expected = (4 * KERNELS + POOLER) / FULL
    assert saved(["freeze all", "train bias"], bert_4) == pytest.approx(expected)


def test_an_unused_pooler_costs_nothing_with_or_without_freezing(bert_4: EncoderLayout):
    rules = ["freeze embeddings", "freeze encoder[0]"]
    assert saved([], bert_4, frozenset({"pooler"})) == 0
    expected = 2 * BLOCK / (3 * 4 * BLOCK)
    assert saved(rules, bert_4, frozenset({"pooler"})) == pytest.approx(expected)


def test_longer_texts_give_the_unfrozen_attention_more_weight(bert_4: EncoderLayout):
    plan = make_plan(parse_rules(["freeze all", "train bias"]), bert_4)
    assert saved_share(bert_4, plan, 512) < saved_share(bert_4, plan, 16)


def test_a_shared_block_costs_as_much_as_its_layers(albert: EncoderLayout):
    assert albert.layers == 6
    expected = 2 * 6 * BLOCK / (3 * (6 * BLOCK + POOLER))
    assert saved(["freeze embeddings", "freeze encoder"], albert) == pytest.approx(expected)


@given(count=st.integers(1, 11), tokens=st.integers(1, 512))
def test_freezing_more_of_the_prefix_saves_more_but_never_all(count: int, tokens: int, bert_12: EncoderLayout):
    def share(blocks: int) -> float:
        rules = parse_rules(["freeze embeddings", f"freeze encoder[:{blocks}]"])
        return saved_share(bert_12, make_plan(rules, bert_12), tokens)

    assert 0 < share(count) < share(count + 1) < 1


def test_while_more_is_frozen_a_step_saves_more(bert_4: EncoderLayout):
    rules = ["freeze embeddings", "freeze encoder[:2] until_epoch=2", "freeze encoder[2]"]
    plan = make_plan(parse_rules(rules), bert_4)
    at_first, in_the_end = (
        saved(["freeze embeddings", f"freeze encoder[{blocks}]"], bert_4) for blocks in ("0,1,2", "2")
    )
    assert [saved_share(bert_4, plan, TOKENS, epoch) for epoch in range(4)] == [at_first] * 2 + [in_the_end] * 2
    assert at_first > in_the_end == saved_share(bert_4, plan, TOKENS)
