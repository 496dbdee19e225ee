"""The checkpoints of one training: where it goes on, and what is written down meanwhile."""

import logging
from collections.abc import Callable

from trainer_module.training.checkpoints.checkpoint_folder import CheckpointFolder
from trainer_module.training.checkpoints.training_state import Arrays, Facts, TrainingState
from trainer_module.training.distribution import Distribution

_log = logging.getLogger("permafrost.checkpoints")


class Checkpoints:
    """Reads and writes a training's state.

    Of several workers, the chief writes, and all of them read: the folder must be one that all see.

    Args:
        directory: Of the checkpoints of all trainings; none: nothing is written, and training starts at the beginning.
        digest: Gives the name of this training; see `training_digest`.
        state: What is written.
        total_steps: Of the training, for messages.
        distribution: Who takes part.

    Attributes:
        step: Steps done when training goes on; 0: it starts at the beginning.
        finished: Whether it had ended already, so that nothing is left to do.
    """

    def __init__(
        self,
        directory: str | None,
        digest: Callable[[], str],
        state: TrainingState,
        total_steps: int,
        distribution: Distribution,
    ) -> None:
        self.step = 0
        self.finished = False
        self._state = state
        self._total_steps = total_steps
        self._distribution = distribution
        self._writes = distribution.worker == 0
        self._of_epoch: Arrays = {}
        self._folder = CheckpointFolder(directory, digest()) if directory else None

    def __enter__(self) -> "Checkpoints":
        """Makes everything what the newest checkpoint says that it was."""
        if self._folder:
            if self._writes:
                self._folder.claim()
            self._restore(self._folder)
        return self

    def __exit__(self, *error: object) -> None:
        if self._folder:
            self._folder.release()

    def begin_epoch(self) -> None:
        """To be called when Keras has set the metrics to zero: those of an epoch that goes on are put back."""
        self._state.restore_metrics(self._of_epoch)
        self._of_epoch = {}

    def write(self, step: int, *, within_epoch: bool) -> None:
        """Adds a checkpoint after `step` steps. Within an epoch, all workers have to call this together."""
        # Each looks at the metrics then, because they are summed over all of them.
        if self._folder and (self._writes or within_epoch):
            facts, arrays = self._state.capture(within_epoch=within_epoch)
            if self._writes:
                self._folder.write(step, facts, arrays)

    def write_result(self, step: int) -> None:
        """Once training has ended. It stays until another training begins, as what comes next may fail or be killed."""
        if self._folder and self._writes:
            self._folder.write(step, *self._state.capture_result(), finished=True)

    def forget(self) -> None:
        """Removes them: to go on with them would lead nowhere."""
        if self._folder and self._writes:
            self._folder.forget()

    def _restore(self, folder: CheckpointFolder) -> None:
        found = self._agreed(folder)
        if found is None:
            return
        facts, arrays = found
        self._state.restore(facts, arrays)
        self._of_epoch = arrays
        self.step, self.finished = facts["step"], facts["finished"]
        said = "training had ended at" if self.finished else "resuming at"
        _log.info("%s step %d of %d (%s)", said, self.step, self._total_steps, folder.path)

    def _agreed(self, folder: CheckpointFolder) -> tuple[Facts, Arrays] | None:
        """The newest checkpoint that every worker can read."""
        newest: tuple[Facts, Arrays] | None = next(folder.read(), None)
        if self._distribution.workers == 1:
            return newest
        step = self._distribution.least(newest[0]["step"] if newest else -1)
        agreed = next((each for each in folder.read() if each[0]["step"] == step), None)
        if self._distribution.least(int(agreed is not None)):
            return agreed
        if newest:
            _log.warning(
                "train.checkpoint_dir: not every worker finds a checkpoint in %s, so training starts anew; "
                "give a folder that all of them share",
                folder.path,
            )
        return None
