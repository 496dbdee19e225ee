"""Text to the token ids that a BERT reads."""
