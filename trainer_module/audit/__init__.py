"""Proof: frozen variables stayed what the Hub model says, in memory and in the exported model."""
