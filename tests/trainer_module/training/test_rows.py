"""Rows come out of Transform's records as they went in, and batches are padded to their longest row."""

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.features import LABEL, MASK, TYPE_IDS, WORD_IDS
from trainer_module.training.rows import read_rows


def test_a_batch_is_padded_to_its_longest_row(make_rows) -> None:
    rows = make_rows([2, 5, 3], [2, 3], [2, 7, 8, 9, 3], labels=[1, 0, 2])
    inputs, labels = rows.batch(np.array([1, 0]))
    assert inputs[WORD_IDS].tolist() == [[2, 3, 0], [2, 5, 3]]
    assert inputs[MASK].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert inputs[TYPE_IDS].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert labels.tolist() == [0, 1]
    assert {array.dtype for array in inputs.values()} == {np.dtype(np.int32)}


def test_segment_ids_are_padded_with_zero(make_rows) -> None:
    rows = make_rows([2, 5, 3, 6, 3], [2, 3, 3], second_from=3)
    inputs, _ = rows.batch(np.array([0, 1]))
    assert inputs[TYPE_IDS].tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert inputs[TYPE_IDS].dtype == np.int32


def test_a_piece_with_the_id_of_padding_counts_as_a_token(make_rows) -> None:
    inputs, _ = make_rows([2, 0, 0, 3], [2, 3]).batch(np.array([0, 1]))
    assert inputs[MASK].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_a_row_may_come_twice(make_rows) -> None:
    inputs, labels = make_rows([2, 3], [2, 4, 3]).batch(np.array([1, 1]))
    assert inputs[WORD_IDS].tolist() == [[2, 4, 3]] * 2
    assert labels.tolist() == [1, 1]


def test_lengths_count_tokens(make_rows) -> None:
    rows = make_rows([2, 5, 3], [2, 3])
    assert rows.lengths.tolist() == [3, 2]
    assert len(rows) == 2


def test_reads_what_transform_writes(reviews) -> None:
    rows = reviews.tokens
    assert len(rows) == len(reviews.rows) == 64
    assert rows.type_ids is None
    assert (rows.word_ids.dtype, rows.offsets.dtype, rows.labels.dtype) == (np.int32, np.int64, np.int64)
    for index, row in enumerate(reviews.rows):
        assert rows.word_ids[rows.offsets[index] : rows.offsets[index + 1]].tolist() == row[WORD_IDS].tolist()
    assert rows.labels.tolist() == [row[LABEL] for row in reviews.rows]


@pytest.mark.slow
def test_reads_the_segments_of_pairs_and_fractional_labels(scored_pairs) -> None:
    rows = scored_pairs.tokens
    assert rows.type_ids is not None and rows.type_ids.dtype == np.int8
    for index, row in enumerate(scored_pairs.rows):
        assert rows.type_ids[rows.offsets[index] : rows.offsets[index + 1]].tolist() == row[TYPE_IDS].tolist()
    assert rows.type_ids.tolist() == [0, 0, 0, 0, 1, 1] + [0] * 6 + [1] * 4
    assert (rows.labels.dtype, rows.labels.tolist()) == (np.float32, [0.5, -2.0])


def test_files_are_read_in_the_order_of_their_names(reviews, tmp_path) -> None:
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(reviews.records), "GZIP")]
    for name, part in (("b", records[40:]), ("a", records[:40])):
        with tf.io.TFRecordWriter(str(tmp_path / name), "GZIP") as writer:
            for record in part:
                writer.write(record)
    for patterns in ([str(tmp_path / "*")], [str(tmp_path / "b"), str(tmp_path / "a")]):
        rows = read_rows(patterns, reviews.output)
        np.testing.assert_array_equal(rows.word_ids, reviews.tokens.word_ids)
        np.testing.assert_array_equal(rows.labels, reviews.tokens.labels)


@pytest.mark.parametrize("empty_file", [True, False])
def test_no_records_are_no_rows(reviews, tmp_path, empty_file: bool) -> None:
    if empty_file:
        tf.io.TFRecordWriter(str(tmp_path / "empty"), "GZIP").close()
    rows = read_rows([str(tmp_path / "*")], reviews.output)
    assert len(rows) == 0
    assert rows.lengths.tolist() == []
