"""Which tensor of a Hugging Face BERT becomes which variable of a published Hub BERT."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from trainer_module.hugging_face.config import HfConfig

POOLER_PREFIX = "pooler."


@dataclass(frozen=True)
class TensorMapping:
    """One tensor and the variable made of it.

    Attributes:
        hf_names: Its name without `bert.`; more than one where checkpoints differ, the current one first.
        hf_shape: Its shape in the checkpoint; a dense layer's weight is `[out, in]`.
        hub_name: The variable's published name.
        hub_shape: The variable's shape; a kernel is `[in, out]`, with the heads apart where there are heads.
    """

    hf_names: tuple[str, ...]
    hf_shape: tuple[int, ...]
    hub_name: str
    hub_shape: tuple[int, ...]

    def convert(self, tensor: np.ndarray) -> np.ndarray:
        """The variable's value, float32, from a tensor of `hf_shape` and any float type."""
        value = tensor.T if self.hub_name.endswith("/kernel") else tensor
        return np.ascontiguousarray(value, dtype=np.float32).reshape(self.hub_shape)


def tensor_mappings(config: HfConfig, with_pooler: bool) -> list[TensorMapping]:
    """Every tensor of the encoder, in the order in which a Hub encoder lists its variables."""
    mappings = [*_embeddings(config)]
    for index in range(config.num_hidden_layers):
        mappings += _block(config, index)
    if with_pooler:
        width = (config.hidden_size,)
        mappings += _dense("pooler.dense", "pooler_transform", width, width)
    return mappings


def _embeddings(config: HfConfig) -> Iterator[TensorMapping]:
    for hf, hub, rows in (
        ("word_embeddings", "word_embeddings", config.vocab_size),
        ("position_embeddings", "position_embedding", config.max_position_embeddings),
        ("token_type_embeddings", "type_embeddings", config.type_vocab_size),
    ):
        shape = (rows, config.hidden_size)
        yield TensorMapping((f"embeddings.{hf}.weight",), shape, f"{hub}/embeddings", shape)
    yield from _layer_norm("embeddings.LayerNorm", "embeddings/layer_norm", config.hidden_size)


def _block(config: HfConfig, index: int) -> Iterator[TensorMapping]:
    hf, hub = f"encoder.layer.{index}", f"transformer/layer_{index}"
    width, inner = (config.hidden_size,), (config.intermediate_size,)
    heads = (config.num_attention_heads, config.hidden_size // config.num_attention_heads)
    for name in ("query", "key", "value"):
        yield from _dense(f"{hf}.attention.self.{name}", f"{hub}/self_attention/{name}", width, heads)
    attention_output = f"{hub}/self_attention/attention_output"
    yield from _dense(f"{hf}.attention.output.dense", attention_output, heads, width)
    yield from _layer_norm(f"{hf}.attention.output.LayerNorm", f"{hub}/self_attention_layer_norm", config.hidden_size)
    yield from _dense(f"{hf}.intermediate.dense", f"{hub}/intermediate", width, inner)
    yield from _dense(f"{hf}.output.dense", f"{hub}/output", inner, width)
    yield from _layer_norm(f"{hf}.output.LayerNorm", f"{hub}/output_layer_norm", config.hidden_size)


def _dense(hf: str, hub: str, hub_in: tuple[int, ...], hub_out: tuple[int, ...]) -> Iterator[TensorMapping]:
    width_in, width_out = prod(hub_in), prod(hub_out)
    yield TensorMapping((f"{hf}.weight",), (width_out, width_in), f"{hub}/kernel", (*hub_in, *hub_out))
    yield TensorMapping((f"{hf}.bias",), (width_out,), f"{hub}/bias", hub_out)


def _layer_norm(hf: str, hub: str, width: int) -> Iterator[TensorMapping]:
    # Checkpoints converted from Google's TensorFlow ones keep its names.
    yield TensorMapping((f"{hf}.weight", f"{hf}.gamma"), (width,), f"{hub}/gamma", (width,))
    yield TensorMapping((f"{hf}.bias", f"{hf}.beta"), (width,), f"{hub}/beta", (width,))
