"""DataProfile, run as TFX runs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.artifacts import DataProfile
from components.data_profile.executor import Executor
from components.data_profile.profile import LENGTH_EDGES, ProfileRecord, read_profile
from trainer_module.errors import UserError

Row = Mapping[str, str | float]
BERT = {"text": ["a"], "label": "y"}


@pytest.fixture
def profile(tmp_path: Path) -> Callable[..., ProfileRecord]:
    """`profile(train_rows, eval_rows, settings)`: what is written of them."""

    def run(train: Sequence[Row], evaluation: Sequence[Row], **bert: Any) -> ProfileRecord:
        examples, artifact = standard_artifacts.Examples(), DataProfile()
        examples.uri, artifact.uri = str(tmp_path / "examples"), str(tmp_path / "profile")
        examples.split_names = '["train", "eval"]'
        for split, rows in (("train", train), ("eval", evaluation)):
            folder = tmp_path / "examples" / f"Split-{split}"
            folder.mkdir(parents=True)
            for shard in range(2):
                with tf.io.TFRecordWriter(str(folder / f"data_{shard}.gz"), options="GZIP") as writer:
                    for row in rows[shard::2]:
                        writer.write(example(row))
        custom_config = json.dumps({"bert": BERT | bert})
        Executor().Do({"examples": [examples]}, {"data_profile": [artifact]}, {"custom_config": custom_config})
        record = read_profile(str(tmp_path / "profile" / "data_profile.json"))
        assert record is not None
        return record

    return run


def example(row: Row) -> bytes:
    made = tf.train.Example()
    for column, value in row.items():
        feature = made.features.feature[column]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        else:
            feature.float_list.value.append(value)
    return made.SerializeToString()


def by_length(record: ProfileRecord, split: str) -> dict[int, int]:
    return {edge: rows for edge, rows in zip(LENGTH_EDGES, record.splits[split].text_lengths, strict=True) if rows}


def test_rows_labels_lengths_and_pieces_of_each_split(profile: Callable[..., ProfileRecord], tiny_hub: Path) -> None:
    train = [{"a": "Good film", "y": "pos"}, {"a": "the film is not good ☃", "y": "neg"}, {"a": "bad", "y": "neg"}]
    record = profile(train, [{"a": "film " * 3000, "y": "pos"}], hub=str(tiny_hub), max_tokens=16)
    of_train = record.splits["train"]
    assert (of_train.rows, of_train.labels) == (3, {"neg": 2, "pos": 1})
    assert of_train.pieces == {
        "film": 2, "good": 2, "the": 1, "is": 1, "not": 1, "[UNK]": 1, "bad": 1
    }  # fmt: skip
    assert (of_train.tokens, of_train.unknown_tokens, of_train.label_quantiles) == (9, 1, [])
    assert by_length(record, "train") == {1: 1, 2: 1, 6: 1}
    assert by_length(record, "eval") == {1024: 1}, "lengths are those before texts are cut"
    assert record.splits["eval"].tokens == 3000


def test_both_texts_of_a_pair_count(profile: Callable[..., ProfileRecord], tiny_hub: Path) -> None:
    rows = [{"a": "good film", "b": "bad story", "y": "1"}]
    record = profile(rows, rows, hub=str(tiny_hub), text=["a", "b"])
    assert by_length(record, "train") == {4: 1}
    assert set(record.splits["train"].pieces) == {"good", "film", "bad", "story"}


def test_numbers_are_kept_as_quantiles(profile: Callable[..., ProfileRecord], tiny_hub: Path) -> None:
    rows = [{"a": "film", "y": number} for number in range(101)]
    record = profile(rows, rows[:1], hub=str(tiny_hub), task="regression")
    assert record.splits["train"].label_quantiles == pytest.approx(range(101))
    assert record.splits["train"].labels == {}
    assert record.splits["eval"].label_quantiles == [0.0] * 101


def test_a_preprocessing_models_pieces(
    profile: Callable[..., ProfileRecord], hub_model: Callable[[str], Path], tmp_path: Path
) -> None:
    hub, preprocess = str(hub_model("bert_L-4_H-32")), str(hub_model("bert_preprocess"))
    rows = [{"a": "a film", "y": "1"}, {"a": "☃", "y": "0"}]
    of_preprocess = profile(rows, rows, hub=hub, preprocess=preprocess).splits["train"]
    assert of_preprocess.unknown_tokens == 1
    assert of_preprocess.pieces["[UNK]"] == 1


def test_real_pairs(
    profile: Callable[..., ProfileRecord], hub_model: Callable[[str], Path], shared_data: Callable[[str], Path]
) -> None:
    lines = (shared_data("MRPC") / "dev.tsv").read_text(encoding="utf-8-sig").splitlines()[1:]
    rows = [{"a": first, "b": second, "y": label} for label, _, _, first, second in (row.split("\t") for row in lines)]
    record = profile(rows, rows[:10], hub=str(hub_model("bert_L-4_H-32")), text=["a", "b"])
    of_train = record.splits["train"]
    assert of_train.rows == sum(of_train.text_lengths) == len(rows) == 408
    assert of_train.labels == {"1": 279, "0": 129}
    assert sum(of_train.pieces.values()) == of_train.tokens > 10 * len(rows)


def test_the_digest_is_the_tokenizers(profile: Callable[..., ProfileRecord], tiny_hub: Path, tmp_path: Path) -> None:
    rows = [{"a": "film", "y": "1"}]
    uncased = profile(rows, rows, hub=str(tiny_hub))
    (tmp_path / "examples").rename(tmp_path / "old")
    cased = profile(rows, rows, hub=str(tiny_hub), lower_case=False)
    assert uncased.tokenizer.startswith("sha256:")
    assert uncased.tokenizer != cased.tokenizer
    (tmp_path / "examples").rename(tmp_path / "older")
    vocab = tmp_path / "vocab.txt"
    vocab.write_bytes((tiny_hub / "assets" / "vocab.txt").read_bytes())
    assert profile(rows, rows, hub=str(tiny_hub), vocab=str(vocab)).tokenizer == uncased.tokenizer


def test_a_model_without_a_vocabulary_is_told(profile: Callable[..., ProfileRecord], tiny_hub: Path) -> None:
    with pytest.raises(UserError, match=r"^model\.vocab: no such vocabulary file: none\.txt$"):
        profile([], [], hub=str(tiny_hub), vocab="none.txt")
