"""Runs a retraining by the clock until a signal comes."""

import logging
from datetime import datetime, timezone

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobSubmissionEvent
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from pipeline.retraining.retraining import Retraining
from pipeline.retraining.stop import Stopped, stopped_by_signals

# Of a machine that slept, say; what is later waits for the next time.
_LATEST_START_SECONDS = 3600

_LOG = logging.getLogger("permafrost.retrain")


def run_by_the_clock(retraining: Retraining, trigger: BaseTrigger) -> None:
    """Comes back once SIGTERM or SIGINT came and what was running has ended. A failed run changes nothing for the next.

    Args:
        retraining: One at a time: a time that comes while one runs is left out.
        trigger: See `cron_trigger`.
    """

    def run() -> None:
        if not retraining.stop.requested.is_set():
            retraining.run()
            _tell_next()

    def _tell_next() -> None:
        if not retraining.stop.requested.is_set():
            following = trigger.get_next_fire_time(None, datetime.now(timezone.utc))
            _LOG.info("%s: next run %s", retraining.pipeline, following and f"{following:%Y-%m-%d %H:%M %Z}")

    def tell_left_out(event: JobSubmissionEvent) -> None:
        late = event.code == EVENT_JOB_MISSED
        _LOG.warning("a run is left out: %s", "its time is long past" if late else "the one before hasn't ended")

    scheduler = BlockingScheduler()
    scheduler.add_job(run, trigger, max_instances=1, coalesce=True, misfire_grace_time=_LATEST_START_SECONDS)
    scheduler.add_listener(tell_left_out, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    _tell_next()
    try:
        with stopped_by_signals():
            try:
                scheduler.start()
            except Stopped as stopped:
                _LOG.info("%s: ending", stopped.signal.name)
                retraining.stop.request(stopped.signal)
                scheduler.shutdown(wait=True)
    finally:
        _LOG.info("%s: ended", retraining.pipeline)
