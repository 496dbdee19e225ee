"""Keeps Beam in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from apache_beam.options.pipeline_options import StandardOptions

from components.beam_runner import IN_PROCESS


@contextmanager
def in_process_beam() -> Iterator[None]:
    """While the context is open, Beam pipelines that name no runner run in this process: TFX's and its components'.

    Beam's own default gets there as well where it must, but first translates each pipeline for Prism, a Go program
    that it tries to download, and would run the pipeline with. That costs a second per component, and what a run does
    should not depend on a download. TFX has an option for its components only, and packs up all of itself for each of
    them as soon as there is any.
    """
    with mock.patch.object(StandardOptions, "DEFAULT_RUNNER", IN_PROCESS):
        yield
