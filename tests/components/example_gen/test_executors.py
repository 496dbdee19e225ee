"""The executors, run as TFX runs them."""

import gzip
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.example_gen.delimited_executor import DelimitedExecutor
from components.example_gen.rows_report import Dropped, InputSummary, SplitSummary
from trainer_module.errors import UserError

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], Path]
GOOD = "text,label\nfine,pos\npoor,neg\n"


def _bucket(text: str) -> int:
    """One of TFX's four hash buckets, for an example with this text."""
    example = tf.train.Example()
    example.features.feature["text"].bytes_list.value.append(text.encode())
    example.features.feature["label"].bytes_list.value.append(str(len(text) % 2).encode())
    return int(hashlib.sha256(example.SerializeToString(deterministic=True)).hexdigest(), 16) % 4


def problems_of(run: Run, *args: Any, **rows: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        run(*args, **rows)
    return error.value.problems


def write_examples(path: Path, examples: list[dict[str, Any]]) -> Path:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for values in examples:
            example = tf.train.Example()
            for name, value in values.items():
                feature = example.features.feature[name]
                kinds = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}
                kinds[type(value)].value.append(value)
            writer.write(example.SerializeToString())
    return path


def test_bad_rows_are_dropped_counted_and_told(run: Run, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    train = write("train.csv", "id,text,label\n1, fine , pos \n2, ,pos\n3,x,\n4,y\n5,poor,neg\n")
    with caplog.at_level(logging.WARNING, logger="permafrost.data"):
        outcome = run(train, write("eval.csv", GOOD))

    assert outcome.rows("train") == [
        {"id": b"1", "text": b" fine ", "label": b"pos"},
        {"id": b"5", "text": b"poor", "label": b"neg"},
    ]
    assert outcome.report.inputs == {
        "train": InputSummary(
            read=5,
            dropped={
                "empty text": Dropped(rows=1, first=[f"{train}:3"]),
                "no label": Dropped(rows=1, first=[f"{train}:4"]),
                "wrong number of fields": Dropped(rows=1, first=[f"{train}:5"]),
            },
        ),
        "eval": InputSummary(read=2),
    }
    assert outcome.report.splits == {
        "train": SplitSummary(rows=2, labels={"neg": 1, "pos": 1}),
        "eval": SplitSummary(rows=2, labels={"neg": 1, "pos": 1}),
    }
    properties = ["rows_train", "rows_eval", "rows_dropped"]
    assert [outcome.artifact.get_int_custom_property(name) for name in properties] == [2, 2, 3]
    assert [record.getMessage() for record in caplog.records if record.name == "permafrost.data"] == [
        f"data.train: 3 of 5 rows can't be used: 1 empty text ({train}:3); 1 no label ({train}:4); "
        f"1 wrong number of fields ({train}:5); if that is most of them, check data.delimiter, data.quoting "
        "and data.columns; they were dropped"
    ]


def test_rows_stay_in_their_order(run: Run, write: Write) -> None:
    texts = [f"text {number}" for number in range(500)]
    train = write("train.csv", "text,label\n" + "".join(f"{text},{len(text) % 2}\n" for text in texts))
    assert [row["text"].decode() for row in run(train, train).rows("train")] == texts


def test_a_runner_that_was_named_gets_to_spread_the_rows(run: Run, write: Write) -> None:
    train, eval = write("train.csv", GOOD), write("eval.csv", GOOD)
    outcome = run(train, eval, beam_pipeline_args=["--runner=DirectRunner", "--setup_file=none"])
    assert sorted(row["text"] for row in outcome.rows("train")) == [b"fine", b"poor"]
    assert outcome.report == run(train, eval).report


def test_fail_refuses_them(run: Run, write: Write) -> None:
    train = write("train.csv", GOOD + ",pos\n")
    assert problems_of(run, train, write("eval.csv", GOOD), on_bad_rows="fail") == [
        f'data.train: 1 of 3 rows can\'t be used: 1 empty text ({train}:4); mend them, or set data.on_bad_rows = "drop"'
    ]


def test_odd_texts_survive_byte_for_byte(run: Run, write: Write) -> None:
    texts = ["a\0b", "🤖👩‍👩‍👧", "שלום مرحبا", "x" * 100_000, "x\x85\u2028y"]
    train = write("train.csv", "text,label\n" + "".join(f"{text},{len(text) % 2}\n" for text in texts))
    outcome = run(train, train)
    assert {row["text"] for row in outcome.rows("train")} == {text.encode() for text in texts}


def test_bytes_in_another_encoding(run: Run, write: Write) -> None:
    train = write("train.csv", GOOD.encode() + b"caf\xe9,pos\n")
    assert problems_of(run, train, write("eval.csv", GOOD)) == [
        f"data.train: {train}, line 4: byte 0xe9 is not valid utf-8; "
        'set data.encoding to what the file is written in, e.g. "latin-1"'
    ]
    outcome = run(train, train, encoding="latin-1")
    assert [row["text"].decode() for row in outcome.rows("train")] == ["fine", "poor", "café"]


def test_a_truncated_upload_is_refused(run: Run, write: Write) -> None:
    content = gzip.compress(("text,label\n" + "".join(f"{n} {n**9},{n % 2}\n" for n in range(50_000))).encode())
    train, eval = write("train.csv.gz", content[:-8]), write("eval.csv", GOOD)
    assert problems_of(run, train, eval) == [
        f"data.train: {train}: ends too early; bring the complete file: a copy or an upload was interrupted, "
        "or it is still being written"
    ]


def test_a_file_that_is_written_while_it_is_read_is_refused(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, eval = write("train.csv", GOOD), write("eval.csv", GOOD)
    generate = DelimitedExecutor.GenerateExamplesByBeam

    def generate_and_append(*args: Any) -> Any:
        with train.open("a") as file:
            file.write("more,pos\n")
        return generate(*args)

    monkeypatch.setattr(DelimitedExecutor, "GenerateExamplesByBeam", generate_and_append)
    assert problems_of(run, train, eval) == [
        f"data.train: {train} changed while it was read; run again when it is complete"
    ]


def test_files_are_checked_before_beam_starts(run: Run, write: Write, tmp_path: Path) -> None:
    write("parts/a.csv", GOOD)
    write("parts/b.csv", "label,text\npos,fine\n")
    write("parts/c.csv", "")
    parts, eval = tmp_path / "parts", write("eval.csv", "sentence,label\nfine,pos\n")
    assert problems_of(run, parts, eval) == [
        f"data.train: {parts}/c.csv: is empty",
        f"data.train: {parts}/b.csv: its header ('label', 'text') differs from that of {parts}/a.csv "
        "('text', 'label'); all files of an input need the same columns, in one order",
        f"data.eval: {eval}: has no column 'text' (data.text); its columns are: 'sentence', 'label'; "
        "if the file has no header row, list the names in data.columns",
    ]
    assert problems_of(run, tmp_path / "none.csv", eval, text=["sentence"]) == [
        f"data.train: no file matches {tmp_path}/none.csv"
    ]


@pytest.mark.parametrize(
    ("train", "eval", "problem"),
    [
        (
            "text,label\nfine,pos\ngood,pos\n",
            GOOD,
            "data.label: all 2 rows of train have the same 'label', 'pos'; a classifier needs at least two classes",
        ),
        (
            GOOD,
            GOOD + "hm,maybe\nhm,maybe\n",
            "data.eval: 'label' has labels that never occur in train: 'maybe' (2 rows); "
            "correct them, or bring training rows that have them",
        ),
        (GOOD, "text,label\n", "data.eval: there are no rows"),
    ],
)
def test_rows_that_cannot_be_trained_on(run: Run, write: Write, train: str, eval: str, problem: str) -> None:
    assert problems_of(run, write("train.csv", train), write("eval.csv", eval)) == [problem]


def test_a_hash_split_goes_by_the_row_alone(run: Run, write: Write) -> None:
    texts = [f"row {number}" for number in range(200)]
    lines = [f"{text},{len(text) % 2}\n" for text in texts]
    first = run(write("a.csv", "text,label\n" + "".join(lines)), eval_fraction=0.25)
    bad = [",1\n", "x\n"]
    second = run(write("b.csv", "text,label\n" + "".join(bad + lines[::-1])), eval_fraction=0.25)
    again = run(write("a.csv", "text,label\n" + "".join(lines)), eval_fraction=0.25)
    for split in ["train", "eval"]:
        assert set(first.serialized(split)) == set(second.serialized(split))
        assert first.serialized(split) == again.serialized(split)
    assert {row["text"].decode() for row in first.rows("eval")} == {text for text in texts if _bucket(text) == 3}
    assert second.report.inputs["all"].read == 202


def test_regression(run: Run, write: Write) -> None:
    train = write("train.csv", "text,label\na, 1.5\nb,-2\nc,many\nd,inf\n")
    outcome = run(train, train, task="regression")
    assert outcome.rows("train") == [{"text": b"a", "label": 1.5}, {"text": b"b", "label": -2.0}]
    assert outcome.report.splits["train"] == SplitSummary(rows=2)
    assert outcome.report.inputs["train"].dropped == {
        "label is not a finite number": Dropped(rows=2, first=[f"{train}:4", f"{train}:5"])
    }


def test_tfrecords_keep_their_features(run: Run, tmp_path: Path) -> None:
    examples: list[dict[str, Any]] = [
        {"text": b"fine", "label": 1, "weight": 0.5},
        {"text": b" ", "label": 1, "weight": 0.5},
        {"text": b"poor", "label": 0, "weight": 0.25},
        {"label": 0},
    ]
    train = write_examples(tmp_path / "train.tfrecord", examples)
    outcome = run(train, train, format="tfrecord")
    assert outcome.rows("train") == [examples[0], examples[2]]
    assert outcome.report.inputs["train"].dropped == {"empty text": Dropped(rows=2, first=[f"{train}:2", f"{train}:4"])}
    assert outcome.report.splits["train"].labels == {"0": 1, "1": 1}


def test_a_text_feature_that_no_example_has(run: Run, tmp_path: Path) -> None:
    train = write_examples(tmp_path / "train.tfrecord", [{"sentence": b"a", "label": 1}, {"score": 0.5, "label": 0}])
    assert problems_of(run, train, train, format="tfrecord", text=["sentense"]) == [
        f"data.{split}: has no column 'sentense' (data.text); its columns are: 'label', 'score', 'sentence'; "
        "did you mean 'sentence'?"
        for split in ["train", "eval"]
    ]


def test_files_that_are_no_tfrecords_of_examples(run: Run, write: Write, tmp_path: Path) -> None:
    text = write("rows.csv", GOOD)
    other = tmp_path / "other.tfrecord"
    with tf.io.TFRecordWriter(str(other)) as writer:
        writer.write(b"\xff\xff")
    assert problems_of(run, text, other, format="tfrecord") == [
        f"data.train: {text}, record 1: is damaged, or this is no TFRecord file; "
        'for delimited text set data.format = "csv"',
        f"data.eval: {other}, record 1: is not a tf.Example; nothing else can be read from TFRecords",
    ]


def test_mrpc(run: Run, real_data: Path) -> None:
    outcome = run(
        real_data / "MRPC" / "train_3668.tsv",
        real_data / "MRPC" / "msr_paraphrase_test.txt",
        text=["#1 String", "#2 String"],
        label="Quality",
        delimiter="\t",
        quoting="none",
        on_bad_rows="fail",
    )
    assert outcome.report.splits == {
        "train": SplitSummary(rows=3668, labels={"0": 1194, "1": 2474}),
        "eval": SplitSummary(rows=1725, labels={"0": 578, "1": 1147}),
    }
    assert len(outcome.serialized("train")) == 3668
