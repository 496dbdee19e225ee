"""`python -m benchmarks.training.gemm LIBRARY`: the fastest matrix product, in GFLOP/s; prints one line of JSON."""

import json
import sys
import time
from collections.abc import Callable

SIZE = 4096
REPETITIONS = 8


def main(library: str) -> None:
    """Measures with `tensorflow` or `torch`; a process has only one of them."""
    version, product = {"tensorflow": _tensorflow, "torch": _torch}[library]()
    peaks = {dtype: peak(product(dtype), SIZE, REPETITIONS) for dtype in ("float32", "bfloat16")}
    print(json.dumps({"version": version} | peaks), flush=True)


def peak(multiply: Callable[[], object], size: int, repetitions: int) -> float:
    """GFLOP/s of the fastest of several products of two square matrices, after one that warms up."""
    multiply()
    fastest = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        multiply()
        fastest = min(fastest, time.perf_counter() - start)
    return round(2 * size**3 / fastest / 1e9, 1)


def _tensorflow() -> tuple[str, Callable[[str], Callable[[], object]]]:
    import tensorflow as tf

    def product(dtype: str) -> Callable[[], object]:
        left, right = (tf.cast(tf.random.normal([SIZE, SIZE]), dtype) for _ in range(2))
        return lambda: tf.matmul(left, right)[0, 0].numpy()  # reading it waits for the product

    return tf.__version__, product


def _torch() -> tuple[str, Callable[[str], Callable[[], object]]]:
    import torch

    def product(dtype: str) -> Callable[[], object]:
        left, right = (torch.randn(SIZE, SIZE).to(getattr(torch, dtype)) for _ in range(2))
        return lambda: (left @ right)[0, 0].item()

    return torch.__version__, product


if __name__ == "__main__":
    main(sys.argv[1])
