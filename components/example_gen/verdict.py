"""What a `RowsReport` means for the user: why the run can't go on, or what to be warned of."""

from components.example_gen.bad_row import STRAY_QUOTE, WRONG_FIELD_COUNT
from components.example_gen.row_format import RowFormat, missing_columns
from components.example_gen.rows_report import InputSummary, RowsReport, SplitSummary
from components.example_gen.tallies import MOST_LABELS

TRAIN = "train"
EVAL = "eval"
_SHOWN_LABELS = 10


def data_key(name: str) -> str:
    """The config key that an input or split comes from."""
    return "data.eval" if name == EVAL else "data.train"


def problems_in(report: RowsReport, rows: RowFormat) -> list[str]:
    """Why these rows can't be trained on; empty when they can."""
    problems = [
        f"{data_key(name)}: {problem}"
        for name, summary in report.inputs.items()
        for problem in summary.problems + _columns_nowhere(summary, rows)
    ]
    if problems:
        return problems
    if rows.on_bad_rows == "fail" and report.dropped:
        return [
            f'{describe_dropped(name, summary)}; mend them, or set data.on_bad_rows = "drop"'
            for name, summary in report.inputs.items()
            if summary.dropped
        ]
    problems = _empty_splits(report)
    if problems or rows.task == "regression":
        return problems
    return _label_problems(report.splits, rows)


def describe_dropped(name: str, summary: InputSummary) -> str:
    """Says how many rows of an input can't be used, why, and where the first few are."""
    total = sum(dropped.rows for dropped in summary.dropped.values())
    reasons = [
        f"{dropped.rows} {reason} ({', '.join(dropped.first)}{', …' * (dropped.rows > len(dropped.first))})"
        for reason, dropped in summary.dropped.items()
    ]
    hint = ""
    if STRAY_QUOTE in summary.dropped:
        hint = '; if quotes are ordinary characters, set data.quoting = "none"'
    elif WRONG_FIELD_COUNT in summary.dropped:
        hint = "; if that is most of them, check data.delimiter, data.quoting and data.columns"
    return f"{data_key(name)}: {total} of {summary.read} rows can't be used: {'; '.join(reasons)}{hint}"


def _columns_nowhere(summary: InputSummary, rows: RowFormat) -> list[str]:
    nowhere = [name for name, count in summary.missing.items() if count == summary.read]
    if not nowhere:
        return []
    existing = sorted({*summary.present, *(name for name in rows.needed if name not in nowhere)})
    return missing_columns(rows, existing)


def _empty_splits(report: RowsReport) -> list[str]:
    if not any(split.rows for split in report.splits.values()):
        return [_nothing_left(name, summary) for name, summary in report.inputs.items()]
    problems = []
    for name, split in report.splits.items():
        if split.rows == 0 and name in report.inputs:
            problems.append(_nothing_left(name, report.inputs[name]))
        elif split.rows == 0:
            rows = sum(other.rows for other in report.splits.values())
            problems.append(
                f"data.eval_fraction: none of the {rows} usable rows fell to {name}; "
                "choose another fraction, bring more rows, or name separate rows in data.eval"
            )
    return problems


def _nothing_left(name: str, summary: InputSummary) -> str:
    if not summary.read:
        return f"{data_key(name)}: there are no rows"
    return f"{describe_dropped(name, summary)}; no row is left"


def _label_problems(splits: dict[str, SplitSummary], rows: RowFormat) -> list[str]:
    for name, split in splits.items():
        if split.too_many_labels:
            return [
                f"data.label: {rows.label!r} has more than {MOST_LABELS:,} different labels in {name}; is it "
                'an identifier? Choose another column, or set model.task = "regression" if it is a number'
            ]
    known = splits[TRAIN].labels
    if len(known) == 1:
        return [
            f"data.label: all {splits[TRAIN].rows} rows of {TRAIN} have the same {rows.label!r}, "
            f"{next(iter(known))!r}; a classifier needs at least two classes"
        ]
    unseen = {label: count for label, count in splits[EVAL].labels.items() if label not in known}
    if not unseen:
        return []
    shown = ", ".join(f"{label!r} ({count} rows)" for label, count in list(unseen.items())[:_SHOWN_LABELS])
    more = f" and {len(unseen) - _SHOWN_LABELS} more" if len(unseen) > _SHOWN_LABELS else ""
    return [
        f"data.eval: {rows.label!r} has labels that never occur in {TRAIN}: {shown}{more}; "
        f"correct them, or bring training rows that have them"
    ]
