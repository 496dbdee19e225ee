"""Latency of the exported model against one that pads to `max_tokens`; `python -m benchmarks.serving` measures it."""
