"""What a report means for the user."""

from components.example_gen.bad_row import EMPTY_TEXT, STRAY_QUOTE
from components.example_gen.row_format import RowFormat
from components.example_gen.rows_report import Dropped, InputSummary, RowsReport, SplitSummary
from components.example_gen.verdict import describe_dropped, problems_in

FOUR = InputSummary(read=4)
ROWS = RowFormat(text=["text"], label="label")
GOOD = SplitSummary(rows=4, labels={"neg": 2, "pos": 2})
BAD_INPUT = InputSummary(read=6, dropped={EMPTY_TEXT: Dropped(rows=6, first=["a:2", "a:3", "a:4", "a:5", "a:6"])})


def report(
    train: SplitSummary = GOOD, eval: SplitSummary = GOOD, inputs: dict[str, InputSummary] | None = None
) -> RowsReport:
    return RowsReport(inputs={"train": FOUR, "eval": FOUR} | (inputs or {}), splits={"train": train, "eval": eval})


def hash_report(train: SplitSummary, eval: SplitSummary, all: InputSummary) -> RowsReport:
    return RowsReport(inputs={"all": all}, splits={"train": train, "eval": eval})


def test_good_rows() -> None:
    assert problems_in(report(), ROWS) == []


def test_one_class() -> None:
    only = SplitSummary(rows=4, labels={"pos": 4})
    assert problems_in(report(train=only, eval=only), ROWS) == [
        "data.label: all 4 rows of train have the same 'label', 'pos'; a classifier needs at least two classes"
    ]


def test_unseen_labels_are_named_with_counts_the_first_ten_of_them() -> None:
    unseen = SplitSummary(rows=40, labels={"neg": 3} | {f"new{number:02}": number + 1 for number in range(12)})
    shown = ", ".join(f"'new{number:02}' ({number + 1} rows)" for number in range(10))
    assert problems_in(report(eval=unseen), ROWS) == [
        f"data.eval: 'label' has labels that never occur in train: {shown} and 2 more; "
        "correct them, or bring training rows that have them"
    ]


def test_too_many_labels() -> None:
    assert problems_in(report(train=SplitSummary(rows=10**6, too_many_labels=True)), ROWS) == [
        "data.label: 'label' has more than 100,000 different labels in train; is it an identifier? "
        'Choose another column, or set model.task = "regression" if it is a number'
    ]


def test_regression_has_no_classes() -> None:
    numbers = SplitSummary(rows=4)
    assert problems_in(report(train=numbers, eval=numbers), ROWS.model_copy(update={"task": "regression"})) == []


def test_no_rows_left() -> None:
    empty = SplitSummary()
    first = "data.train: 6 of 6 rows can't be used: 6 empty text (a:2, a:3, a:4, a:5, a:6, …); no row is left"
    assert problems_in(hash_report(empty, empty, BAD_INPUT), ROWS) == [first]
    assert problems_in(report(empty, GOOD, {"train": BAD_INPUT}), ROWS) == [first]
    assert problems_in(report(GOOD, empty, {"eval": InputSummary()}), ROWS) == ["data.eval: there are no rows"]


def test_a_hash_split_that_leaves_eval_empty() -> None:
    assert problems_in(hash_report(GOOD, SplitSummary(), FOUR), ROWS) == [
        "data.eval_fraction: none of the 4 usable rows fell to eval; "
        "choose another fraction, bring more rows, or name separate rows in data.eval"
    ]


def test_fail_refuses_bad_rows() -> None:
    some = InputSummary(read=9, dropped={STRAY_QUOTE: Dropped(rows=1, first=["a:7"])})
    strict = ROWS.model_copy(update={"on_bad_rows": "fail"})
    assert problems_in(report(inputs={"train": some}), ROWS) == []
    assert problems_in(report(inputs={"train": some}), strict) == [
        "data.train: 1 of 9 rows can't be used: 1 stray quote (a:7); if quotes are ordinary characters, "
        'set data.quoting = "none"; mend them, or set data.on_bad_rows = "drop"'
    ]


def test_a_column_that_no_row_has() -> None:
    nowhere = InputSummary(
        read=2,
        dropped={EMPTY_TEXT: Dropped(rows=2, first=["a:1", "a:2"])},
        missing={"text": 2},
        present=["label", "txt"],
    )
    assert problems_in(report(SplitSummary(), GOOD, {"train": nowhere}), ROWS) == [
        "data.train: has no column 'text' (data.text); its columns are: 'label', 'txt'; did you mean 'txt'?"
    ]


def test_problems_of_files_come_before_all_others() -> None:
    broken = InputSummary(problems=["a, line 3: byte 0xe9 is not valid utf-8"])
    assert problems_in(report(SplitSummary(), GOOD, {"train": broken}), ROWS) == [
        "data.train: a, line 3: byte 0xe9 is not valid utf-8"
    ]


def test_a_drop_is_described_for_the_log() -> None:
    assert describe_dropped("eval", BAD_INPUT) == (
        "data.eval: 6 of 6 rows can't be used: 6 empty text (a:2, a:3, a:4, a:5, a:6, …)"
    )
