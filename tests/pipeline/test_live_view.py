"""What a run shows while it is under way, where the output is no terminal."""

import io
import logging

import pytest
from rich.console import Console

from pipeline.cli.live_view import LiveView
from trainer_module.training.events import PREFIX_CACHE_LOGGER, TRAINING_LOGGER
from trainer_module.training.progress import Progress


@pytest.fixture
def shown() -> tuple[LiveView, io.StringIO]:
    out = io.StringIO()
    return LiveView(Console(file=out, width=100)), out


def record(name: str, level: int, message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": name, "levelno": level, "msg": message})
    made.__dict__.update(extra)
    return made


def test_what_the_prefix_cache_does_is_one_line(shown: tuple[LiveView, io.StringIO]) -> None:
    view, out = shown
    view.emit(record(PREFIX_CACHE_LOGGER, logging.INFO, "prefix cache: 75 MiB in memory [not markup]"))
    assert out.getvalue() == "  prefix cache: 75 MiB in memory [not markup]\n"


def test_other_loggers_show_warnings_only(shown: tuple[LiveView, io.StringIO]) -> None:
    view, out = shown
    view.emit(record("permafrost.encoder", logging.INFO, "rebuilt"))
    view.emit(record("permafrost.encoder", logging.WARNING, "not rebuilt"))
    assert out.getvalue() == "warning: not rebuilt\n"


def test_an_epochs_end_is_a_line_and_a_step_is_none(shown: tuple[LiveView, io.StringIO]) -> None:
    view, out = shown
    for step, metrics in ((1, {"loss": 0.7}), (8, {"loss": 0.5, "val_loss": 0.25})):
        view.emit(record(TRAINING_LOGGER, logging.INFO, "", progress=Progress(step, 8, metrics)))
    assert out.getvalue().splitlines() == ["  training: 8 steps", "  step 8 of 8: loss 0.500 val_loss 0.250"]
