"""Read by configs too, which load without TensorFlow."""

MOST_ROWS = 64
"""Of so many rows the Trainer leaves what its model says: see `predictions`."""
