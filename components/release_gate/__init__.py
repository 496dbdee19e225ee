"""Asks the exported model real questions before Pusher may push it; see `component.ReleaseGate`."""
