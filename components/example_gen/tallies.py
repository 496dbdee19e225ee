"""The Beam combiners that sum rows up to a `RowsReport`, in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import apache_beam as beam

from components.example_gen.bad_row import BadRow
from components.example_gen.rows_report import Dropped, InputSummary, RowsReport, SplitSummary

MOST_LABELS = 100_000
_LONGEST_LABEL = 256
_FIRST_ROWS = 5
_MOST_PROBLEMS = 20
_MOST_COLUMNS = 1000


class Kept(NamedTuple):
    """A row written to a split, with its label (None: a number, not to be counted)."""

    split: str
    label: str | None


class Trouble(NamedTuple):
    """A row of an input left out, or a message about a whole file of it."""

    input: str
    what: BadRow | str


@dataclass
class _InputTally:
    dropped: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)
    present: set[str] = field(default_factory=set)
    problems: set[str] = field(default_factory=set)

    def add(self, what: BadRow | str) -> None:
        if isinstance(what, str):
            self.problems.add(what)
            return
        self.dropped[what.reason] += 1
        self.missing.update(what.missing)
        if len(self.present) < _MOST_COLUMNS:
            self.present.update(what.present)
        first = self.first.get(what.reason, [])
        # Rows of a file come in order, so nearly all of them need no more than this comparison.
        if len(first) < _FIRST_ROWS or (what.file, what.number) < first[-1]:
            self.first[what.reason] = sorted([*first, (what.file, what.number)])[:_FIRST_ROWS]

    def merge(self, other: "_InputTally") -> None:
        self.dropped.update(other.dropped)
        self.missing.update(other.missing)
        self.present |= other.present
        self.problems |= other.problems
        for reason, first in other.first.items():
            self.first[reason] = sorted([*self.first.get(reason, []), *first])[:_FIRST_ROWS]

    def summary(self, kept: int) -> InputSummary:
        return InputSummary(
            read=kept + sum(self.dropped.values()),
            dropped={
                reason: Dropped(rows=rows, first=[f"{file}:{number}" for file, number in self.first[reason]])
                for reason, rows in sorted(self.dropped.items())
            },
            problems=sorted(self.problems)[:_MOST_PROBLEMS],
            missing=dict(sorted(self.missing.items())),
            present=sorted(self.present)[:_MOST_COLUMNS],
        )


@dataclass
class _SplitTally:
    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    too_many: bool = False

    def add(self, label: str | None) -> None:
        self.rows += 1
        if label is not None and not self.too_many:
            # A label column that holds whole documents must not fill the memory.
            self.labels[label[:_LONGEST_LABEL]] += 1
            self._limit()

    def merge(self, other: "_SplitTally") -> None:
        self.rows += other.rows
        self.labels.update(other.labels)
        self.too_many |= other.too_many
        self._limit()

    def _limit(self) -> None:
        if self.too_many or len(self.labels) > MOST_LABELS:
            self.too_many = True
            self.labels.clear()

    def summary(self) -> SplitSummary:
        return SplitSummary(rows=self.rows, labels=dict(sorted(self.labels.items())), too_many_labels=self.too_many)


@dataclass
class Tally:
    """What some of the rows add up to."""

    inputs: dict[str, _InputTally]
    splits: dict[str, _SplitTally]


class TallyRows(beam.CombineFn):
    """Combines `Kept` and `Trouble` into a `Tally`.

    Args:
        inputs: Names of all inputs, so that those without trouble are reported too.
        splits: Names of all splits, so that empty ones are.
    """

    def __init__(self, inputs: Sequence[str], splits: Sequence[str]) -> None:
        self._inputs = list(inputs)
        self._splits = list(splits)

    def create_accumulator(self) -> Tally:
        return Tally({name: _InputTally() for name in self._inputs}, {name: _SplitTally() for name in self._splits})

    def add_input(self, tally: Tally, row: Kept | Trouble) -> Tally:
        if isinstance(row, Kept):
            tally.splits[row.split].add(row.label)
        else:
            tally.inputs[row.input].add(row.what)
        return tally

    def merge_accumulators(self, tallies: Iterable[Tally]) -> Tally:
        merged = self.create_accumulator()
        for tally in tallies:
            for name, of_input in tally.inputs.items():
                merged.inputs[name].merge(of_input)
            for name, of_split in tally.splits.items():
                merged.splits[name].merge(of_split)
        return merged

    def extract_output(self, tally: Tally) -> Tally:
        return tally


class MergeTallies(beam.CombineFn):
    """Combines the results of a `TallyRows` into a `RowsReport`."""

    def __init__(self, rows: TallyRows) -> None:
        self._rows = rows

    def create_accumulator(self) -> Tally:
        return self._rows.create_accumulator()

    def add_input(self, merged: Tally, tally: Tally) -> Tally:
        return self._rows.merge_accumulators([merged, tally])

    def merge_accumulators(self, tallies: Iterable[Tally]) -> Tally:
        return self._rows.merge_accumulators(tallies)

    def extract_output(self, tally: Tally) -> RowsReport:
        rows = {name: of_split.rows for name, of_split in tally.splits.items()}
        # An input that isn't a split of its own was split by hash into all of them.
        kept = {name: rows[name] if name in rows else sum(rows.values()) for name in tally.inputs}
        return RowsReport(
            inputs={name: of_input.summary(kept[name]) for name, of_input in tally.inputs.items()},
            splits={name: of_split.summary() for name, of_split in tally.splits.items()},
        )
