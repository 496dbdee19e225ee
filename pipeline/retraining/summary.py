"""What hooks are told of a retraining."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.retrain_settings import HookEvent
from pipeline.retraining.child_run import ChildResult
from pipeline.run_outcome import Outcome

_OUTCOMES: dict[int, Outcome] = {0: "pushed", 2: "stopped", 3: "not_blessed"}
_EVENTS: dict[Outcome, HookEvent] = {"pushed": "success", "unchanged": "success", "not_blessed": "not_blessed"}


@dataclass(frozen=True)
class Summary:
    """One retraining, whatever became of it.

    Attributes:
        outcome: See `Outcome`.
        pipeline: Its name.
        config: Its file.
        exit_code: As `permafrost run`'s; 1 where the process was killed.
        error: What went wrong; None where the run came to its end.
        started: With the time zone, ISO 8601.
        seconds: From there to the end of the last attempt.
        attempts: How many runs there were.
        log_file: Of the last one.
        run: What `permafrost run --json` printed; None unless it came to its end.
    """

    outcome: Outcome
    pipeline: str
    config: str
    exit_code: int
    error: str | None
    started: str
    seconds: float
    attempts: int
    log_file: str
    run: dict[str, Any] | None

    @property
    def event(self) -> HookEvent:
        """Which of `retrain.hook_on` it is."""
        return _EVENTS.get(self.outcome, "failure")

    @property
    def text(self) -> str:
        """One line for people."""
        run = self.run or {}
        told = f"{self.pipeline}: {self.outcome.replace('_', ' ')}"
        if self.event == "success":
            return f"{told}: {run['pushed_model']}" if run.get("pushed_model") else told
        reasons = [self.error] if self.error else run.get("not_blessed_because") or [run.get("not_pushed_because")]
        return ": ".join([told, *(["; ".join(" ".join(reason.split()) for reason in reasons)] if all(reasons) else [])])

    def to_json(self) -> dict[str, Any]:
        """What hooks get. `text` is what chat services show of it."""
        return {"text": self.text, **asdict(self)}


def exit_code(result: ChildResult) -> int:
    """`permafrost run`'s: a killed one failed."""
    return result.exit_code if result.exit_code in (0, 2, 3) else 1


def outcome(result: ChildResult) -> Outcome:
    """What a result amounts to. A run that was stopped together with `retrain` failed."""
    if result.stopped:
        return "failed"
    told = (result.run or {}).get("outcome")
    return told if told in ("pushed", "unchanged", "not_blessed") else _OUTCOMES.get(result.exit_code, "failed")
