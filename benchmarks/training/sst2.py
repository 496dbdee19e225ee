"""The rows that all systems train on, read with nothing but the standard library: not all have our environment."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.training.design import ROOT
from trainer_module.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = ROOT / "configs" / "sst2.toml"


@dataclass(frozen=True)
class Split:
    """Sentences, and 0 (negative) or 1 (positive) for each."""

    texts: list[str]
    labels: list[int]


@dataclass(frozen=True)
class Sst2:
    """What to train on, and the whole test set."""

    train: Split
    test: Split


def read_sst2(train_rows: int, config: Path = CONFIG) -> Sst2:
    """The first so many training rows, and all test rows.

    Args:
        config: Names the files; its `columns` are the sentence and the label, tab-separated.

    Raises:
        UserError: A file is missing.
    """
    data = tomllib.loads(config.read_text(encoding="utf-8"))["data"]
    files = [(config.parent / data[key]).resolve() for key in ("train", "eval")]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"data: the comparison trains on SST-2, which isn't here: no file {' and no file '.join(missing)}; "
            f"{config.name} says where to get it and how to lay it out"
        )
    return Sst2(_read(files[0], train_rows), _read(files[1], None))


def _read(file: Path, limit: int | None) -> Split:
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()[:limit]]
    return Split([text for text, _ in rows], [int(label) for _, label in rows])
