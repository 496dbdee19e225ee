"""Names under which this package logs what a front end may want to show."""

TRAINING_LOGGER = "permafrost.training"
PREFIX_CACHE_LOGGER = "permafrost.prefix_cache"
