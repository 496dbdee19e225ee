"""ExampleGen's executor for TFRecords of tf.Examples."""

from collections.abc import Iterator

import tensorflow as tf

from components.example_gen.checked_executor import CheckedExecutor, ReadFile
from components.example_gen.row_format import RowFormat
from components.example_gen.tfrecord_rows import read_examples
from trainer_module.errors import UserError


class TfRecordExecutor(CheckedExecutor):
    """Features stay as they are, but a regression's label, which becomes a float."""

    def read_file(self) -> ReadFile:
        return read_tfrecord

    def check_files(self, paths: list[str], rows: RowFormat) -> None:
        problems: list[str] = []
        for path in paths:
            try:
                next(read_examples(path), None)
            except UserError as error:
                problems += error.problems
        if problems:
            raise UserError(problems)


def read_tfrecord(path: str, rows: RowFormat) -> Iterator[tuple[int, tf.train.Example]]:
    """Yields the examples of a file, numbered from 1.

    Raises:
        UserError: See `tfrecord_rows`.
    """
    return enumerate(read_examples(path), start=1)
