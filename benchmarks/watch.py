"""What a stretch of this process took."""

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """What training took.

    Attributes:
        seconds: Wall time.
        busy_elsewhere: Share of the processors' time that other processes took meanwhile.
        peak_rss_mb: Most memory that the process ever had resident, MiB.
    """

    seconds: float
    busy_elsewhere: float
    peak_rss_mb: int


class Watch:
    """Starts when it is made (Linux: /proc/stat, in hundredths of a second)."""

    def __init__(self) -> None:
        self._busy, self._all = _processors()
        self._own = time.process_time()
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._start

    def stop(self) -> Spent:
        """What was spent since the start."""
        seconds = self.seconds
        own = time.process_time() - self._own
        busy, everything = _processors()
        elsewhere = (busy - self._busy) / 100 - own
        share = elsewhere / max((everything - self._all) / 100, 0.01)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return Spent(seconds, min(max(share, 0.0), 1.0), peak)


def differences(times: list[float]) -> list[float]:
    """Seconds of each epoch from the seconds at which they ended.

    Example:
        >>> differences([5.0, 7.0, 10.0])
        [5.0, 2.0, 3.0]
    """
    return [end - start for start, end in zip([0.0, *times], times, strict=False)]


def _processors() -> tuple[int, int]:
    """Time that all processors were busy, and all their time."""
    with open("/proc/stat", encoding="ascii") as stream:
        times = [int(value) for value in stream.readline().split()[1:9]]
    idle = times[3] + times[4]
    return sum(times) - idle, sum(times)
