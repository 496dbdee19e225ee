"""Runs a retraining now, and ends with it."""

from concurrent.futures import ThreadPoolExecutor

from pipeline.retraining.retraining import Retraining
from pipeline.retraining.stop import Stopped, stopped_by_signals


def run_once(retraining: Retraining) -> int:
    """Gives the exit code. SIGTERM or SIGINT ends the run, which then counts as failed."""
    with stopped_by_signals(), ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(retraining.run)
        try:
            return running.result()
        except Stopped as stopped:
            retraining.stop.request(stopped.signal)
            return running.result()
