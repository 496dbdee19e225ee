"""A training that was killed goes on where it was, and ends with the same weights."""
