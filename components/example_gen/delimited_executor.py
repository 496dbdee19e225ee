"""ExampleGen's executor for CSV, TSV and the like."""

from collections.abc import Iterator

import tensorflow as tf

from components.example_gen.bad_row import BadRow
from components.example_gen.checked_executor import CheckedExecutor, ReadFile
from components.example_gen.delimited_rows import read_header, read_rows
from components.example_gen.row_format import RowFormat, quoted
from trainer_module.errors import UserError


class DelimitedExecutor(CheckedExecutor):
    """All columns become bytes features, as written, in UTF-8; the label without surrounding white space."""

    def read_file(self) -> ReadFile:
        return read_delimited

    def check_files(self, paths: list[str], rows: RowFormat) -> None:
        headers: dict[str, list[str]] = {}
        problems: list[str] = []
        for path in paths:
            try:
                headers[path] = read_header(path, rows)
            except UserError as error:
                problems += error.problems
        first, *others = headers or [""]
        for path in others:
            if headers[path] != headers[first]:
                problems.append(
                    f"{path}: its header ({quoted(headers[path])}) differs from that of {first} "
                    f"({quoted(headers[first])}); all files of an input need the same columns, in one order"
                )
        if problems:
            raise UserError(problems)


def read_delimited(path: str, rows: RowFormat) -> Iterator[tuple[int, tf.train.Example] | BadRow]:
    """Yields the rows of a file as examples, each with its first line.

    Raises:
        UserError: See `delimited_rows`.
    """
    for row in read_rows(path, rows):
        if isinstance(row, BadRow):
            yield row
            continue
        example = tf.train.Example()
        for name, value in row.values.items():
            content = value.strip() if name == rows.label else value
            example.features.feature[name].bytes_list.value.append(content.encode("utf-8"))
        yield row.line, example
