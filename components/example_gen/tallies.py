"""Beam combiners that sum rows up in bounded memory."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import apache_beam as beam

from components.example_gen.bad_row import BadRow
from components.example_gen.rows_report import Dropped, InputSummary, SplitSummary

MOST_LABELS = 100_000
_LONGEST_LABEL = 256
_FIRST_ROWS = 5
_MOST_PROBLEMS = 20
_MOST_COLUMNS = 1000


@dataclass
class _Trouble:
    rows: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)
    present: set[str] = field(default_factory=set)
    problems: set[str] = field(default_factory=set)


class TallyTrouble(beam.CombineFn):
    """Sums up what couldn't be used: `BadRow`s, and messages about whole files (str)."""

    def create_accumulator(self) -> _Trouble:
        return _Trouble()

    def add_input(self, total: _Trouble, trouble: BadRow | str) -> _Trouble:
        if isinstance(trouble, str):
            total.problems.add(trouble)
            return total
        total.rows[trouble.reason] += 1
        total.missing.update(trouble.missing)
        if len(total.present) < _MOST_COLUMNS:
            total.present.update(trouble.present)
        first = total.first.setdefault(trouble.reason, [])
        # Rows of a file come in order, so nearly all of them need no more than this comparison.
        if len(first) < _FIRST_ROWS or (trouble.file, trouble.number) < first[-1]:
            total.first[trouble.reason] = sorted([*first, (trouble.file, trouble.number)])[:_FIRST_ROWS]
        return total

    def merge_accumulators(self, totals: Iterable[_Trouble]) -> _Trouble:
        merged = _Trouble()
        for total in totals:
            merged.rows.update(total.rows)
            merged.missing.update(total.missing)
            merged.present |= total.present
            merged.problems |= total.problems
            for reason, first in total.first.items():
                merged.first[reason] = sorted([*merged.first.get(reason, []), *first])[:_FIRST_ROWS]
        return merged

    def extract_output(self, total: _Trouble) -> InputSummary:
        return InputSummary(
            dropped={
                reason: Dropped(rows=total.rows[reason], first=[f"{file}:{number}" for file, number in total.first[reason]])
                for reason in sorted(total.rows)
            },
            problems=sorted(total.problems)[:_MOST_PROBLEMS],
            missing=dict(sorted(total.missing.items())),
            present=sorted(total.present)[:_MOST_COLUMNS],
        )


@dataclass
class _Labels:
    rows: int = 0
    counts: Counter[str] | None = field(default_factory=Counter)

    def limit(self) -> None:
        if self.counts is not None and len(self.counts) > MOST_LABELS:
            self.counts = None


class TallyLabels(beam.CombineFn):
    """Counts labels; gives up counting (`too_many_labels`) beyond `MOST_LABELS` different ones."""

    def create_accumulator(self) -> _Labels:
        return _Labels()

    def add_input(self, total: _Labels, label: str) -> _Labels:
        total.rows += 1
        if total.counts is not None:
            # A label column that holds whole documents must not fill the memory.
            total.counts[label[:_LONGEST_LABEL]] += 1
            total.limit()
        return total

    def merge_accumulators(self, totals: Iterable[_Labels]) -> _Labels:
        merged = _Labels()
        for total in totals:
            merged.rows += total.rows
            if merged.counts is not None:
                if total.counts is None:
                    merged.counts = None
                else:
                    merged.counts.update(total.counts)
                    merged.limit()
        return merged

    def extract_output(self, total: _Labels) -> SplitSummary:
        if total.counts is None:
            return SplitSummary(rows=total.rows, too_many_labels=True)
        return SplitSummary(rows=total.rows, labels=dict(sorted(total.counts.items())))
