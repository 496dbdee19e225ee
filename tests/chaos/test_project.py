import csv
from collections import Counter
from pathlib import Path

from chaos.project import WINDOW, Project
from pipeline.config_file import load_config


def test_the_first_night_completes_a_window_and_each_next_adds_one_span(tmp_path: Path):
    project = Project(tmp_path, hub=tmp_path / "hub")
    project.write_config()
    assert (project.next_night(), project.next_night()) == (1, 2)
    spans = sorted(folder.name for folder in (tmp_path / "rows").iterdir())
    assert spans == [f"span-{span}" for span in range(1, WINDOW + 2)]


def test_each_night_has_rows_of_its_own_and_as_many_of_each_topic(tmp_path: Path):
    project = Project(tmp_path, hub=tmp_path / "hub")
    project.write_config()
    nights = [list(csv.DictReader(file.open(encoding="utf-8"))) for file in sorted(tmp_path.rglob("*.csv"))]
    assert nights[0] != nights[1]
    for rows in nights:
        counts = Counter(row["topic"] for row in rows)
        assert len(counts) > 1
        assert len(set(counts.values())) == 1


def test_the_config_reads_a_window_and_pushes_into_the_watched_folder(tmp_path: Path):
    project = Project(tmp_path, hub=tmp_path / "hub")
    project.write_config()
    config = load_config(project.config, [])
    assert config.data.window == WINDOW
    assert config.data.eval == "newest"
    assert config.push.directory == str(project.serving)
    assert config.pipeline.root == str(project.state)
