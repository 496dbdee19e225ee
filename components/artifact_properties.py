"""The custom properties by which components tell each other something in ML Metadata."""

MODEL_ID = "model_id"
"""Of a PushedModel: the id of the Model artifact that was pushed."""

MODEL_FILES = "model_files"
"""Custom property of a PushedModel: the pushed files with their sizes and digests; see `model_files.files_to_json`."""

REASON = "reason"
"""Of a PushedModel: why nothing was pushed. Of an InfraBlessing: why it was withheld."""

WITHDRAWN = "withdrawn"
"""Of a Model: 1 where a rollback took it back; it is never pushed again."""
