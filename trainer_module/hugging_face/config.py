"""The `config.json` of a Hugging Face BERT checkpoint: the architecture that its tensors must have."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error

_Size = Annotated[int, Field(gt=0, strict=True)]

_ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}


class HfConfig(BaseModel):
    """What decides which function the tensors compute; a key left out has Hugging Face's default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vocab_size: _Size = 30522
    hidden_size: _Size = 768
    num_hidden_layers: _Size = 12
    num_attention_heads: _Size = 12
    intermediate_size: _Size = 3072
    max_position_embeddings: _Size = 512
    # The published interface tells two segments apart.
    type_vocab_size: Annotated[int, Field(ge=2, strict=True)] = 2
    hidden_act: Literal["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"] = "gelu"
    layer_norm_eps: Annotated[float, Field(gt=0)] = 1e-12
    position_embedding_type: Literal["absolute"] = "absolute"
    # A decoder's tokens see only those before them, which no Hub encoder does.
    is_decoder: Literal[False] = False

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "HfConfig":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        return self

    @property
    def activation(self) -> str:
        """Of the feed-forward nets: a key of `encoder.math.ACTIVATIONS`."""
        return _ACTIVATIONS[self.hidden_act]


def read_hf_config(file: Path) -> HfConfig:
    """Reads and checks `config.json`.

    Raises:
        UserError: It isn't JSON, not of a BERT, or of a kind of BERT that a Hub encoder can't express (all
            reasons at once).
    """
    content = read_json_object(file)
    model_type = content.get("model_type")
    if model_type != "bert":
        given = "is missing" if model_type is None else f"is {model_type!r}"
        raise UserError(f'{file}: model_type {given}; only BERT checkpoints (model_type "bert") can be imported')
    try:
        return HfConfig.model_validate(content)
    except ValidationError as error:
        problems = describe_validation_error(error, HfConfig)
        raise UserError([f"{file}: {problem.removeprefix(': ')}" for problem in problems]) from None


def read_json_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: The file can't be read, isn't JSON or holds something else than an object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: not JSON, or not UTF-8
        raise UserError(f"{file} is not readable JSON: {error}; fetch the checkpoint again") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} should hold a JSON object; it holds a {type(content).__name__}")
    return content
