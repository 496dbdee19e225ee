"""Accuracy and training time by how much of the encoder is frozen; `make freeze-study` runs it."""
