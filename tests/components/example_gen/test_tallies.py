"""Sums are the same however Beam splits the rows up, and stay small."""

import pytest

from components.example_gen.bad_row import EMPTY_TEXT, NO_LABEL, BadRow
from components.example_gen.rows_report import Dropped, InputSummary, RowsReport, SplitSummary
from components.example_gen.tallies import MOST_LABELS, Kept, MergeTallies, Tally, TallyRows, Trouble

ROWS: list[Kept | Trouble] = [
    *[Trouble("train", BadRow("a", line, EMPTY_TEXT)) for line in (9, 2, 4, 3, 8, 7, 6)],
    Trouble("train", BadRow("b", 1, NO_LABEL, ("y",), ("x", "z"))),
    Trouble("eval", "b: is broken"),
    *[Kept("train", label) for label in "bab"],
    Kept("eval", "a"),
]
EXPECTED = RowsReport(
    inputs={
        "train": InputSummary(
            read=11,
            dropped={
                EMPTY_TEXT: Dropped(rows=7, first=["a:2", "a:3", "a:4", "a:6", "a:7"]),
                NO_LABEL: Dropped(rows=1, first=["b:1"]),
            },
            missing={"y": 1},
            present=["x", "z"],
        ),
        "eval": InputSummary(read=1, problems=["b: is broken"]),
    },
    splits={
        "train": SplitSummary(rows=3, labels={"a": 1, "b": 2}),
        "eval": SplitSummary(rows=1, labels={"a": 1}),
    },
)


def report_of(rows: TallyRows, *tallies: Tally) -> RowsReport:
    """The report, the way Beam combines it."""
    merge = MergeTallies(rows)
    merged = merge.create_accumulator()
    for tally in tallies:
        merged = merge.add_input(merged, rows.extract_output(tally))
    return merge.extract_output(merge.merge_accumulators([merged]))


@pytest.mark.parametrize("parts", [1, 2, 5, 12])
def test_the_report_does_not_depend_on_how_rows_are_bundled(parts: int) -> None:
    combine = TallyRows(["train", "eval"], ["train", "eval"])
    tallies = []
    for part in range(parts):
        tally = combine.create_accumulator()
        for row in ROWS[part::parts]:
            tally = combine.add_input(tally, row)
        tallies.append(tally)
    assert report_of(combine, combine.merge_accumulators(tallies)) == EXPECTED
    assert report_of(combine, *tallies) == EXPECTED


def test_a_hash_split_reads_what_all_splits_keep() -> None:
    combine = TallyRows(["all"], ["train", "eval"])
    tally = combine.create_accumulator()
    rows: list[Kept | Trouble] = [Kept("train", None), Kept("eval", None), Trouble("all", BadRow("a", 1, NO_LABEL))]
    for row in rows:
        tally = combine.add_input(tally, row)
    report = report_of(combine, tally)
    assert report.inputs["all"].read == 3
    assert report.splits == {"train": SplitSummary(rows=1), "eval": SplitSummary(rows=1)}


def test_labels_are_counted_up_to_a_limit() -> None:
    combine = TallyRows(["train"], ["train"])
    most, other = combine.create_accumulator(), combine.create_accumulator()
    for number in range(MOST_LABELS):
        combine.add_input(most, Kept("train", str(number)))
    assert len(report_of(combine, most).splits["train"].labels) == MOST_LABELS
    combine.add_input(other, Kept("train", "one more"))
    merged = combine.merge_accumulators([most, other])
    too_many = SplitSummary(rows=MOST_LABELS + 1, too_many_labels=True)
    assert report_of(combine, merged).splits["train"] == too_many
    assert report_of(combine, most, other).splits["train"] == too_many


def test_the_report_survives_its_file(tmp_path) -> None:
    path = str(tmp_path / "rows.json")
    EXPECTED.write(path)
    assert RowsReport.read(path) == EXPECTED
    assert EXPECTED.dropped == 8
