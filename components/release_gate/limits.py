"""What an exported model must keep to: the terms of `[release_gate]`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trainer_module.predicted_rows import MOST_ROWS


class ReleaseLimits(BaseModel):
    """Of `[release_gate]`.

    Attributes:
        max_size_mb: Of the exported model's files, in millions of bytes; default: any.
        max_p99_ms: Milliseconds in which 99 of 100 requests of one row must be answered, here and without a GPU, once
            the model is warm; default: any.
        rows: How many rows of the eval split are asked.
        tolerance: How far a probability, or a regression's number, may be from what the Trainer's model said. Both
            compute in float32, whatever they trained in; a GPU of the Trainer's that rounds to TensorFloat-32 may
            need 1e-2.
        timeout_seconds: Of the process that loads and asks the model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_size_mb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_p99_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] = MOST_ROWS
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-4
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300
