"""One retraining: attempts until a run comes to its end, then the hooks."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import tenacity

from pipeline.retrain_settings import RetrainSettings
from pipeline.retraining.child_run import ChildResult, run_child, stopped_result
from pipeline.retraining.hooks import call_hooks
from pipeline.retraining.stop import Stop
from pipeline.retraining.summary import Summary, exit_code, outcome
from pipeline.run_lock import is_held

_LONGEST_BACKOFF_SECONDS = 3600.0
_LOOK_SECONDS = 1.0

_LOG = logging.getLogger("permafrost.retrain")


@dataclass(frozen=True)
class Retraining:
    """How to do it; `run` does it, as often as wanted.

    Attributes:
        pipeline: Its name.
        config_file: Its file.
        settings: `[retrain]`.
        root: Of the pipeline; its `logs` get a file for each attempt.
        command: What runs the pipeline: gets `--log-file FILE`, and prints as `permafrost run --json` does.
        stop: Ends it.
    """

    pipeline: str
    config_file: str
    settings: RetrainSettings
    root: str
    command: Sequence[str]
    stop: Stop

    def run(self) -> int:
        """Runs the pipeline, tells the log and the hooks, and gives the exit code."""
        started, start = datetime.now().astimezone(), time.monotonic()
        log_files: list[str] = []
        result = self._attempts(log_files)
        summary = Summary(
            outcome=outcome(result),
            pipeline=self.pipeline,
            config=self.config_file,
            exit_code=exit_code(result),
            error=result.error or None,
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - start, 1),
            attempts=len(log_files),
            log_file=log_files[-1] if log_files else "",
            run=result.run,
        )
        _LOG.info("%s (%.0f s, attempts: %d)", summary.text, summary.seconds, summary.attempts)
        call_hooks(self.settings, summary)
        return summary.exit_code

    def _attempts(self, log_files: list[str]) -> ChildResult:
        settings = self.settings
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda result: result.may_pass),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(settings.attempts), tenacity.stop_when_event_set(self.stop.requested)
            ),
            wait=tenacity.wait_exponential_jitter(
                initial=settings.backoff_seconds, max=_LONGEST_BACKOFF_SECONDS, jitter=settings.backoff_seconds / 4
            ),
            sleep=tenacity.sleep_using_event(self.stop.requested),
            before_sleep=_tell_of_retry,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        result: ChildResult = retrying(self._attempt, log_files)
        return result

    def _attempt(self, log_files: list[str]) -> ChildResult:
        self._wait_for_other_run()
        if self.stop.requested.is_set():  # while it waited
            return stopped_result(self.stop)
        log_file = f"{self.root}/logs/{datetime.now():%Y%m%d-%H%M%S}.log"
        log_files.append(log_file)
        _LOG.info("%s: run begins (attempt %d of %d)", self.pipeline, len(log_files), self.settings.attempts)
        hours = self.settings.timeout_hours
        return run_child(
            [*self.command, "--log-file", log_file],
            self.stop,
            _LOG.info,
            timeout_seconds=hours and hours * 3600,
            grace_seconds=self.settings.grace_seconds,
        )

    def _wait_for_other_run(self) -> None:
        """Until it ends, or for as long as may be; what still holds the lock then is the run's to tell."""
        end = time.monotonic() + self.settings.wait_for_lock
        if self.settings.wait_for_lock and is_held(self.root):
            _LOG.info("%s: waits for another run of it, %g seconds at most", self.pipeline, self.settings.wait_for_lock)
        while time.monotonic() < end and is_held(self.root):
            if self.stop.requested.wait(_LOOK_SECONDS):
                break


def _tell_of_retry(state: tenacity.RetryCallState) -> None:
    result = state.outcome and state.outcome.result()
    seconds = state.next_action.sleep if state.next_action else 0
    _LOG.warning("%s; again in %.0f seconds, from where it was", result and result.error, seconds)
