"""How many steps there are, which rows each has, and where stages begin; known before training starts."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.settings import TrainSettings
from trainer_module.training.batches import epoch_batches
from trainer_module.training.distribution import NOT_DISTRIBUTED, Distribution
from trainer_module.training.schedule import Leg, Schedule, Stage

LENGTHS = st.lists(st.integers(2, 128), min_size=1, max_size=200).map(np.array)
BUDGETS = st.none() | st.integers(1, 600)


def schedule(lengths: Any, **settings: Any) -> Schedule:
    return Schedule(TrainSettings(**settings), np.asarray(lengths))


@given(
    lengths=LENGTHS,
    budget=BUDGETS,
    batch_size=st.integers(1, 40),
    epochs=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_each_epoch_has_the_same_number_of_steps_and_every_row_once(
    lengths: np.ndarray, budget: int | None, batch_size: int, epochs: int, seed: int
) -> None:
    ours = schedule(lengths, tokens_per_batch=budget, batch_size=batch_size, epochs=epochs, seed=seed)
    assert ours.epochs == epochs
    assert ours.total_steps == epochs * ours.steps_per_epoch
    for epoch in range(epochs):
        batches = ours.batches(epoch)
        assert len(batches) == ours.steps_per_epoch
        assert min(map(len, batches)) >= 1
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))


@pytest.mark.slow
@given(lengths=LENGTHS, budget=BUDGETS, steps=st.integers(1, 300), seed=st.integers(0, 1000))
def test_steps_end_within_the_last_epoch(lengths: np.ndarray, budget: int | None, steps: int, seed: int) -> None:
    ours = schedule(lengths, tokens_per_batch=budget, batch_size=7, steps=steps, epochs=1, seed=seed)
    assert ours.total_steps == steps
    assert (ours.epochs - 1) * ours.steps_per_epoch < steps <= ours.epochs * ours.steps_per_epoch
    for epoch in range(ours.epochs):
        assert len(ours.batches(epoch)) == ours.steps_per_epoch
    seen = [row for epoch in range(ours.epochs) for batch in ours.batches(epoch) for row in batch.tolist()]
    last = sum(map(len, ours.batches(ours.epochs - 1)[steps - ours.epochs * ours.steps_per_epoch :] or []))
    used = seen[: len(seen) - (last if steps < ours.epochs * ours.steps_per_epoch else 0)]
    assert sorted(ours.visited.tolist()) == sorted(set(used))


@given(lengths=LENGTHS, budget=BUDGETS, steps=st.none() | st.integers(1, 60), seed=st.integers(0, 1000))
def test_a_worker_visits_what_it_reads_in_some_step(
    lengths: np.ndarray, budget: int | None, steps: int | None, seed: int
) -> None:
    ours = schedule(lengths, tokens_per_batch=budget, batch_size=7, steps=steps, epochs=2, seed=seed)
    strategy: Any = SimpleNamespace(num_replicas_in_sync=6)
    workers = [Distribution(strategy, worker, workers=3) for worker in range(3)]
    batches = [batch for epoch in range(ours.epochs) for batch in ours.batches(epoch)][: ours.total_steps]
    for worker in workers:
        expected = {row for batch in batches for row in worker.read_here(batch).tolist()}
        assert ours.visited_by(worker).tolist() == sorted(expected)
    together = {row for worker in workers for row in ours.visited_by(worker).tolist()}
    assert together == set(ours.visited.tolist()) == set(ours.visited_by(NOT_DISTRIBUTED).tolist())


@given(lengths=LENGTHS, budget=st.integers(1, 600), epochs=st.integers(1, 6), seed=st.integers(0, 1000))
def test_the_epoch_that_needs_most_batches_has_no_halved_one(
    lengths: np.ndarray, budget: int, epochs: int, seed: int
) -> None:
    ours = schedule(lengths, tokens_per_batch=budget, epochs=epochs, seed=seed)
    formed = [epoch_batches(lengths, 32, seed, epoch, budget) for epoch in range(epochs)]
    assert ours.steps_per_epoch == max(map(len, formed))
    fullest = max(range(epochs), key=lambda epoch: len(formed[epoch]))
    assert [each.tolist() for each in ours.batches(fullest)] == [each.tolist() for each in formed[fullest]]


def test_without_a_budget_the_batches_are_the_plain_ones() -> None:
    lengths = np.arange(3, 40)
    ours = schedule(lengths, batch_size=8, epochs=2, seed=5)
    assert (ours.steps_per_epoch, ours.rows_per_step) == (5, None)
    expected = [each.tolist() for each in epoch_batches(lengths, 8, 5, 1)]
    assert [each.tolist() for each in ours.batches(1)] == expected


def test_with_a_budget_a_batch_of_mean_size_counts_once() -> None:
    ours = schedule([10] * 30, tokens_per_batch=40)
    assert (ours.steps_per_epoch, ours.rows_per_step) == (8, 30 / 8)


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
def test_visited_are_the_rows_of_the_steps_there_are(steps: int) -> None:
    ours = schedule(range(3, 23), batch_size=5, steps=steps, seed=2)
    expected = [row for batch in ours.batches(0)[:steps] for row in batch.tolist()]
    assert sorted(ours.visited.tolist()) == sorted(expected)
    assert len(ours.visited) == min(5 * steps, 20)


def test_stages_follow_the_plan_as_far_as_training_goes(tiny_encoder: Callable[..., Any]) -> None:
    rules = ({"freeze": "all", "until_epoch": 5}, {"freeze": "encoder[1:]", "until_epoch": 2})
    plan = tiny_encoder(*rules).plan
    trains = [plan.trains_in(epoch) for epoch in (0, 2, 5)]
    assert [len(names) for names in trains] == [0, 32, 55]
    lengths = [4] * 10

    def stages(**settings: Any) -> list[Stage]:
        return schedule(lengths, batch_size=5, **settings).stages(plan)

    assert stages(epochs=7) == [Stage(0, 2, trains[0]), Stage(2, 5, trains[1]), Stage(5, 7, trains[2])]
    assert stages(steps=11) == [Stage(0, 2, trains[0]), Stage(2, 5, trains[1]), Stage(5, 6, trains[2])]
    assert stages(steps=10) == [Stage(0, 2, trains[0]), Stage(2, 5, trains[1])]
    assert [stage.epochs for stage in stages(steps=3)] == [2]


@pytest.mark.parametrize(
    ("done", "legs"),
    [(0, [Leg(1, 3)]), (4, [Leg(1, 3)]), (8, [Leg(2, 3)]), (9, [Leg(2, 3, 1)]), (12, []), (13, [])],
)
def test_what_is_left_of_a_stage_begins_after_the_steps_done(done: int, legs: list[Leg]) -> None:
    assert schedule(range(3, 23), batch_size=5, epochs=4).legs(Stage(1, 3, frozenset()), done) == legs


def test_an_epoch_that_goes_on_is_a_leg_of_its_own() -> None:
    ours = schedule(range(3, 23), batch_size=5, epochs=4)
    assert ours.legs(Stage(1, 3, frozenset()), 6) == [Leg(1, 2, 2), Leg(2, 3)]


def test_the_epochs_of_a_leg_are_its_own() -> None:
    ours = schedule(range(3, 23), batch_size=5, epochs=4)
    given_epochs = list(ours.epochs_of(Leg(1, 3, 2)))
    expected = [ours.batches(1)[2:], ours.batches(2)]
    assert [[each.tolist() for each in epoch] for epoch in given_epochs] == [
        [each.tolist() for each in epoch] for epoch in expected
    ]
