"""One table as an HTML page that is readable without anything else: no scripts, no other files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

_TEMPLATE = "html_page.html.jinja"
_NUMBER = re.compile(r"[-+−]?\d[\d,]*(\.\d+)?([eE][-+]?\d+)?\s?%?")

_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
)


@dataclass(frozen=True)
class Bar:
    """A cell that is filled from the left.

    Args:
        share: How far, from 0 to 1.
        label: What stands in it.

    Raises:
        ValueError: The share is outside of 0 to 1.
    """

    share: float
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"a bar's share is from 0 to 1; given {self.share!r}")


Cell = str | Bar


def render_page(
    title: str,
    facts: Mapping[str, str],
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    problems: Sequence[str] = (),
) -> str:
    """An HTML page: problems, facts, and a table.

    All text is escaped. A line break in a cell or a problem stays one. A column that holds numbers only, such as
    `1,234` or `12.5%`, is right-aligned.

    Args:
        title: Of the page.
        facts: What holds for the whole table, by name.
        columns: The table's header.
        rows: A cell for each column.
        problems: Shown above everything else.

    Raises:
        ValueError: A row has more or fewer cells than there are columns.

    Example:
        >>> page = render_page("Frozen", {"model": "bert"}, ["part", "share"], [["pooler", Bar(0.5, "50%")]])
        >>> page.splitlines()[0]
        '<!DOCTYPE html>'
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"a row has {len(row)} cells, but there are {len(columns)} columns: {row!r}")
    return _pages.get_template(_TEMPLATE).render(
        title=title,
        facts=facts,
        columns=columns,
        rows=rows,
        problems=problems,
        numeric={index for index in range(len(columns)) if _holds_numbers([row[index] for row in rows])},
    )


def _holds_numbers(cells: Sequence[Cell]) -> bool:
    return bool(cells) and all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in cells)
