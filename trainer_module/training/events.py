"""Names under which this package logs what a front end may want to show."""

TRAINING_LOGGER = "permafrost.training"
