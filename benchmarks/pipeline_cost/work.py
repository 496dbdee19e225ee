"""The same work for both systems: rows, and a small encoder."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

from trainer_module.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SST2 = ROOT.parent / "shared" / "data" / "SST-2-sentence" / "train.tsv"
VOCABULARY = ROOT.parent / "shared" / "hub_models" / "vocab.txt"

BLOCKS, HIDDEN, HEADS, POSITIONS = 2, 128, 2, 512
EVAL_SHARE = 0.2

Row = tuple[str, str]
"""A text and its label."""


def first_rows(count: int) -> list[Row]:
    """The first rows of SST-2's training set.

    Raises:
        UserError: It isn't there.
    """
    if not SST2.is_file():
        raise UserError(f"no data: {SST2} is missing; the benchmark measures on SST-2")
    with open(SST2, encoding="utf-8", newline="") as file:
        rows = [(text, label) for text, label in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return rows[:count]


def recombined_rows(count: int, seed: int) -> list[Row]:
    """As many rows as wanted, nearly all of them different: the first half of one sentence and the second of another.

    The label is that of the second half's sentence. The same seed gives the same rows.
    """
    rows = first_rows(10_000)
    rng = random.Random(seed)
    made: list[Row] = []
    for _ in range(count):
        first, (second, label) = rng.choice(rows)[0].split(), rng.choice(rows)
        words = second.split()
        made.append((" ".join([*first[: len(first) // 2], *words[len(words) // 2 :]]), label))
    return made


def write_rows(rows: Sequence[Row], folder: Path) -> None:
    """CSV files `train/rows.csv` and `validation/rows.csv` (the last `EVAL_SHARE` of the rows) with a header row."""
    evaluated = round(len(rows) * EVAL_SHARE)
    for split, part in (("train", rows[:-evaluated]), ("validation", rows[-evaluated:])):
        (folder / split).mkdir(parents=True)
        with open(folder / split / "rows.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sentence", "label"])
            writer.writerows(part)


def write_encoder(folder: Path) -> None:
    """Writes a Hub encoder with published names and interface: 2 blocks, 128 wide, random weights.

    Raises:
        UserError: There is no vocabulary to go with it.
    """
    import numpy as np

    from trainer_module.hub.variable_names import read_layout
    from trainer_module.hugging_face.hub_export import save_hub_encoder

    if not VOCABULARY.is_file():
        raise UserError(f"no vocabulary: {VOCABULARY} is missing")
    shapes = _shapes(words=len(VOCABULARY.read_text(encoding="utf-8").splitlines()))
    rng = np.random.default_rng(0)
    weights = {
        name: np.ones(shape, np.float32) if name.endswith("gamma") else rng.normal(0, 0.02, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    layout = read_layout(list(shapes.items()), "the benchmark's encoder")
    save_hub_encoder(
        folder, layout, weights, activation="gelu_tanh", epsilon=1e-12, vocab_path=VOCABULARY, lower_case=True
    )


def _shapes(words: int) -> dict[str, tuple[int, ...]]:
    inner, per_head = 4 * HIDDEN, HIDDEN // HEADS
    dense: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
        f"self_attention/{name}": ((HIDDEN,), (HEADS, per_head)) for name in ("query", "key", "value")
    }
    dense["self_attention/attention_output"] = ((HEADS, per_head), (HIDDEN,))
    dense |= {"intermediate": ((HIDDEN,), (inner,)), "output": ((inner,), (HIDDEN,))}
    shapes: dict[str, tuple[int, ...]] = {
        "word_embeddings/embeddings": (words, HIDDEN),
        "position_embedding/embeddings": (POSITIONS, HIDDEN),
        "type_embeddings/embeddings": (2, HIDDEN),
        "pooler_transform/kernel": (HIDDEN, HIDDEN),
        "pooler_transform/bias": (HIDDEN,),
    }
    norms = ["embeddings/layer_norm"]
    for block in range(BLOCKS):
        prefix = f"transformer/layer_{block}"
        for layer, (before, after) in dense.items():
            shapes |= {f"{prefix}/{layer}/kernel": (*before, *after), f"{prefix}/{layer}/bias": after}
        norms += [f"{prefix}/self_attention_layer_norm", f"{prefix}/output_layer_norm"]
    for norm in norms:
        shapes |= {f"{norm}/gamma": (HIDDEN,), f"{norm}/beta": (HIDDEN,)}
    return shapes
