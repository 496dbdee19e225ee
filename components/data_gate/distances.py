"""How far two sets of rows are apart, and in what most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import chebyshev, jensenshannon
from scipy.stats import ks_2samp

from components.data_profile.profile import LENGTH_EDGES, SplitProfile

_COMPARED_PIECES = 1000
_NAMED = 3
_REST = "all others"


@dataclass(frozen=True)
class Distance:
    """Between two sets of rows.

    Attributes:
        value: Of 0 to 1.
        changes: What differs most, for people.
    """

    value: float
    changes: str


def label_distance(before: SplitProfile, after: SplitProfile) -> Distance | None:
    """Largest difference of a class's share (L-infinity), or of two cumulative distributions of numbers."""
    if before.label_quantiles and after.label_quantiles:
        value = ks_2samp(before.label_quantiles, after.label_quantiles).statistic
        middle = [side.label_quantiles[len(side.label_quantiles) // 2] for side in (before, after)]
        return Distance(float(value), f"the median from {middle[0]:g} to {middle[1]:g}")
    if not before.labels or not after.labels:
        return None
    return _distance(before.labels, after.labels, chebyshev, repr)


def text_length_distance(before: SplitProfile, after: SplitProfile) -> Distance:
    """Jensen-Shannon divergence over the buckets of lengths."""
    return _distance(
        _by_length(before), _by_length(after), _divergence, lambda bucket: f"texts of {bucket} word pieces"
    )


def vocabulary_distance(before: SplitProfile, after: SplitProfile) -> Distance | None:
    """Jensen-Shannon divergence over the word pieces that are frequent on either side, and all others together.

    With each rare piece on its own, two samples of the same texts would be far apart.
    """
    if not before.tokens or not after.tokens:
        return None
    compared = {piece for side in (before, after) for piece in list(side.pieces)[:_COMPARED_PIECES]}
    return _distance(_by_piece(before, compared), _by_piece(after, compared), _divergence, _quoted)


def unknown_token_distance(before: SplitProfile, after: SplitProfile) -> Distance | None:
    """Difference of the shares of unknown word pieces."""
    shares = [
        side.unknown_tokens / side.tokens for side in (before, after) if side.unknown_tokens is not None and side.tokens
    ]
    if len(shares) < 2:
        return None
    return Distance(abs(shares[1] - shares[0]), f"from {shares[0]:.2%} to {shares[1]:.2%} of all word pieces")


def _distance(
    before: Mapping[str, int],
    after: Mapping[str, int],
    measure: Callable[[np.ndarray, np.ndarray], float],
    name: Callable[[str], str],
) -> Distance:
    keys = sorted(before.keys() | after.keys())
    shares = [np.array([side.get(key, 0) for key in keys], float) / sum(side.values()) for side in (before, after)]
    by_change = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:_NAMED]
    changes = [f"{name(keys[i])} from {shares[0][i]:.1%} to {shares[1][i]:.1%}" for i in by_change]
    return Distance(float(measure(*shares)), f"most: {', '.join(changes)}")


def _quoted(piece: str) -> str:
    return piece if piece == _REST else repr(piece)


def _divergence(before: np.ndarray, after: np.ndarray) -> float:
    # SciPy gives the square root, which is a metric; for equal shares it may be the root of less than nothing.
    return float(np.nan_to_num(jensenshannon(before, after, base=2))) ** 2


def _by_length(side: SplitProfile) -> dict[str, int]:
    ends = [*(f"{edge - 1}" for edge in LENGTH_EDGES[1:]), ""]
    names = [
        (str(first) if str(first) == end else f"{first} to {end}") if end else f"{first} and more"
        for first, end in zip(LENGTH_EDGES, ends, strict=True)
    ]
    return dict(zip(names, side.text_lengths, strict=True))


def _by_piece(side: SplitProfile, compared: set[str]) -> dict[str, int]:
    counts = {piece: side.pieces.get(piece, 0) for piece in compared}
    return counts | {_REST: side.tokens - sum(counts.values())}
