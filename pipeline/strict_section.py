"""What all sections of a config have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NonEmpty = Annotated[str, Field(min_length=1)]
"""Text that names something, such as a path."""


class StrictSection(BaseModel):
    """Refuses keys that it doesn't know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
