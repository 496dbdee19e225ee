"""What all tests share. TensorFlow reads its environment when it is imported, so that is set first."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
if "PYTEST_XDIST_WORKER" in os.environ:  # the other processors have tests of their own
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

import io
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from rich.console import Console

    from trainer_module.freezing.freeze_plan import FreezePlan

pytest_plugins = ["tests.support.resources", "tests.support.project"]

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder beside the repository with Hub models and real data, which a clone elsewhere lacks."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}, which isn't here")
    return folder


@pytest.fixture(scope="session")
def hub_model(shared_dir: Path) -> Callable[[str], Path]:
    """Gives the folder of a small Hub encoder by its name, e.g. `hub_model("bert_L-4_H-32")`."""
    return lambda name: (shared_dir / "hub_models" / name).resolve(strict=True)


@pytest.fixture(scope="session")
def shared_data(shared_dir: Path) -> Callable[[str], Path]:
    """Gives the folder of a real data set by its name, e.g. `shared_data("MRPC")`."""
    return lambda name: (shared_dir / "data" / name).resolve(strict=True)


@pytest.fixture(scope="session")
def tiny_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub encoder that every clone has: 3 blocks, width 32, 2 heads, 64 positions, uncased, random weights."""
    from trainer_module.hub.variable_names import read_layout
    from trainer_module.hugging_face.hub_export import save_hub_encoder

    folder = tmp_path_factory.mktemp("tiny_hub")
    characters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{each}" for each in characters)]
    pieces += ["good", "bad", "fine", "awful", "great", "poor", "film", "story", "the", "is", "not", "very"]
    vocab = folder / "vocab.txt"
    vocab.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    shapes = _encoder_shapes(words=len(pieces), blocks=3, hidden=32, heads=2, positions=64)
    rng = np.random.default_rng(0)
    weights = {
        name: np.ones(shape, np.float32) if name.endswith("gamma") else rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    model = folder / "model"
    save_hub_encoder(
        model,
        read_layout(list(shapes.items()), "tiny_hub"),
        weights,
        activation="gelu_tanh",
        epsilon=1e-12,
        vocab_path=vocab,
        lower_case=True,
    )
    return model


@pytest.fixture(scope="session")
def export_variables() -> Callable[..., Path]:
    """Exports nothing but variables: `export_variables(folder, values, plan)`; gives the folder.

    The Hub variables of `values` and the `head`'s are where the Trainer puts them; without a plan, none travels along.
    """
    import tensorflow as tf

    from trainer_module.audit.plan_in_model import write_plan

    def export(
        folder: Path,
        values: Mapping[str, np.ndarray],
        plan: "FreezePlan | None" = None,
        head: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        root = tf.Module()
        root.model_variables = [tf.Variable(value, name=name) for name, value in values.items()]
        if head is not None:
            root.head = [tf.Variable(value, name=name) for name, value in head.items()]
        tf.saved_model.save(root, str(folder))
        if plan is not None:
            write_plan(str(folder), plan)
        return folder

    return export


class InProcessCommand:
    """`permafrost` called in this process, and what it printed so far.

    Args:
        width: The screen's, in characters.
    """

    def __init__(self, width: int) -> None:
        from rich.console import Console

        from pipeline.cli.terminal import Terminal

        self.terminal = Terminal()
        self.terminal.out = Console(file=io.StringIO(), width=width, highlight=False)
        self.terminal.err = Console(file=io.StringIO(), width=width, highlight=False)
        # Else it moves this process's own descriptors.
        self.terminal.log_file = Path("the.log")

    def __call__(self, *arguments: str) -> int:
        """Gives the exit code; a `UserError` comes through."""
        from pipeline.cli.app import app

        return int(app(list(arguments), standalone_mode=False) or 0)

    @property
    def out(self) -> str:
        return _printed(self.terminal.out)

    @property
    def err(self) -> str:
        return _printed(self.terminal.err)


def _printed(console: "Console") -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def permafrost(monkeypatch: pytest.MonkeyPatch) -> InProcessCommand:
    """`permafrost("audit", folder)` gives the exit code; `permafrost.out` and `permafrost.err` what it printed."""
    from pipeline.cli.terminal import Terminal

    command = InProcessCommand(width=200)
    monkeypatch.setattr(Terminal, "_current", command.terminal)
    return command


def _encoder_shapes(words: int, blocks: int, hidden: int, heads: int, positions: int) -> dict[str, tuple[int, ...]]:
    """The variables of a published BERT encoder, by name."""
    inner = 2 * hidden
    shapes: dict[str, tuple[int, ...]] = {
        "word_embeddings/embeddings": (words, hidden),
        "position_embedding/embeddings": (positions, hidden),
        "type_embeddings/embeddings": (2, hidden),
        "embeddings/layer_norm/gamma": (hidden,),
        "embeddings/layer_norm/beta": (hidden,),
        "pooler_transform/kernel": (hidden, hidden),
        "pooler_transform/bias": (hidden,),
    }
    for index in range(blocks):
        block = f"transformer/layer_{index}"
        for projection in ("query", "key", "value"):
            shapes[f"{block}/self_attention/{projection}/kernel"] = (hidden, heads, hidden // heads)
            shapes[f"{block}/self_attention/{projection}/bias"] = (heads, hidden // heads)
        shapes[f"{block}/self_attention/attention_output/kernel"] = (heads, hidden // heads, hidden)
        shapes[f"{block}/self_attention/attention_output/bias"] = (hidden,)
        shapes[f"{block}/intermediate/kernel"] = (hidden, inner)
        shapes[f"{block}/intermediate/bias"] = (inner,)
        shapes[f"{block}/output/kernel"] = (inner, hidden)
        shapes[f"{block}/output/bias"] = (hidden,)
        for norm in ("self_attention_layer_norm", "output_layer_norm"):
            shapes[f"{block}/{norm}/gamma"] = (hidden,)
            shapes[f"{block}/{norm}/beta"] = (hidden,)
    return shapes
