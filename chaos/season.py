"""Nights one after the other, each with whatever happens to it, and a reader that watches the serving folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.aftermath import problems_of_files, problems_of_metadata, problems_of_serving, pushed_version
from chaos.attempt import Attempt, Outcome
from chaos.project import Project
from chaos.serving_watch import ServingWatch
from components.atomic_pusher.serving_folder import versions


@dataclass
class Season:
    """A project's nights so far.

    Attributes:
        project: Whose.
        watch: Sees each version from the moment it appears.
        pushes: How many models went live.
    """

    project: Project
    watch: ServingWatch
    pushes: int = field(default=0, init=False)

    def start(self, overrides: Sequence[str] = ()) -> Attempt:
        """Starts a run of the night."""
        return Attempt(self.project, overrides)

    def undisturbed(self) -> tuple[Outcome, list[str]]:
        """Runs the night to its end, as cron would after whatever happened; gives what is wrong then."""
        outcome = self.start().outcome()
        return outcome, self.problems_after_success(outcome)

    def problems_after_success(self, outcome: Outcome) -> list[str]:
        """What is wrong after a run that nothing stood in the way of."""
        if outcome.code != 0 or not pushed_version(outcome.summary):
            said = f"the next run ended with exit code {outcome.code}: {outcome.last_words}"
            return [said, self.project.end_of_log()]
        self.pushes += 1
        return [*self._problems(self.pushes, at_rest=True), *problems_of_files(self.project)]

    def problems_after_failure(self) -> list[str]:
        """What is wrong after a run that ended without a model; it may have been unable to write into ML Metadata."""
        return self._problems(self.pushes, at_rest=False)

    def problems_after_kill(self) -> list[str]:
        """What is wrong after a kill; the model may have gone live just before."""
        live = len(versions(str(self.project.serving)))
        return self._problems(live if live == self.pushes + 1 else self.pushes, at_rest=False)

    def _problems(self, pushes: int, *, at_rest: bool) -> list[str]:
        return [
            *problems_of_serving(self.project, pushes),
            *problems_of_metadata(self.project, at_rest=at_rest),
            *self.watch.complaints,
        ]
