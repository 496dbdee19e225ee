"""One module a system: each trains as a user of that stack would, and says what it took."""
