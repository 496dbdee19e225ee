"""Proves, before Pusher, that what is frozen in an exported model is the Hub's; see `component.FreezeAudit`."""
