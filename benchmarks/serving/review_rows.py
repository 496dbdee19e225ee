"""Real texts of ten words."""

from pathlib import Path
from typing import NamedTuple

from trainer_module.errors import UserError

WORDS = 10


class Review(NamedTuple):
    """A row of SST-2, cut to ten words."""

    text: str
    label: str


def read_reviews(path: str) -> list[Review]:
    """The rows `sentence<TAB>label` of a file without a header row that have at least ten words.

    Raises:
        UserError: There is no such file.
    """
    if not Path(path).is_file():
        raise UserError(f"The benchmark's texts come from {path}, which isn't there; put SST-2's train.tsv there")
    with open(path, encoding="utf-8") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream]
    words = [(sentence.split(), label) for sentence, label in rows]
    return [Review(" ".join(each[:WORDS]), label) for each, label in words if len(each) >= WORDS]
