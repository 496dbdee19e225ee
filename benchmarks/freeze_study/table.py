"""The study's runs as a Markdown table."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.freeze_study.design import DATA_SETS, LEVELS
from benchmarks.freeze_study.one_run import StudyRun

BEGIN, END = "<!-- freeze-study -->", "<!-- /freeze-study -->"


def render(runs: Sequence[StudyRun]) -> str:
    """One line per amount of freezing; for each data set the medians of test accuracy and training seconds."""
    titles = [data_set.title for data_set in DATA_SETS]
    lines = [
        "| frozen | parameters frozen | " + " | ".join(f"{title} accuracy | seconds" for title in titles) + " |",
        "|---|---|" + "---|---|" * len(titles),
    ]
    for level in LEVELS:
        of_level = [run for run in runs if run.level == level.name]
        if not of_level:
            continue
        cells = [_described(level.name, of_level[0].rules), f"{of_level[0].frozen_share:.1%}"]
        for title in titles:
            of_both = [run for run in of_level if run.data_set == title]
            cells += [_accuracy(of_both), _seconds(of_both)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_into(readme: Path, table: str) -> None:
    """Replaces what stands between the two markers."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def _described(name: str, rules: Sequence[str]) -> str:
    return f"{name}: `{', '.join(rules)}`" if rules else name


def _accuracy(runs: Sequence[StudyRun]) -> str:
    return f"{median(run.accuracy for run in runs):.3f}" if runs else "–"


def _seconds(runs: Sequence[StudyRun]) -> str:
    seconds = [run.seconds for run in runs if run.undisturbed]
    return f"{median(seconds):.0f}" if seconds else "–"
