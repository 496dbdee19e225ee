"""A small model to push, and disks that can't take it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.atomic_pusher.push import Pushed, push


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The files of a SavedModel, as far as a push looks at them; 300 kB."""
    folder = tmp_path / "artifacts" / "Trainer" / "model" / "7" / "Format-Serving"
    for name, size in {
        "saved_model.pb": 2_000,
        "variables/variables.data-00000-of-00001": 290_000,
        "variables/variables.index": 500,
        "assets/vocab.txt": 8_000,
        "assets.extra/permafrost/freeze_plan.json": 10,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(size))
    return folder


PushModel = Callable[..., Pushed]


@pytest.fixture
def push_model(model: Path, tmp_path: Path) -> PushModel:
    """Pushes the model into `serving`, as that of an artifact with an id."""

    def push_into(folder: Path = tmp_path / "serving", model_id: int = 7, keep: int | None = None) -> Pushed:
        return push(str(model), str(folder), model_uri=f"model/{model_id}", model_id=model_id, keep_versions=keep)

    return push_into


@pytest.fixture
def mounted(tmp_path: Path) -> Callable[..., object]:
    """`with mounted("size=64k") as folder:` gives a small disk in memory; `folder` may be mounted anew with options."""

    @contextmanager
    def mount(options: str) -> Iterator[Path]:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("needs the right to mount a disk")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    return mount
