"""Resolves the freeze rules against the Hub model before any data is read; see `component.FreezePlanner`."""
