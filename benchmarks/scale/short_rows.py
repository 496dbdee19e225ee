"""Short texts in any number: clauses of real rows, recombined."""

import random
from collections.abc import Sequence
from pathlib import Path

from trainer_module.errors import UserError

WORDS = (5, 15)
CLAUSE_WORDS = (3, 6)


def write_rows(source: Path, target: Path, count: int, seed: int) -> None:
    """Writes `count` rows `sentence<TAB>label`, without a header row; nearly all of them differ.

    Args:
        source: Rows of the same form. Each new row's clauses come from source rows of one label, which it takes.

    Raises:
        UserError: There is no `source`.
    """
    if not source.is_file():
        raise UserError(f"The benchmark's texts come from {source}, which isn't there; put SST-2's train.tsv there")
    texts: dict[str, list[list[str]]] = {}
    labels: list[str] = []
    for line in source.read_text(encoding="utf-8").splitlines():
        sentence, label = line.split("\t")
        texts.setdefault(label, []).append(sentence.split())
        labels.append(label)
    rng = random.Random(seed)
    with target.open("w", encoding="utf-8") as stream:
        for _ in range(count):
            label = rng.choice(labels)
            stream.write(f"{' '.join(_text(texts[label], rng))}\t{label}\n")


def _text(texts: Sequence[Sequence[str]], rng: random.Random) -> list[str]:
    length = rng.randint(*WORDS)
    words: list[str] = []
    while len(words) < length:
        words += _clause(rng.choice(texts), rng)
    return words[:length]


def _clause(words: Sequence[str], rng: random.Random) -> Sequence[str]:
    length = rng.randint(*CLAUSE_WORDS)
    start = rng.randrange(max(len(words) - length, 0) + 1)
    return words[start : start + length]
