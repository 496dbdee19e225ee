"""Where batches come from."""

from typing import Protocol

import numpy as np

from trainer_module.training.rows import Batch


class RowSource(Protocol):
    """One split's rows: as token ids (`Rows`), or from behind a frozen prefix (`CachedRows`).

    Attributes:
        lengths: Tokens of each row, `[rows]`.
        labels: `[rows]` int64 (classes) or float32 (regression).
    """

    @property
    def lengths(self) -> np.ndarray: ...

    @property
    def labels(self) -> np.ndarray: ...

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray) -> Batch:
        """The classifier's inputs for the rows at `indices`, padded to the longest of them, and their labels.

        Of no row: empty arrays, from which their kinds can be told.
        """
        ...
