"""The custom properties by which components tell each other something in ML Metadata."""

MODEL_ID = "model_id"
"""Of a PushedModel: the id of the Model artifact that was pushed."""

REASON = "reason"
"""Of a PushedModel: why nothing was pushed. Of an InfraBlessing: why it was withheld."""

WITHDRAWN = "withdrawn"
"""Of a Model: 1 where a rollback took it back; it is never pushed again."""
