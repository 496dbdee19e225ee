"""Latencies of both exports, measured in turns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

Padding = Literal["longest", "max_tokens"]
"""To the longest text of the request, as we do, or always to the setting `max_tokens`."""

Ask = Callable[[str, Sequence[Sequence[str]]], list[float]]
"""Sends requests (lists of texts) to a signature and gives the milliseconds of each; see `LoadedExport.ask`."""

SIGNATURES = ("predict_text", "serving_default")
REQUESTS: Mapping[int, int] = {1: 300, 32: 100}
"""Measured requests by batch size."""

WARM_UP = 20
BLOCKS = 10


class Latency(BaseModel):
    """One export's answers to requests of one kind.

    Attributes:
        batch: Texts per request.
        requests: That were measured.
        p50_ms: Milliseconds that half of the requests took at most; with the client's conversions of texts and
            answers, without network.
        p99_ms: The same of 99 in 100.
    """

    model_config = ConfigDict(frozen=True)

    signature: str
    batch: int
    padding: Padding
    requests: int
    p50_ms: float
    p99_ms: float


def measure(
    exports: Mapping[Padding, Ask], texts: Sequence[str], signature: str, batch: int, requests: int
) -> list[Latency]:
    """Asks the exports the same in turns, a block of requests at a time, so that both meet the same machine.

    Each is warmed up before; the first request of a block, for which the processor's caches are the other's, is
    asked twice and counts once.

    Args:
        texts: Repeated as often as need be.
        requests: To measure; a multiple of `BLOCKS`.
    """
    asked = _requests(texts, batch)
    warm_up = list(islice(asked, WARM_UP))
    for ask in exports.values():
        ask(signature, warm_up)
    milliseconds: dict[Padding, list[float]] = {padding: [] for padding in exports}
    turns = list(exports.items())
    for _ in range(BLOCKS):
        block = list(islice(asked, requests // BLOCKS))
        for padding, ask in turns:
            milliseconds[padding] += ask(signature, [block[0], *block])[1:]
        turns.reverse()
    return [
        Latency(
            signature=signature,
            batch=batch,
            padding=padding,
            requests=len(measured),
            p50_ms=float(np.percentile(measured, 50)),
            p99_ms=float(np.percentile(measured, 99)),
        )
        for padding, measured in milliseconds.items()
    ]


def _requests(texts: Sequence[str], batch: int) -> Iterator[list[str]]:
    endless = cycle(texts)
    while True:
        yield list(islice(endless, batch))
