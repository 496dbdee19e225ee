"""Batches hold rows of similar length, each row once an epoch, the same ones for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.features import MASK, WORD_IDS
from trainer_module.training.batches import epoch_batches, evaluation_dataset, training_dataset

LENGTHS = st.lists(st.integers(2, 512), min_size=1, max_size=300).map(np.array)
SEEDS = st.integers(0, 2**31 - 1)


def padding(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """The padded share of all tokens that are computed."""
    computed = sum(lengths[batch].max() * len(batch) for batch in batches)
    return float(1 - lengths.sum() / computed)


def as_lists(batches: list[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


@given(lengths=LENGTHS, batch_size=st.integers(1, 40), seed=SEEDS, epoch=st.integers(0, 100))
def test_every_row_is_in_exactly_one_batch(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(lengths, batch_size, seed, epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    sizes = sorted(map(len, batches))
    assert sizes[1:] == [batch_size] * (len(sizes) - 1)
    assert 1 <= sizes[0] <= batch_size
    assert len(batches) == -(-len(lengths) // batch_size)


@given(lengths=LENGTHS, batch_size=st.integers(1, 40), seed=SEEDS, epoch=st.integers(0, 100))
def test_the_same_seed_and_epoch_give_the_same_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int
) -> None:
    first, second = (epoch_batches(lengths, batch_size, seed, epoch) for _ in range(2))
    assert as_lists(first) == as_lists(second)


def test_epochs_and_seeds_differ() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 500)
    made = {(seed, epoch): as_lists(epoch_batches(lengths, 8, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len({str(batches) for batches in made.values()}) == 4
    assert len({str(sorted(map(sorted, batches))) for batches in made.values()}) == 4


def test_there_is_less_padding_than_in_random_batches() -> None:
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(3, 0.6, 4000).astype(int), 3, 128)
    ours = padding(lengths, epoch_batches(lengths, 32, seed=0, epoch=0))
    random = padding(lengths, np.array_split(rng.permutation(len(lengths)), len(lengths) // 32))
    assert random > 0.5
    assert ours < 0.1


def test_the_order_of_batches_does_not_follow_length() -> None:
    lengths = np.arange(3, 3 + 32 * 20)
    longest = [lengths[batch].max() for batch in epoch_batches(lengths, 20, seed=0, epoch=0)]
    assert longest != sorted(longest) and longest != sorted(longest, reverse=True)


def test_the_training_data_set_is_one_epoch_after_the_other(make_rows) -> None:
    rows = make_rows(*([2] * length for length in (3, 9, 4, 8, 5)))
    epochs = [epoch_batches(rows.lengths, 2, 3, epoch) for epoch in (0, 1)]
    given_batches = list(training_dataset(rows, lambda: iter(epochs)).as_numpy_iterator())
    assert [labels.tolist() for _, labels in given_batches] == as_lists([*epochs[0], *epochs[1]])
    for inputs, labels in given_batches:
        assert inputs[MASK].sum(axis=1).tolist() == rows.lengths[labels].tolist()
        assert inputs[WORD_IDS].shape == (len(labels), rows.lengths[labels].max())


def test_the_evaluation_data_set_has_each_row_once_shortest_first(make_rows) -> None:
    rows = make_rows(*([2] * length for length in (3, 9, 4, 8, 5)))
    batches = [labels.tolist() for _, labels in evaluation_dataset(rows, 2).as_numpy_iterator()]
    assert batches == [[0, 2], [4, 3], [1]]


@pytest.mark.parametrize("labels", [[0, 1], [0.5, 1.5]])
def test_one_signature_serves_all_lengths(make_rows, labels: list[float]) -> None:
    dataset = evaluation_dataset(make_rows([2, 3], [2, 4, 3], labels=labels), 1)
    inputs, label = dataset.element_spec
    assert {tuple(spec.shape) for spec in inputs.values()} == {(None, None)}
    assert label.dtype.is_floating == isinstance(labels[0], float)
