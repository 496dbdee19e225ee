"""Reads a Hugging Face BERT checkpoint folder into the names and shapes of a published Hub BERT."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  makes NumPy know bfloat16, which safetensors looks up by name
import numpy as np
from safetensors import SafetensorError, safe_open

from trainer_module.errors import UserError
from trainer_module.hub.layout import EncoderLayout
from trainer_module.hub.variable_names import read_layout
from trainer_module.hugging_face.config import HfConfig, read_hf_config
from trainer_module.hugging_face.tensor_names import POOLER_PREFIX, TensorMapping, tensor_mappings
from trainer_module.hugging_face.vocabulary import HfVocabulary, read_hf_vocabulary

_FILES = ("config.json", "vocab.txt", "model.safetensors")
_FLOATS = ("F32", "F16", "BF16")
_PREFIX = "bert."
_PARTS = ("embeddings.", "encoder.", POOLER_PREFIX)
# Ranges of numbers that some versions saved along with the weights.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_MOST_LISTED = 10


@dataclass(frozen=True)
class HfCheckpoint:
    """A checkpoint, ready to be published.

    Attributes:
        layout: The encoder, with published variable names.
        weights: The value of each variable, float32, by published name.
        activation: A key of `encoder.math.ACTIVATIONS`.
        epsilon: Of every layer norm.
        vocab_path: One word piece a line.
        lower_case: Whether text is lower-cased and stripped of accents first.
        notes: What a user should know of this conversion; usually empty.
    """

    layout: EncoderLayout
    weights: dict[str, np.ndarray]
    activation: str
    epsilon: float
    vocab_path: Path
    lower_case: bool
    notes: tuple[str, ...] = ()


def read_hf_checkpoint(folder: Path, lower_case: bool | None = None) -> HfCheckpoint:
    """Reads `config.json`, `vocab.txt` and `model.safetensors` (float32, float16 or bfloat16) of a BERT.

    Heads for a task (`cls.…`, `classifier.…`) are left behind. A checkpoint without pooler gives an encoder
    without `pooler_transform`, whose pooled output is the first token's state: weights are never made up.

    Args:
        folder: Of the checkpoint, as `save_pretrained` writes it.
        lower_case: Overrides what the checkpoint says of its casing; see `read_hf_vocabulary`.

    Raises:
        UserError: A file is missing or damaged, or it isn't a BERT that a Hub encoder can express. A missing
            file or a wrong config is reported first, then all problems of vocabulary and tensors at once.

    Example:
        >>> checkpoint = read_hf_checkpoint(Path("all-MiniLM-L6-v2"))   # doctest: +SKIP
        >>> checkpoint.layout.blocks, checkpoint.activation             # doctest: +SKIP
        (6, 'gelu')
    """
    _require_files(folder)
    config = read_hf_config(folder / "config.json")
    problems: list[str] = []
    vocabulary: HfVocabulary | None = None
    try:
        vocabulary = read_hf_vocabulary(folder, lower_case)
        problems += _check_vocabulary_size(vocabulary, config)
    except UserError as error:
        problems += error.problems
    weights: dict[str, np.ndarray] = {}
    try:
        weights = _read_weights(folder / "model.safetensors", config)
    except UserError as error:
        problems += error.problems
    if problems or vocabulary is None:
        raise UserError(problems)
    notes = vocabulary.notes
    if "pooler_transform/kernel" not in weights:
        notes += ("the checkpoint has no pooler: pooled_output is the first token's state",)
    return HfCheckpoint(
        layout=read_layout([(name, value.shape) for name, value in weights.items()], str(folder)),
        weights=weights,
        activation=config.activation,
        epsilon=config.layer_norm_eps,
        vocab_path=vocabulary.path,
        lower_case=vocabulary.lower_case,
        notes=notes,
    )


def _require_files(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}; give the folder of a Hugging Face checkpoint")
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if not missing:
        return
    hint = ""
    if "model.safetensors" in missing:
        if (folder / "model.safetensors.index.json").exists():
            hint = "; its weights are split over several files: save them again with a larger max_shard_size"
        elif (folder / "pytorch_model.bin").exists():
            hint = "; save pytorch_model.bin again with save_pretrained(…, safe_serialization=True)"
    raise UserError(f"{folder} is not a complete Hugging Face BERT checkpoint: it lacks {', '.join(missing)}{hint}")


def _check_vocabulary_size(vocabulary: HfVocabulary, config: HfConfig) -> Iterator[str]:
    # Fewer pieces than embeddings are usual: tables are padded to a round number of rows.
    if vocabulary.size > config.vocab_size:
        yield (
            f"{vocabulary.path}: holds {vocabulary.size} pieces, but there are word embeddings for "
            f"{config.vocab_size} only (vocab_size); the two files belong to different models"
        )


def _read_weights(file: Path, config: HfConfig) -> dict[str, np.ndarray]:
    """The Hub variables, by name; checks that the file holds them all and nothing that would be lost."""
    try:
        with safe_open(file, framework="numpy") as tensors:
            names = set(tensors.keys())
            prefix = _PREFIX if any(name.startswith(f"{_PREFIX}embeddings.") for name in names) else ""
            with_pooler = any(name.startswith(prefix + POOLER_PREFIX) for name in names)
            mappings = tensor_mappings(config, with_pooler)
            found = {mapping: _find(mapping, prefix, names) for mapping in mappings}
            problems = [
                *_problems_of_tensors(tensors, found, prefix),
                *_unknown_tensors(names, set(found.values()), prefix),
            ]
            _refuse(file, problems)
            weights = {
                mapping.hub_name: mapping.convert(tensors.get_tensor(name)) for mapping, name in found.items() if name
            }
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is damaged ({error}); fetch the checkpoint again") from None
    broken = [name for name, value in weights.items() if not np.isfinite(value).all()]
    _refuse(file, [f"{name} holds values that aren't finite" for name in broken])
    return weights


def _find(mapping: TensorMapping, prefix: str, names: Collection[str]) -> str | None:
    return next((prefix + name for name in mapping.hf_names if prefix + name in names), None)


def _problems_of_tensors(tensors: Any, found: dict[TensorMapping, str | None], prefix: str) -> Iterator[str]:
    for mapping, name in found.items():
        if name is None:
            yield f"the tensor {prefix}{mapping.hf_names[0]} {list(mapping.hf_shape)} is missing"
            continue
        header = tensors.get_slice(name)
        shape, kind = tuple(header.get_shape()), header.get_dtype()
        if shape != mapping.hf_shape:
            yield f"{name} is {list(shape)}, but config.json makes it {list(mapping.hf_shape)}"
        if kind not in _FLOATS:
            yield f"{name} is of type {kind}, not {', '.join(_FLOATS)}; save the model unquantized"


def _unknown_tensors(names: Collection[str], known: Collection[str | None], prefix: str) -> Iterator[str]:
    """Tensors inside the encoder that would be lost (adapters, more blocks): they change its outputs."""
    for name in sorted(names):
        own = name.removeprefix(prefix)
        if own.startswith(_PARTS) and own not in _BUFFERS and name not in known:
            yield f"{name} is not part of the BERT that config.json describes"


def _refuse(file: Path, problems: list[str]) -> None:
    if len(problems) > _MOST_LISTED:
        problems = [*problems[:_MOST_LISTED], f"… and {len(problems) - _MOST_LISTED} more tensors"]
    if problems:
        raise UserError([f"{file}: {problem}" for problem in problems])
