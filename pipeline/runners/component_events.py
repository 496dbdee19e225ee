"""Tells when TFX starts and ends a component, whichever local runner launches it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from unittest import mock

from tfx.orchestration.portable import data_types, launcher


class ComponentListener(Protocol):
    """Hears of each component of a run."""

    def started(self, component: str, run_id: str) -> None: ...

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...


@contextmanager
def component_events(listener: ComponentListener) -> Iterator[None]:
    """Reports to `listener` while the context is open.

    Both local runners look `Launcher` up in its module for every component and offer no other hook that sees the
    component's own exception: BeamDagRunner's reaches its caller as text, inside Beam's.
    """
    original = launcher.Launcher

    class ObservedLauncher(original):  # type: ignore[misc, valid-type]
        def launch(self) -> data_types.ExecutionInfo | None:
            component = self._pipeline_node.node_info.id
            listener.started(component, self._pipeline_runtime_spec.pipeline_run_id.field_value.string_value)
            start = time.monotonic()
            try:
                info = super().launch()
            except Exception as error:
                listener.failed(component, error)
                raise
            listener.ended(component, time.monotonic() - start)
            return info

    with mock.patch.object(launcher, "Launcher", ObservedLauncher):
        yield
