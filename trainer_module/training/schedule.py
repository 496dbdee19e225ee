"""How many steps there are, which rows each has, and when another set of variables begins to train."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.settings import TrainSettings
from trainer_module.training.batches import epoch_batches, with_count
from trainer_module.training.distribution import Distribution


@dataclass(frozen=True)
class Stage:
    """Epochs in which the same variables train.

    Attributes:
        first: Zero-based epoch.
        end: The epoch after its last.
        trains: The Hub names of the encoder's variables that train.
    """

    first: int
    end: int
    trains: frozenset[str]

    @property
    def epochs(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class Leg:
    """Epochs that one call of `fit` trains.

    Attributes:
        first: Zero-based epoch.
        end: The epoch after its last.
        skipped: Steps of its first epoch that were done before.
    """

    first: int
    end: int
    skipped: int = 0


class Schedule:
    """A training, before it starts.

    Args:
        settings: How long, and how large the batches are.
        lengths: Tokens of each training row, `[rows]`; at least one.

    Attributes:
        steps_per_epoch: The same in every epoch. Where batches have a budget of tokens, the epoch that needs most
            decides, and in the others some batches are halved.
        total_steps: Of the whole training.
        epochs: The last one may end early.
    """

    def __init__(self, settings: TrainSettings, lengths: np.ndarray) -> None:
        self._settings = settings
        self._lengths = lengths
        self.steps_per_epoch = self._count_steps()
        self.total_steps = settings.steps or settings.epochs * self.steps_per_epoch
        self.epochs = math.ceil(self.total_steps / self.steps_per_epoch)

    @property
    def rows_per_step(self) -> float | None:
        """The mean size of a batch, where batches differ in size by design."""
        if self._settings.tokens_per_batch is None:
            return None
        return len(self._lengths) / self.steps_per_epoch

    def stages(self, plan: FreezePlan) -> list[Stage]:
        """The stages of a plan that training reaches."""
        starts = [epoch for epoch in plan.stages if epoch < self.epochs]
        return [
            Stage(first, end, plan.trains_in(first))
            for first, end in zip(starts, [*starts[1:], self.epochs], strict=True)
        ]

    def batches(self, epoch: int) -> list[np.ndarray]:
        """The rows of each of an epoch's steps."""
        return with_count(self._formed(epoch), self.steps_per_epoch)

    def legs(self, stage: Stage, done: int) -> list[Leg]:
        """What is left of a stage after `done` steps of the whole training: nothing, or one leg.

        Two where an epoch has to be completed: in each leg, all epochs have the same number of steps.
        """
        epoch, skipped = divmod(done, self.steps_per_epoch)
        if epoch < stage.first:
            epoch, skipped = stage.first, 0
        legs = [Leg(epoch, epoch + 1, skipped), Leg(epoch + 1, stage.end)] if skipped else [Leg(epoch, stage.end)]
        return [leg for leg in legs if leg.first < stage.end]

    def epochs_of(self, leg: Leg) -> Iterator[list[np.ndarray]]:
        """The batches of each of a leg's epochs."""
        return (self.batches(epoch)[leg.skipped if epoch == leg.first else 0 :] for epoch in range(leg.first, leg.end))

    @cached_property
    def visited(self) -> np.ndarray:
        """The rows that any step has: all, unless training ends within the first epoch."""
        if self.total_steps >= self.steps_per_epoch:
            return np.arange(len(self._lengths))
        return np.concatenate(self.batches(0)[: self.total_steps])

    def visited_by(self, distribution: Distribution) -> np.ndarray:
        """Those of `visited` that this process reads: with several workers, a part that grows with the epochs."""
        if distribution.workers == 1:
            return self.visited
        steps = (batch for epoch in range(self.epochs) for batch in self.batches(epoch))
        return np.unique(np.concatenate([distribution.read_here(batch) for batch in islice(steps, self.total_steps)]))

    def _count_steps(self) -> int:
        settings = self._settings
        if settings.tokens_per_batch is None:
            return math.ceil(len(self._lengths) / settings.batch_size)
        most, epoch = 0, 0
        while epoch < (settings.epochs if settings.steps is None else math.ceil(settings.steps / max(most, 1))):
            most = max(most, len(self._formed(epoch)))
            epoch += 1
        return most

    def _formed(self, epoch: int) -> list[np.ndarray]:
        settings = self._settings
        return epoch_batches(self._lengths, settings.batch_size, settings.seed, epoch, settings.tokens_per_batch)
