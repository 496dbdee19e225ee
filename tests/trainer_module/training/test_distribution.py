"""Where training runs is what the settings ask for, and impossible wishes are refused in words."""

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.errors import UserError
from trainer_module.settings import TrainSettings
from trainer_module.training.distribution import NOT_DISTRIBUTED, Distribution, choose_distribution

EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
TWO = {"chief": ["a:1"], "worker": ["b:1"]}


class Replicas:
    """All of a strategy that tells rows apart."""

    def __init__(self, count: int) -> None:
        self.num_replicas_in_sync = count


def workers(count: int, replicas_each: int) -> list[Distribution]:
    strategy: Any = Replicas(count * replicas_each)
    return [Distribution(strategy, worker, count) for worker in range(count)]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)


def set_cluster(monkeypatch: pytest.MonkeyPatch, config: Any) -> None:
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))


@pytest.mark.parametrize("asked", ["auto", "none"])
def test_one_device_needs_no_strategy(asked: Any) -> None:
    chosen = choose_distribution(TrainSettings(distribution=asked))
    assert chosen is NOT_DISTRIBUTED
    assert chosen.strategy is tf.distribute.get_strategy() and not tf.distribute.has_strategy()
    assert (chosen.replicas, chosen.worker, chosen.workers) == (1, 0, 1)


@pytest.mark.parametrize("cluster", ["", "{}", {"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}])
def test_a_cluster_of_one_is_no_cluster(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Managed services set TF_CONFIG for a single machine, too."""
    set_cluster(monkeypatch, cluster)
    assert choose_distribution(TrainSettings()) is NOT_DISTRIBUTED


def test_none_ignores_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    set_cluster(monkeypatch, {"cluster": TWO, "task": {"type": "chief", "index": 0}})
    assert choose_distribution(TrainSettings(distribution="none")) is NOT_DISTRIBUTED


@pytest.mark.parametrize(
    ("config", "found"),
    [(None, "isn't set"), ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}, "names 1")],
)
def test_several_workers_have_to_be_named(config: Any, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if config:
        set_cluster(monkeypatch, config)
    with pytest.raises(UserError) as error:
        choose_distribution(TrainSettings(distribution="multi_worker"))
    assert error.value.problems == [
        f'train.distribution: "multi_worker" needs TF_CONFIG to name two workers or more, and it {found}; '
        f'set it for each process, such as {EXAMPLE}, or write "auto"'
    ]


def test_mirrored_needs_devices() -> None:
    with pytest.raises(UserError) as error:
        choose_distribution(TrainSettings(distribution="mirrored"))
    assert error.value.problems == [
        'train.distribution: "mirrored" needs two GPUs or more, TensorFlow finds 0; give this machine more '
        '(and drivers that TensorFlow finds), or write "auto", which takes what there is'
    ]


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"cluster": [1]}', '{"cluster": {"worker": 2}}', '{"task": {"index": "x"}}']
)
def test_a_cluster_that_can_not_be_read_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_cluster(monkeypatch, text)
    with pytest.raises(UserError) as error:
        choose_distribution(TrainSettings())
    assert error.value.problems[0].startswith("TF_CONFIG: can't be read (")
    assert error.value.problems[0].endswith(f"; it looks like {EXAMPLE}")


@pytest.mark.parametrize(("job", "index"), [("ps", 0), ("evaluator", 0), ("worker", 1), ("chief", -1)])
def test_a_process_that_is_no_worker_of_its_cluster_is_refused(
    job: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_cluster(monkeypatch, {"cluster": {**TWO, "ps": ["c:1"]}, "task": {"type": job, "index": index}})
    with pytest.raises(UserError) as error:
        choose_distribution(TrainSettings())
    assert error.value.problems == [
        f"TF_CONFIG: this process is task {index} of {job!r}, which is no worker of its cluster; "
        f"it looks like {EXAMPLE}"
    ]


def test_workers_can_not_be_joined_when_tensorflow_has_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.ones([])
    set_cluster(monkeypatch, {"cluster": TWO, "task": {"type": "chief", "index": 0}})
    with pytest.raises(UserError) as error:
        choose_distribution(TrainSettings())
    assert error.value.problems[0].startswith("train.distribution: can't join the other workers of TF_CONFIG: ")
    assert error.value.problems[0].endswith(
        "run the Trainer in a process of its own, in which TensorFlow has computed nothing yet"
    )


@given(rows=st.integers(0, 40), count=st.integers(1, 4), each=st.integers(1, 3))
def test_every_row_is_in_one_shard_and_shards_are_as_large(rows: int, count: int, each: int) -> None:
    batch = np.random.default_rng(0).permutation(100)[:rows]
    shards = [shard for worker in workers(count, each) for shard in worker.shards(batch)]
    assert len(shards) == count * each
    assert sorted(np.concatenate(shards).tolist()) == sorted(batch.tolist())
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_worker_reads_its_own_shards_and_a_stand_in_where_it_has_none() -> None:
    batch = np.array([7, 8, 9, 4, 5])
    assert [worker.read_here(batch).tolist() for worker in workers(2, 2)] == [[7, 5, 8], [9, 4]]
    assert [worker.read_here(batch[:3]).tolist() for worker in workers(2, 2)] == [[7, 8], [9, 7]]
    assert NOT_DISTRIBUTED.read_here(batch).tolist() == batch.tolist()


def test_one_process_writes_where_it_is_told() -> None:
    with NOT_DISTRIBUTED.written_by_chief("one", "two") as folders:
        assert list(folders) == ["one", "two"]
