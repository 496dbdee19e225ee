"""Over which devices and workers training is spread."""

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.settings import TrainSettings

_log = logging.getLogger("permafrost.distribution")

_CHIEFS = ("chief", "master")  # an older name of it
_EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Distribution:
    """Where training runs, and what of it in this process.

    A *replica* is a device with a copy of the model. Each step's batch is split over all replicas, and their gradients
    are summed before they are clipped and applied.

    Attributes:
        strategy: TensorFlow's; its default one where nothing is distributed. Model and optimizer are made in its scope.
        worker: Zero-based number of this process; 0 is the chief.
        workers: How many processes train together.
    """

    strategy: tf.distribute.Strategy
    worker: int = 0
    workers: int = 1

    @property
    def replicas(self) -> int:
        """Of all workers."""
        return int(self.strategy.num_replicas_in_sync)

    def shards(self, batch: np.ndarray) -> list[np.ndarray]:
        """The rows of a batch for each replica of this process.

        Rows are dealt out one by one: no replica gets two more than another, and each gets some of the longest.

        Example:
            >>> [shard.tolist() for shard in NOT_DISTRIBUTED.shards(np.array([3, 1, 2]))]
            [[3, 1, 2]]
        """
        here = self.replicas // self.workers
        first = self.worker * here
        return [batch[replica :: self.replicas] for replica in range(first, first + here)]

    def read_here(self, batch: np.ndarray) -> np.ndarray:
        """The rows of a batch that this process reads: a replica without a row of its own runs the batch's first."""
        return np.concatenate([shard if len(shard) else batch[:1] for shard in self.shards(batch)])

    @contextmanager
    def written_by_chief(self, *folders: str) -> Iterator[Sequence[str]]:
        """Where this process writes what is to go into `folders`: any worker but the chief into temporary ones.

        All workers do the same work, because each takes part in all of the strategy's communication. None leaves
        before the chief has written: a worker that ended early could not find the model that it trained.
        """
        with tempfile.TemporaryDirectory(prefix="permafrost-worker-") as temporary:
            if self.worker == 0:
                yield folders
            else:
                yield [os.path.join(temporary, str(index)) for index in range(len(folders))]
            self._wait_for_all()

    def least(self, number: int) -> int:
        """The least of the numbers that the workers give; all of them have to call this together."""
        if self.workers == 1:
            return number

        @tf.function(autograph=False)
        def meet() -> Any:
            given = tf.constant([number])
            return self.strategy.run(lambda: tf.distribute.get_replica_context().all_gather(given, axis=0))

        return int(self.strategy.experimental_local_results(meet())[0].numpy().min())

    def _wait_for_all(self) -> None:
        if self.workers > 1:

            @tf.function(autograph=False)
            def meet() -> Any:
                return self.strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones([])))

            self.strategy.experimental_local_results(meet())[0].numpy()


NOT_DISTRIBUTED = Distribution(tf.distribute.get_strategy())
"""One process, one device."""


def choose_distribution(settings: TrainSettings) -> Distribution:
    """What `train.distribution` asks for, or for `auto` what there is.

    Several workers can only be joined before TensorFlow has computed anything in this process, and this waits until
    all of them are there.

    Raises:
        UserError: The devices or workers that are asked for aren't there.
    """
    asked = settings.distribution
    if asked == "none":
        return NOT_DISTRIBUTED
    if asked == "mirrored":
        return _mirrored()
    cluster = _Cluster.from_environment()
    if asked == "multi_worker" or (cluster and cluster.workers > 1):
        return _multi_worker(cluster)
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return _mirrored()
    return NOT_DISTRIBUTED


def _mirrored() -> Distribution:
    gpus = tf.config.list_logical_devices("GPU")
    # Several CPU devices there are in tests only.
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise UserError(
            f'train.distribution: "mirrored" needs two GPUs or more, TensorFlow finds {len(gpus)}; give this machine '
            'more (and drivers that TensorFlow finds), or write "auto", which takes what there is'
        )
    _log.info("training on %d devices", len(devices))
    return Distribution(_mirrored_strategy(tuple(device.name for device in devices)))


def _multi_worker(cluster: "_Cluster | None") -> Distribution:
    if cluster is None or cluster.workers < 2:
        found = "isn't set" if cluster is None else f"names {cluster.workers}"
        raise UserError(
            'train.distribution: "multi_worker" needs TF_CONFIG to name two workers or more, and it '
            f'{found}; set it for each process, such as {_EXAMPLE}, or write "auto"'
        )
    try:
        strategy = _multi_worker_strategy()
    except RuntimeError as error:
        raise UserError(
            f"train.distribution: can't join the other workers of TF_CONFIG: {error}; "
            "run the Trainer in a process of its own, in which TensorFlow has computed nothing yet"
        ) from error
    distribution = Distribution(strategy, cluster.worker, cluster.workers)
    _log.info(
        "worker %d of %d, %d replicas in all", distribution.worker + 1, distribution.workers, distribution.replicas
    )
    return distribution


# One of each in a process: a second one would number its sums over replicas like the first, and TensorFlow would take
# them for the same.


@cache
def _mirrored_strategy(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(devices)


@cache
def _multi_worker_strategy() -> tf.distribute.Strategy:
    return tf.distribute.MultiWorkerMirroredStrategy()


@dataclass(frozen=True)
class _Cluster:
    """What TF_CONFIG says: https://www.tensorflow.org/guide/distributed_training#TF_CONFIG."""

    worker: int
    workers: int

    @classmethod
    def from_environment(cls) -> "_Cluster | None":
        text = os.environ.get("TF_CONFIG", "")
        if not text.strip():
            return None
        try:
            config = json.loads(text)
            cluster = {job: len(hosts) for job, hosts in config.get("cluster", {}).items()}
            task = config.get("task", {})
            job, index = str(task.get("type")), int(task.get("index", 0))
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"TF_CONFIG: can't be read ({error}); it looks like {_EXAMPLE}") from None
        chiefs = sum(cluster.get(chief, 0) for chief in _CHIEFS)
        workers = chiefs + cluster.get("worker", 0)
        if workers < 2:
            return cls(0, workers)
        if job not in (*_CHIEFS, "worker") or index not in range(cluster.get(job, 0)):
            raise UserError(
                f"TF_CONFIG: this process is task {index} of {job!r}, which is no worker of its cluster; "
                f"it looks like {_EXAMPLE}"
            )
        return cls(index if job in _CHIEFS else chiefs + index, workers)
