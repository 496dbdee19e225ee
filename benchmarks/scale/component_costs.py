"""What each component of a run costs: seconds, and the peak of this process's memory while it ran."""

import re
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


class ComponentCost(BaseModel):
    """One component of one run.

    Attributes:
        seconds: From its start to its end, as TFX launches it.
        start_rss_mb: The process's resident memory (MiB) when it started: what TensorFlow, TFX and the components
            before it have left.
        peak_rss_mb: The highest resident memory (MiB) of the process between its start and its end.
    """

    model_config = ConfigDict(frozen=True)

    component: str
    seconds: float
    start_rss_mb: float
    peak_rss_mb: float

    @property
    def added_mb(self) -> float:
        """What it took beyond what was there, MiB; less than it needs where it reuses what others have freed."""
        return self.peak_rss_mb - self.start_rss_mb


class CostWatch:
    """A `ComponentListener` that keeps the costs, in the order in which the components ended.

    The kernel's own high-water mark is read and reset whenever a component starts or ends, so no peak is missed
    between two samples. Where two components overlap, the memory of both counts for each of them.
    """

    def __init__(self) -> None:
        self.costs: list[ComponentCost] = []
        self._starts: dict[str, float] = {}
        self._peaks: dict[str, float] = {}
        self._lock = threading.Lock()

    def started(self, component: str, run_id: str) -> None:
        """A component starts."""
        with self._lock:
            self._take_peak()
            self._starts[component] = self._peaks[component] = _memory_mb("VmRSS")

    def ended(self, component: str, seconds: float) -> None:
        """A component came to its end."""
        with self._lock:
            self._take_peak()
            start, peak = self._starts.pop(component), self._peaks.pop(component)
            self.costs.append(ComponentCost(component=component, seconds=seconds, start_rss_mb=start, peak_rss_mb=peak))

    def failed(self, component: str, error: Exception) -> None:
        """A component raised: it has no costs."""
        with self._lock:
            self._take_peak()
            del self._starts[component], self._peaks[component]

    def _take_peak(self) -> None:
        """Counts the peak since the last event for all that run, and begins a new one."""
        peak = _memory_mb("VmHWM")
        self._peaks = {component: max(peak, before) for component, before in self._peaks.items()}
        _CLEAR_REFS.write_text("5", encoding="ascii")


def _memory_mb(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_STATUS} has no {field}")
    return int(found[1]) / 1024
