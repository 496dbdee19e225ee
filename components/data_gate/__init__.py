"""Stops a run whose rows aren't fit to be trained on; see `component.DataGate`."""
