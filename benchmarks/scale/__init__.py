"""Seconds and memory of each component by the number of rows; `python -m benchmarks.scale` measures them."""
