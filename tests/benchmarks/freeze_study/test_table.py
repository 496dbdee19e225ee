"""The table has medians; seconds count only of runs that had the machine to themselves."""

from pathlib import Path

from benchmarks.freeze_study.one_run import StudyRun
from benchmarks.freeze_study.table import BEGIN, END, render, write_into


def made(seed: int, accuracy: float, seconds: float, busy_elsewhere: float = 0.0, level: str = "half") -> StudyRun:
    return StudyRun(
        data_set="SST-2",
        level=level,
        seed=seed,
        rules=["freeze embeddings", "freeze encoder[:3]"] if level == "half" else [],
        train_rows=1024,
        epochs=3,
        learning_rate=1e-4,
        frozen_share=0.77,
        accuracy=accuracy,
        seconds=seconds,
        busy_elsewhere=busy_elsewhere,
    )


def test_each_cell_is_a_median() -> None:
    runs = [made(0, 0.80, 30), made(1, 0.90, 50), made(2, 0.81, 40)]
    assert render(runs).splitlines() == [
        "| frozen | parameters frozen | SST-2 accuracy | seconds | Banking77 accuracy | seconds "
        "| MRPC accuracy | seconds |",
        "|---|---|---|---|---|---|---|---|",
        "| half: `freeze embeddings, freeze encoder[:3]` | 77.0% | 0.810 | 40 | – | – | – | – |",
    ]


def test_seconds_of_disturbed_runs_do_not_count() -> None:
    runs = [made(0, 0.80, 30), made(1, 0.90, 500, busy_elsewhere=0.3), made(2, 0.81, 600, busy_elsewhere=0.11)]
    line = render(runs).splitlines()[-1]
    assert line.startswith("| half: `freeze embeddings, freeze encoder[:3]` | 77.0% | 0.810 | 30 |")
    assert "| 0.900 | – |" in render(runs[1:2])


def test_lines_go_from_nothing_frozen_upwards() -> None:
    lines = render([made(0, 0.8, 30), made(0, 0.9, 60, level="nothing")]).splitlines()
    assert [line.split("|")[1].strip().split(":")[0] for line in lines[2:]] == ["nothing", "half"]


def test_the_table_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_into(readme, "| new |")
        assert readme.read_text(encoding="utf-8") == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"
