"""All systems read the same rows: the first training rows, and the whole test set."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.training.sst2 import CONFIG, Split, read_sst2
from trainer_module.errors import UserError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "train.tsv").write_text('a "fine film\t1\nan awful one\t0\ngood\t1\n', encoding="utf-8")
    (tmp_path / "test.tsv").write_text("poor\t0\ngreat\t1\n", encoding="utf-8")
    file = tmp_path / "sst2.toml"
    file.write_text('[data]\ntrain = "train.tsv"\neval = "test.tsv"\n', encoding="utf-8")
    return file


def test_the_first_training_rows_and_all_test_rows(config: Path) -> None:
    data = read_sst2(2, config)
    assert data.train == Split(['a "fine film', "an awful one"], [1, 0])
    assert data.test == Split(["poor", "great"], [0, 1])


def test_each_missing_file_is_named(config: Path) -> None:
    (config.parent / "test.tsv").unlink()
    with pytest.raises(UserError) as refusal:
        read_sst2(2, config)
    assert str(refusal.value) == (
        f"data: the comparison trains on SST-2, which isn't here: no file {config.parent / 'test.tsv'}; "
        "sst2.toml says where to get it and how to lay it out"
    )


def test_the_projects_configuration_names_sst2(shared_data: Callable[[str], Path]) -> None:
    assert shared_data("SST-2-sentence")
    data = read_sst2(2048, CONFIG)
    assert (len(data.train.texts), len(data.test.texts)) == (2048, 1821)
    assert set(data.train.labels) == set(data.test.labels) == {0, 1}
