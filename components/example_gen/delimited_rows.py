"""Reads one file of delimited text, row by row, exactly as written."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple, TextIO

from components.example_gen.bad_row import STRAY_QUOTE, WRONG_FIELD_COUNT, BadRow
from components.example_gen.input_file import ends_too_early, open_input
from components.example_gen.row_format import (
    RowFormat,
    missing_columns,
    quoted,
    repeated_names,
    too_many_columns,
)
from trainer_module.errors import UserError

# Characters: more than any row of text has, and a bound on what one quote that is never closed can swallow.
LONGEST_ROW = 1 << 24

# No decoded text holds lone surrogates, so they can stand for what csv and the decoder don't take.
_NUL_STAND_IN = "\udc00"
_BAD_BYTE = 0xDD00
_CUT_CHARACTER = "\udeff"
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK_BAD_BYTES = "permafrost.mark_bad_bytes"
# What Python's codecs say of a character whose last bytes are missing.
_CUT_REASONS = ("unexpected end of data", "truncated data", "incomplete multibyte sequence")


def _mark_bad_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    if error.reason in _CUT_REASONS and error.end == len(error.object):
        return _CUT_CHARACTER, error.end
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
        columns, _ = _columns_and_records(path, _Lines(path, file, rows), rows)
        return columns


def read_rows(path: str, rows: RowFormat) -> Iterator[DelimitedRow | BadRow]:
    """Yields the rows of a file in order; a row with too many or too few fields is a `BadRow`.

    Blank lines are no rows. Columns without a name (the index that pandas writes) are left out.

    Raises:
        UserError: As `read_header`, and for bytes that are not in the encoding, quotes left open, a row longer than
            `LONGEST_ROW`, and a file that ends too early.
    """
    with _open_text(path, rows) as file:
        lines = _Lines(path, file, rows)
        columns, records = _columns_and_records(path, lines, rows)
        for line, fields in records:
            if fields is None:
                yield BadRow(path, line, STRAY_QUOTE)
            elif len(fields) < len(columns) and not lines.is_ended:
                # Files may well lack the last line's end, but not its fields too.
                raise ends_too_early(f"{path}, line {line}", f"with {len(fields)} of {len(columns)} fields")
            elif len(fields) != len(columns):
                yield BadRow(path, line, WRONG_FIELD_COUNT)
            else:
                yield DelimitedRow(line, _named(columns, fields))


class _Lines:
    """The lines of a file, checked while they are read.

    Attributes:
        number: The line that was read last, from 1.
        is_ended: Whether that line has its line break; only the last line of a file may lack it.
    """

    def __init__(self, path: str, file: TextIO, rows: RowFormat) -> None:
        self.number = 0
        self.is_ended = True
        self._path = path
        self._file = file
        self._encoding = rows.encoding
        self.start_row()

    def start_row(self) -> None:
        """Lets the next lines, together, be as long as a row may be."""
        self._first = self.number + 1
        self._room = LONGEST_ROW

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(self._room + 1):
            self.number += 1
            self._room -= len(line)
            if self._room < 0:
                raise UserError(self._too_long())
            if not line.isascii() and (found := _SURROGATE.search(line)):
                raise self._not_text(found.group())
            self.is_ended = line.endswith(("\n", "\r"))
            yield line

    def _too_long(self) -> str:
        if self.number > self._first:
            return _open_quote(self._path, self._first, f"within {LONGEST_ROW:,} characters")
        return (
            f"{self._path}, line {self.number}: has more than {LONGEST_ROW:,} characters, too many for a row; "
            "is this a text file with line breaks?"
        )

    def _not_text(self, stand_in: str) -> UserError:
        where = f"{self._path}, line {self.number}"
        if stand_in == _CUT_CHARACTER:
            return ends_too_early(where, "within a character")
        byte = ord(stand_in) - _BAD_BYTE
        what = f"byte 0x{byte:02x}" if 0 <= byte <= 0xFF else "a character"
        likely = "utf-16" if self.number == 1 and byte in (0xFE, 0xFF) else "latin-1"
        return UserError(
            f"{where}: {what} is not valid {self._encoding}; "
            f'set data.encoding to what the file is written in, e.g. "{likely}"'
        )


@contextmanager
def _open_text(path: str, rows: RowFormat) -> Iterator[TextIO]:
    is_utf8 = codecs.lookup(rows.encoding).name == "utf-8"
    with open_input(path) as binary:
        try:
            yield io.TextIOWrapper(
                binary,
                encoding="utf-8-sig" if is_utf8 else rows.encoding,
                errors=_MARK_BAD_BYTES,
                # A lone CR ends a row for csv; where nothing is quoted it may well be part of a text.
                newline="" if rows.quoting == "minimal" else "\n",
            )
        except UnicodeError as error:  # Not about bytes, which are marked: UTF-16 without its byte order mark.
            raise UserError(
                f"{path}: is not valid {rows.encoding} ({error}); set data.encoding to what the file is written in"
            ) from None


def _columns_and_records(path: str, lines: _Lines, rows: RowFormat) -> tuple[list[str], Iterator[_Record]]:
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
    if problem := too_many_columns(len(columns)):
        return [problem]
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


def _split_plain(path: str, lines: _Lines, delimiter: str) -> Iterator[_Record]:
    for line in lines:
        if row := line.removesuffix("\n").removesuffix("\r"):
            yield _Record(lines.number, row.split(delimiter))
        lines.start_row()


def _split_quoted(path: str, lines: _Lines, delimiter: str) -> Iterator[_Record]:
    csv.field_size_limit(LONGEST_ROW)
    # Python 3.10's csv refuses NUL characters.
    safe_lines = (line.replace("\0", _NUL_STAND_IN) for line in lines)
    reader = csv.reader(safe_lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_row()
        line = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" in str(error):
                yield _Record(line, None)
                continue
            if line == lines.number and not lines.is_ended:
                raise ends_too_early(f"{path}, line {line}", "within a quoted field") from None
            raise UserError(_open_quote(path, line, f"({error})")) from None
        if fields:
            yield _Record(line, [field.replace(_NUL_STAND_IN, "\0") for field in fields])


def _open_quote(path: str, line: int, where: str) -> str:
    return (
        f"{path}, line {line}: a quoted field begins here and does not end {where}; "
        'close it, or set data.quoting = "none" if quotes are ordinary characters'
    )
