"""Training speed against the peers, on the same weights and rows; `make bench` runs it."""
