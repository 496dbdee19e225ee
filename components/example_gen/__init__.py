"""Reads a user's rows into tf.Examples, checking them on the way; see `component.make_example_gen`."""
