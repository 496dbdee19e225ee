"""What a system's training gave."""

from dataclasses import dataclass

from benchmarks.watch import Spent


@dataclass(frozen=True)
class Measured:
    """What one training took and reached.

    Attributes:
        spent: From the call that trains to its end: tracing is in it, loading, tokenizing and the test are not.
        epoch_s: Seconds of each epoch.
        test_accuracy: On the whole test set.
        lengths: Tokens of each training example, special ones included.
    """

    spent: Spent
    epoch_s: list[float]
    test_accuracy: float
    lengths: list[int]
