"""Ending by SIGTERM or Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """Raised in the main thread by a signal. Setting an event there could wait for a lock that this thread holds.

    Attributes:
        signal: Which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


class Stop:
    """What the main thread tells the one that works.

    Attributes:
        requested: Start nothing more, and end what runs.
        signal: What asked for it, to be passed on.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.signal = signal.SIGTERM

    def request(self, by: signal.Signals) -> None:
        self.signal = by
        self.requested.set()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGINT raise `Stopped` once; after that they are ignored until the context ends."""

    def handle(number: int, _: FrameType | None) -> None:
        for each in previous:
            # Not SIG_IGN, which commands would inherit.
            signal.signal(each, lambda *_: None)
        raise Stopped(number)

    previous = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    for each in previous:
        signal.signal(each, handle)
    try:
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
