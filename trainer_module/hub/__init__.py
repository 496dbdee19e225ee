"""The Hub model as the source: its weights, names, architecture and program, read without running it."""
