"""`permafrost retrain`: the pipeline unattended, now or by the clock."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.terminal import Terminal, printable
from pipeline.config_file import load_config
from pipeline.retraining.cron_trigger import cron_trigger
from pipeline.retraining.once import run_once
from pipeline.retraining.retraining import Retraining
from pipeline.retraining.scheduler import run_by_the_clock
from pipeline.retraining.stop import Stop


def retrain_command(config_file: Path, overrides: Sequence[str], every: str | None) -> int:
    """Runs a config's pipeline in processes of their own, and writes a line with the time of each event.

    Args:
        every: A cron expression; None: one run now.

    Returns:
        The run's exit code; 0 where there is no end to runs but by a signal.

    Raises:
        UserError: The config, the cron expression, or a hook that can't be called.
    """
    config = load_config(config_file, overrides)
    config.retrain.refuse_unusable_hooks()
    trigger = cron_trigger(every, config.retrain.timezone) if every is not None else None
    file = str(config_file.resolve())
    settings = [argument for override in overrides for argument in ("--set", override)]
    retraining = Retraining(
        pipeline=config.pipeline.name,
        config_file=file,
        settings=config.retrain,
        root=config.pipeline.root,
        command=[sys.executable, "-m", "pipeline.cli", "run", "--json", "--config", file, *settings],
        stop=Stop(),
    )
    _log_to(Terminal.open())
    if trigger is None:
        return run_once(retraining)
    run_by_the_clock(retraining, trigger)
    return 0


class _PrintableLines(logging.Formatter):
    """Lines that hold what a run or a webhook's server said, as far as a terminal may get it."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _log_to(terminal: Terminal) -> None:
    handler = logging.StreamHandler(terminal.out.file)
    handler.setFormatter(_PrintableLines("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    log = logging.getLogger("permafrost.retrain")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    # It tells of its own errors, and in words of its own of what `run_by_the_clock` tells too.
    scheduler = logging.getLogger("apscheduler")
    scheduler.addHandler(handler)
    scheduler.setLevel(logging.ERROR)
