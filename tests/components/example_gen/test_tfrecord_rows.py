"""TFRecord files are read to their last complete record, or refused."""

import struct
from pathlib import Path

import pytest
import tensorflow as tf

from components.example_gen.row_format import MOST_COLUMNS
from components.example_gen.tfrecord_rows import LONGEST_RECORD, read_examples
from tests.components.example_gen.test_input_file import COMPRESS, TOO_EARLY
from trainer_module.errors import UserError


def example(**values: bytes) -> tf.train.Example:
    made = tf.train.Example()
    for name, value in values.items():
        made.features.feature[name].bytes_list.value.append(value)
    return made


def records(tmp_path: Path, examples: list[tf.train.Example]) -> bytes:
    """What TensorFlow's own writer makes of the examples."""
    path = tmp_path / "written"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in examples:
            writer.write(each.SerializeToString())
    return path.read_bytes()


def problem_of(path: Path) -> str:
    with pytest.raises(UserError) as error:
        list(read_examples(str(path)))
    return str(error.value)


EXAMPLES = [example(text=b"fine", label=b"pos"), example(text=b"x" * 100_000, label=b"neg"), example()]


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_examples_are_read_as_tensorflow_wrote_them(tmp_path: Path, ending: str) -> None:
    content = records(tmp_path, EXAMPLES)
    path = tmp_path / f"rows.tfrecord{ending}"
    path.write_bytes(COMPRESS[ending[1:]](content) if ending else content)
    assert list(read_examples(str(path))) == EXAMPLES


@pytest.mark.parametrize("cut", [1, 8, 1000])
@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "deflate", "zst"])
def test_a_truncated_compressed_file_ends_too_early(tmp_path: Path, ending: str, cut: int) -> None:
    noise = [example(text=bytes(byte * 7 % 256 for byte in range(number, number + 50))) for number in range(1000)]
    path = tmp_path / f"rows.tfrecord.{ending}"
    path.write_bytes(COMPRESS[ending](records(tmp_path, noise))[:-cut])
    assert problem_of(path) == f"{path}: {TOO_EARLY}"


@pytest.mark.parametrize("kept", [1, 11, 12, 20, -5, -1])
def test_a_record_that_is_cut_off_ends_too_early(tmp_path: Path, kept: int) -> None:
    first, second = records(tmp_path, EXAMPLES[:1]), records(tmp_path, EXAMPLES[1:2])
    path = tmp_path / "rows.tfrecord"
    path.write_bytes(first + second[:kept])
    assert problem_of(path) == f"{path}, record 2: {TOO_EARLY}"


@pytest.mark.parametrize("position", [3, 9, 20, -2])
def test_a_changed_byte_is_noticed(tmp_path: Path, position: int) -> None:
    content = bytearray(records(tmp_path, EXAMPLES[:1]))
    content[position] ^= 1
    path = tmp_path / "rows.tfrecord"
    path.write_bytes(content)
    assert problem_of(path) == (
        f'{path}, record 1: is damaged, or this is no TFRecord file; for delimited text set data.format = "csv"'
    )


def test_a_record_that_claims_to_be_huge_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    # The header of a record with no content, up to 2**60 bytes of which TensorFlow would allocate.
    from components.example_gen.tfrecord_rows import _masked_crc

    length = struct.pack("<Q", 1 << 60)
    path = tmp_path / "rows.tfrecord"
    path.write_bytes(length + struct.pack("<I", _masked_crc(length)))
    assert problem_of(path) == (f"{path}, record 1: has {1 << 60:,} bytes; at most {LONGEST_RECORD:,} can be read")


def test_features_of_all_examples_together_are_bounded(tmp_path: Path) -> None:
    many = [example(**{f"feature_{number}": b"x"}) for number in range(MOST_COLUMNS + 1)]
    path = tmp_path / "rows.tfrecord"
    path.write_bytes(records(tmp_path, many))
    where = f"{path}, up to record {MOST_COLUMNS + 1}"
    assert problem_of(path).startswith(f"{where}: has {MOST_COLUMNS + 1:,} columns; at most {MOST_COLUMNS:,} can")


def test_gzip_under_another_name_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "rows.tfrecord"
    path.write_bytes(COMPRESS["gz"](records(tmp_path, EXAMPLES)))
    assert problem_of(path) == f"{path}: is compressed with gzip, though its name doesn't end in .gz; rename it"


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")
def test_a_record_that_only_a_part_of_can_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(EXAMPLES[0].SerializeToString() + b"\x0c" + EXAMPLES[1].SerializeToString())
    assert problem_of(path) == f"{path}, record 1: is not a tf.Example; nothing else can be read from TFRecords"
