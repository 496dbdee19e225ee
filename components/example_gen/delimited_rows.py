"""Reads one file of delimited text, row by row, exactly as written."""

import codecs
import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, BinaryIO, NamedTuple, TextIO

from apache_beam.io.filesystems import FileSystems

from components.example_gen.bad_row import STRAY_QUOTE, WRONG_FIELD_COUNT, BadRow
from components.example_gen.row_format import RowFormat, missing_columns, quoted, repeated_names
from trainer_module.errors import UserError

# Longer than any text, and a bound on what one quote that is never closed can swallow.
_LONGEST_FIELD = 1 << 24

# No decoded text holds lone surrogates, so they can stand for what csv and the decoder don't take.
_NUL_STAND_IN = "\udc00"
_BAD_BYTE = 0xDD00
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK_BAD_BYTES = "permafrost.mark_bad_bytes"


def _mark_bad_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return chr(_BAD_BYTE + error.object[error.start]), error.end


codecs.register_error(_MARK_BAD_BYTES, _mark_bad_byte)


class DelimitedRow(NamedTuple):
    """One row: its first line in the file (from 1), and its values by column."""

    line: int
    values: dict[str, str]


class _Record(NamedTuple):
    line: int
    fields: list[str] | None  # None: quotes where the format allows none


def read_header(path: str, rows: RowFormat) -> list[str]:
    """The column names of a file: from its header row, or `rows.columns`.

    Raises:
        UserError: The file can't be read, is empty, or lacks a text or label column.
    """
    with _open_text(path, rows) as file:
        columns, _ = _columns_and_records(path, file, rows)
        return columns


def read_rows(path: str, rows: RowFormat) -> Iterator[DelimitedRow | BadRow]:
    """Yields the rows of a file in order; a row with too many or too few fields is a `BadRow`.

    Blank lines are no rows. Columns without a name (the index that pandas writes) are left out.

    Raises:
        UserError: As `read_header`, and for bytes that are not in the encoding and quotes left open.
    """
    with _open_text(path, rows) as file:
        columns, records = _columns_and_records(path, file, rows)
        for line, fields in records:
            if fields is None:
                yield BadRow(path, line, STRAY_QUOTE)
            elif len(fields) != len(columns):
                yield BadRow(path, line, WRONG_FIELD_COUNT)
            else:
                yield DelimitedRow(line, _named(columns, fields))


class _RawFile(io.RawIOBase):
    """A file of Beam's as Python's io layers want it; compressed ones lack half of the interface."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


@contextmanager
def _open_text(path: str, rows: RowFormat) -> Iterator[TextIO]:
    is_utf8 = codecs.lookup(rows.encoding).name == "utf-8"
    try:
        with FileSystems.open(path) as binary:
            yield io.TextIOWrapper(
                io.BufferedReader(_RawFile(binary)),
                encoding="utf-8-sig" if is_utf8 else rows.encoding,
                errors=_MARK_BAD_BYTES,
                # A lone CR ends a row for csv; where nothing is quoted it may well be part of a text.
                newline="" if rows.quoting == "minimal" else "\n",
            )
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _columns_and_records(path: str, file: TextIO, rows: RowFormat) -> tuple[list[str], Iterator[_Record]]:
    lines = _checked_lines(path, file, rows.encoding)
    split = _split_quoted if rows.quoting == "minimal" else _split_plain
    records = split(path, lines, rows.delimiter)
    first = next(records, None)
    if first is None:
        raise UserError(f"{path}: is empty")
    if rows.columns is not None:
        if first.fields == rows.columns:
            raise UserError(f"{path}: begins with a header row; remove data.columns")
        return rows.columns, chain([first], records)
    columns = [name.strip() for name in first.fields or []]
    if problems := _header_problems(columns, rows):
        raise UserError([f"{path}: {problem}" for problem in problems])
    return columns, records


def _named(columns: list[str], fields: list[str]) -> dict[str, str]:
    return {name: value for name, value in zip(columns, fields, strict=True) if name}


def _header_problems(columns: list[str], rows: RowFormat) -> list[str]:
    if repeated := repeated_names([name for name in columns if name]):
        return [f"its header names a column twice: {quoted(repeated)}"]
    problems = missing_columns(rows, columns)
    if problems:
        others = [mark for mark in "\t;|," if len(columns) == 1 and mark in columns[0]]
        if others:
            problems[-1] += f"; if fields are separated by {others[0]!r}, set data.delimiter"
        else:
            problems[-1] += "; if the file has no header row, list the names in data.columns"
    return problems


def _checked_lines(path: str, file: TextIO, encoding: str) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if not line.isascii() and (found := _SURROGATE.search(line)):
            byte = ord(found.group()) - _BAD_BYTE
            what = f"byte 0x{byte:02x}" if 0 <= byte <= 0xFF else "a character"
            likely = "utf-16" if number == 1 and byte in (0xFE, 0xFF) else "latin-1"
            raise UserError(
                f"{path}, line {number}: {what} is not valid {encoding}; "
                f'set data.encoding to what the file is written in, e.g. "{likely}"'
            )
        yield line


def _split_plain(path: str, lines: Iterable[str], delimiter: str) -> Iterator[_Record]:
    for number, line in enumerate(lines, start=1):
        if row := line.removesuffix("\n").removesuffix("\r"):
            yield _Record(number, row.split(delimiter))


def _split_quoted(path: str, lines: Iterable[str], delimiter: str) -> Iterator[_Record]:
    csv.field_size_limit(_LONGEST_FIELD)
    # Python 3.10's csv refuses NUL characters.
    safe_lines = (line.replace("\0", _NUL_STAND_IN) for line in lines)
    reader = csv.reader(safe_lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" in str(error):
                yield _Record(line, None)
                continue
            raise UserError(
                f"{path}, line {line}: a quoted field begins here and does not end ({error}); "
                'close it, or set data.quoting = "none" if quotes are ordinary characters'
            ) from None
        if fields:
            yield _Record(line, [field.replace(_NUL_STAND_IN, "\0") for field in fields])
