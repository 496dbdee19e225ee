"""What the cache of a prefix needs of the place where activations are kept."""

from typing import Protocol

import numpy as np


class ActivationStore(Protocol):
    """Activations of one split's rows, by the row's position; float32, or uint16 for the bits of 16-bit floats."""

    def has(self, positions: np.ndarray) -> np.ndarray:
        """Which of the rows at `positions` `[rows]` are stored, `[rows]` bool."""
        ...

    def put(self, positions: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> None:
        """Stores rows.

        Args:
            positions: `[rows]`.
            lengths: Vectors of each row, `[rows]`.
            values: All rows' vectors end to end, `[sum of lengths, width]`.

        Raises:
            StoreFull: There is no room.
        """
        ...

    def finish(self) -> None:
        """After the last `put`, before the first `gather`.

        Raises:
            StoreFull: There is no room.
        """
        ...

    def gather(self, positions: np.ndarray, longest: int) -> np.ndarray:
        """The rows' vectors, `[rows, longest, width]`, zeros where a row is shorter."""
        ...

    def close(self) -> None:
        """Lets go of memory and files."""
        ...
