"""From tokenized rows to a trained classifier."""
