"""What all sections of a config have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"can't hold a NUL character; given {text!r}")
    return text


NonEmpty = Annotated[str, Field(min_length=1), AfterValidator(_refuse_nul)]
"""Text that names something, such as a path."""


class StrictSection(BaseModel):
    """Refuses keys that it doesn't know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
