"""Real rows, as they would come night by night."""

import csv
import datetime
import random
from pathlib import Path

from trainer_module.errors import UserError

SOURCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "SST-2-sentence" / "train.tsv"
FIRST_DAY = datetime.date(2026, 11, 1)
PATTERN = "{YYYY}-{MM}-{DD}.tsv"


def day(span: int) -> datetime.date:
    """The date of a span, counted from 0."""
    return FIRST_DAY + datetime.timedelta(days=span)


def write_spans(source: Path, folder: Path, spans: int, rows: int, seed: int) -> None:
    """Writes one file per day, each of other rows of SST-2.

    Args:
        source: Tab-separated texts and labels.
        folder: For the files.
        spans: How many days.
        rows: A day.
        seed: Of their order; the same gives the same files.

    Raises:
        UserError: The source isn't there, or has too few different rows.
    """
    if not source.is_file():
        raise UserError(f"no data: {source} is missing; the benchmark reads SST-2")
    with source.open(encoding="utf-8", newline="") as file:
        distinct = list(dict.fromkeys(map(tuple, csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))))
    if len(distinct) < spans * rows:
        raise UserError(f"{source} has {len(distinct)} rows, too few for {spans} days of {rows}; take fewer a night")
    random.Random(seed).shuffle(distinct)
    folder.mkdir(parents=True, exist_ok=True)
    for span in range(spans):
        lines = ["\t".join(row) for row in distinct[span * rows : (span + 1) * rows]]
        (folder / f"{day(span)}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
