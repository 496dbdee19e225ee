"""Splits a file of rows into dated spans, as if it had come in by the day: to try a nightly pipeline with it.

    python examples/make_dated_spans.py ROWS.tsv OUT --days 8 --rows-per-day 300 --first 2026-11-01

writes OUT/2026-11-01/v1/rows.tsv to OUT/2026-11-08/v1/rows.tsv. The rows keep their order and their bytes; what is left
over stays out. Of a file with a header row (`--header`), each day's has it too.
"""

import datetime
from pathlib import Path
from typing import Annotated

import typer


def write_spans(
    source: Path, out: Path, *, days: int, rows_per_day: int, first: datetime.date, header: bool = False
) -> list[Path]:
    """Gives the files that were written, the oldest day first.

    Args:
        source: A row a line.
        out: The folder of the days; those that it has already are left alone.
        days: How many.
        rows_per_day: In each.
        first: The oldest.
        header: Whether the first line is one of names.

    Raises:
        ValueError: There are too few rows, or a day is there already.
    """
    lines = source.read_bytes().splitlines(keepends=True)
    names, rows = (lines[:1], lines[1:]) if header else ([], lines)
    if len(rows) < days * rows_per_day:
        raise ValueError(f"{source} has {len(rows)} rows, too few for {days} days of {rows_per_day}")
    files = [
        out / (first + datetime.timedelta(days=day)).isoformat() / "v1" / f"rows{source.suffix}" for day in range(days)
    ]
    if there := [file for file in files if file.exists()]:
        raise ValueError(f"{there[0]} is there already; name another folder or day")
    for day, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"".join([*names, *rows[day * rows_per_day : (day + 1) * rows_per_day]]))
    return files


def main(
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV or TSV file, a row a line.")],
    out: Annotated[Path, typer.Argument(file_okay=False, help="Gets a folder for each day.")],
    days: Annotated[int, typer.Option(min=1)] = 8,
    rows_per_day: Annotated[int, typer.Option(min=1)] = 300,
    first: Annotated[datetime.datetime, typer.Option(formats=["%Y-%m-%d"], help="The oldest day.")] = (
        datetime.datetime(2026, 11, 1)
    ),
    header: Annotated[bool, typer.Option("--header", help="The first line names the columns.")] = False,
) -> None:
    """Split a file of rows into dated spans: OUT/YYYY-MM-DD/v1/."""
    try:
        files = write_spans(source, out, days=days, rows_per_day=rows_per_day, first=first.date(), header=header)
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{len(files)} days of {rows_per_day} rows: {files[0]} to {files[-1]}")


if __name__ == "__main__":
    typer.run(main)
