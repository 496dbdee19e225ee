"""Both systems get the same rows and the same encoder."""

import csv
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks.pipeline_cost import work
from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel


@pytest.fixture
def sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "train.tsv"
    file.write_text('a " b c d\t1\ne f\t0\ng\t1\n', encoding="utf-8")
    monkeypatch.setattr(work, "SST2", file)
    return file


def test_the_first_rows_are_as_written(sentences: Path) -> None:
    assert work.first_rows(2) == [('a " b c d', "1"), ("e f", "0")]


def test_without_data_nothing_is_measured(sentences: Path) -> None:
    sentences.unlink()
    with pytest.raises(UserError, match=r"no data: .*train\.tsv is missing"):
        work.first_rows(2)


def test_recombined_rows_are_half_of_one_sentence_and_half_of_another(sentences: Path) -> None:
    rows = work.recombined_rows(200, seed=0)
    firsts, seconds = ['a "', "e", ""], {"b c d": "1", "f": "0", "g": "1"}
    possible = {(f"{first} {second}".strip(), label) for first in firsts for second, label in seconds.items()}
    assert set(rows) == possible
    assert len(rows) == 200


def test_the_seed_decides_which(sentences: Path) -> None:
    assert work.recombined_rows(50, seed=1) == work.recombined_rows(50, seed=1) != work.recombined_rows(50, seed=2)


def test_a_fifth_of_the_rows_is_for_evaluation(tmp_path: Path) -> None:
    rows = [(f'text "{number}", it', str(number % 2)) for number in range(10)]
    work.write_rows(rows, tmp_path)
    written = {}
    for split in ("train", "validation"):
        with open(tmp_path / split / "rows.csv", encoding="utf-8", newline="") as file:
            header, *written[split] = map(tuple, csv.reader(file))
            assert header == ("sentence", "label")
    assert (written["train"], written["validation"]) == (rows[:8], rows[8:])


@pytest.mark.slow
def test_the_encoder_is_a_hub_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\n", encoding="utf-8")
    monkeypatch.setattr(work, "VOCABULARY", vocabulary)
    work.write_encoder(tmp_path / "encoder")
    layout = HubModel(str(tmp_path / "encoder")).layout
    assert (layout.blocks, layout.hidden, layout.positions) == (2, 128, 512)
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    assert loaded.vocab_file.asset_path.numpy().decode().endswith("vocab.txt"), "the TFX example asks for it"


def test_without_a_vocabulary_there_is_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "VOCABULARY", tmp_path / "none.txt")
    with pytest.raises(UserError, match=r"none\.txt is missing"):
        work.write_encoder(tmp_path / "encoder")
