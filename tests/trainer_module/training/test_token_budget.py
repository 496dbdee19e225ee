"""Batches of as many rows as fit a budget of tokens: no more is computed at once, and each row weighs the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.settings import TrainSettings
from trainer_module.training.batches import epoch_batches, with_count
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.rows import Rows
from trainer_module.training.schedule import Schedule

LENGTHS = st.lists(st.integers(2, 512), min_size=1, max_size=300).map(np.array)


def padded(lengths: np.ndarray, batch: np.ndarray) -> int:
    return int(lengths[batch].max()) * len(batch)


@given(lengths=LENGTHS, budget=st.integers(1, 3000), seed=st.integers(0, 1000), epoch=st.integers(0, 50))
def test_every_row_is_in_one_batch_and_none_is_beyond_the_budget_but_a_row_alone(
    lengths: np.ndarray, budget: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(lengths, 32, seed, epoch, budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert padded(lengths, batch) <= budget or len(batch) == 1


@given(lengths=LENGTHS, budget=st.integers(1, 3000), seed=st.integers(0, 1000), more=st.integers(0, 40))
def test_cut_into_more_batches_they_still_hold_every_row_once(
    lengths: np.ndarray, budget: int, seed: int, more: int
) -> None:
    batches = epoch_batches(lengths, 32, seed, 0, budget)
    count = min(len(batches) + more, len(lengths))
    cut = with_count(batches, count)
    assert len(cut) == count
    assert np.concatenate(cut).tolist() == np.concatenate(batches).tolist()
    assert min(map(len, cut)) >= 1
    assert max(padded(lengths, batch) for batch in cut) <= max(padded(lengths, batch) for batch in batches)


def test_short_rows_come_many_at_a_time_and_long_ones_few() -> None:
    lengths = np.array([4] * 64 + [64] * 8)
    sizes = sorted((int(lengths[batch].max()), len(batch)) for batch in epoch_batches(lengths, 32, 0, 0, 128))
    assert {size for length, size in sizes if length == 64} <= {1, 2}
    assert max(size for length, size in sizes if length == 4) == 32


@given(lengths=LENGTHS, seed=st.integers(0, 1000))
def test_the_budget_is_used(lengths: np.ndarray, seed: int) -> None:
    """Of two batches of a pool that follow each other in length, the longer one could not take a row more."""
    budget = 2048
    batches = sorted(epoch_batches(lengths, 32, seed, 0, budget), key=lambda batch: int(lengths[batch].max()))
    rows_in_pool = 32 * max(1, int(budget / lengths.mean()))
    if len(lengths) <= rows_in_pool:
        for batch in batches[1:]:
            assert int(lengths[batch].max()) * (len(batch) + 1) > budget


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_differ() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 500)

    def made(seed: int, epoch: int) -> str:
        return str([batch.tolist() for batch in epoch_batches(lengths, 32, seed, epoch, 256)])

    assert made(0, 0) == made(0, 0)
    assert len({made(seed, epoch) for seed in (0, 1) for epoch in (0, 1)}) == 4


class Summing(keras.optimizers.SGD):
    """Changes nothing; adds up the gradients that it is given."""

    def build(self, var_list: Any) -> None:
        super().build(var_list)
        self.sums = [tf.Variable(tf.zeros(each.shape), trainable=False) for each in var_list]

    def apply_gradients(self, grads_and_vars: Any, **kwargs: Any) -> None:
        for total, (gradient, _) in zip(self.sums, list(grads_and_vars), strict=True):
            total.assign_add(tf.convert_to_tensor(gradient))


@pytest.mark.slow
def test_over_an_epoch_each_row_weighs_the_same_as_in_plain_batches(
    tiny_encoder: Callable[..., Any], make_rows: Callable[..., Rows]
) -> None:
    rng = np.random.default_rng(0)
    words = [rng.integers(5, 60, length).tolist() for length in rng.integers(3, 15, 40)]
    rows = make_rows(*words, labels=(np.arange(40) % 2).tolist())
    encoder = tiny_encoder({"freeze": "embeddings"}, {"freeze": "encoder[:2]"}, dropout=0.0).encoder

    def gradients(**settings: Any) -> tuple[list[np.ndarray], Schedule]:
        schedule = Schedule(TrainSettings(**settings), rows.lengths)
        classifier = BertClassifier(encoder, outputs=2, pooling="pooled", dropout=0.0, seed=0)
        classifier.rows_per_step = schedule.rows_per_step
        optimizer = Summing(0.0)
        classifier.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        classifier(rows.batch(np.arange(1))[0])
        optimizer.build(classifier.trainable_variables)
        step = tf.function(classifier.train_step, autograph=False, reduce_retracing=True)
        for batch in schedule.batches(0):
            inputs, labels = rows.batch(batch)
            step(({name: tf.constant(each) for name, each in inputs.items()}, tf.constant(labels)))
        return [total.numpy() for total in optimizer.sums], schedule

    plain, by_eight = gradients(batch_size=8)
    ours, by_tokens = gradients(tokens_per_batch=50)
    sizes = [len(batch) for batch in by_tokens.batches(0)]
    assert len(set(sizes)) > 2
    # As many mean gradients as there are steps: in both, every row has the same share of them.
    share = by_tokens.steps_per_epoch / by_eight.steps_per_epoch
    assert share > 1.5
    assert max(np.abs(each).max() for each in plain) > 0.1
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, share * other, rtol=1e-4, atol=1e-5)
