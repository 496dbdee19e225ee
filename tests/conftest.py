"""What all tests share. TensorFlow reads its environment when it is imported, so that is set first."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from collections.abc import Callable
from pathlib import Path

import pytest

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
