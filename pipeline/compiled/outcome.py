"""What a finished run of a compiled job amounts to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.compiled.artifact_store import Artifact, Run


@dataclass(frozen=True)
class Outcome:
    """What TFX's artifacts say of a run.

    Attributes:
        run: The record.
        blessed: Evaluator's verdict; None when there was no Evaluator.
        pushes: Whether a Pusher was among the steps.
        pushed_model: Where the model went; None when nothing was pushed.
        run_dir: Artifacts, logs and the record.
    """

    run: Run
    blessed: bool | None
    pushes: bool
    pushed_model: str | None
    run_dir: Path

    @property
    def is_refused(self) -> bool:
        """Whether a model was to be pushed, and wasn't."""
        return self.pushes and self.pushed_model is None

    def to_json(self) -> dict[str, Any]:
        """The object that `permafrost run-compiled --json` prints."""
        return {
            "pipeline": self.run.pipeline,
            "run_id": self.run.run_id,
            "blessed": self.blessed,
            "pushed_model": self.pushed_model,
            "parameters": self.run.parameters,
            "seconds": {step.task: round(step.seconds, 2) for step in self.run.steps},
            "artifacts": {
                step.task: {key: [artifact.uri for artifact in artifacts] for key, artifacts in step.outputs.items()}
                for step in self.run.steps
            },
            "run_dir": str(self.run_dir),
        }


def read_outcome(run: Run, run_dir: Path) -> Outcome:
    """Collects what became of a run that came to its end."""
    blessings = _own(run, "tfx.ModelBlessing")
    pushed = _own(run, "tfx.PushedModel")
    destinations = [each.metadata.get("pushed_destination") for each in pushed if each.metadata.get("pushed") == 1]
    return Outcome(
        run=run,
        blessed=all(each.metadata.get("blessed") == 1 for each in blessings) if blessings else None,
        pushes=bool(pushed),
        pushed_model=next((str(each) for each in destinations if each), None),
        run_dir=run_dir,
    )


def _own(run: Run, title: str) -> list[Artifact]:
    """The artifacts of a type that this run made; those that a resolver found are another's."""
    prefix = f"{run.pipeline}/{run.run_id}/"
    return [
        artifact
        for step in run.steps
        for artifacts in step.outputs.values()
        for artifact in artifacts
        if artifact.title == title and artifact.name.startswith(prefix)
    ]
