"""A component's peak is the highest memory of the process while it ran, and nobody else's."""

import mmap

from benchmarks.scale.component_costs import CostWatch

MB = 2**20


def take_and_give_back(megabytes: int) -> None:
    # A mapping of its own goes back to the system when it is closed, unlike what malloc keeps.
    with mmap.mmap(-1, megabytes * MB) as memory:
        for place in range(0, len(memory), mmap.PAGESIZE):
            memory[place] = 1


def test_memory_given_back_before_the_end_counts() -> None:
    watch = CostWatch()
    watch.started("Transform", "run")
    take_and_give_back(200)
    watch.ended("Transform", 1.5)
    (cost,) = watch.costs
    assert (cost.component, cost.seconds) == ("Transform", 1.5)
    # What the process gives back to the system meanwhile counts against it.
    assert 150 < cost.added_mb < 230


def test_a_later_component_does_not_inherit_a_peak() -> None:
    watch = CostWatch()
    watch.started("Transform", "run")
    take_and_give_back(200)
    watch.ended("Transform", 1)
    watch.started("Trainer", "run")
    take_and_give_back(50)
    watch.ended("Trainer", 1)
    assert [cost.component for cost in watch.costs] == ["Transform", "Trainer"]
    assert 45 < watch.costs[1].added_mb < 80


def test_what_was_taken_between_two_components_counts_for_neither() -> None:
    watch = CostWatch()
    watch.started("Transform", "run")
    watch.ended("Transform", 1)
    take_and_give_back(200)
    watch.started("Trainer", "run")
    watch.ended("Trainer", 1)
    assert all(cost.added_mb < 30 for cost in watch.costs)


def test_overlapping_components_both_count_what_is_taken_meanwhile() -> None:
    watch = CostWatch()
    watch.started("StatisticsGen", "run")
    watch.started("Transform", "run")
    take_and_give_back(200)
    watch.ended("StatisticsGen", 1)
    take_and_give_back(100)
    watch.ended("Transform", 2)
    rises = {cost.component: cost.added_mb for cost in watch.costs}
    assert list(rises) == ["StatisticsGen", "Transform"]
    assert all(195 < rise < 230 for rise in rises.values())


def test_a_failed_component_has_no_costs_and_the_others_go_on() -> None:
    watch = CostWatch()
    watch.started("StatisticsGen", "run")
    watch.started("Transform", "run")
    take_and_give_back(100)
    watch.failed("Transform", ValueError("bad"))
    watch.ended("StatisticsGen", 1)
    (cost,) = watch.costs
    assert cost.component == "StatisticsGen"
    assert 95 < cost.added_mb < 130
