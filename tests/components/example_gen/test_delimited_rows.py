"""Delimited text is read exactly as written, whatever it holds."""

import contextlib
import encodings.aliases
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.bad_row import STRAY_QUOTE, WRONG_FIELD_COUNT, BadRow
from components.example_gen.delimited_rows import LONGEST_ROW, DelimitedRow, read_header, read_rows
from components.example_gen.row_format import MOST_COLUMNS, RowFormat
from trainer_module.errors import UserError

Write = Callable[[str, str | bytes], Path]


def rows_of(path: Path, **rows: Any) -> list[DelimitedRow | BadRow]:
    return list(read_rows(str(path), RowFormat.from_dict({"text": ["text"], "label": "label"} | rows)))


def values_of(path: Path, **rows: Any) -> list[tuple[str, ...]]:
    return [tuple(row.values.values()) for row in rows_of(path, **rows) if isinstance(row, DelimitedRow)]


def problem_of(path: Path, **rows: Any) -> str:
    with pytest.raises(UserError) as error:
        rows_of(path, **rows)
    return str(error.value)


@pytest.mark.parametrize(
    ("file", "count", "rows"),
    [
        ("MRPC/train_3668.tsv", 3668, {"text": ["#1 String", "#2 String"], "label": "Quality"}),
        ("MRPC/dev.tsv", 408, {"text": ["#1 String", "#2 String"], "label": "Quality"}),
        ("MRPC/msr_paraphrase_test.txt", 1725, {"text": ["#1 String", "#2 String"], "label": "Quality"}),
        ("SST-2-sentence/train.tsv", 6920, {"columns": ["text", "label"]}),
        ("SST-2-sentence/dev.tsv", 872, {"columns": ["text", "label"]}),
        ("SST-2-sentence/test.tsv", 1821, {"columns": ["text", "label"]}),
        ("Banking77/train.csv", 10003, {"label": "category", "delimiter": ",", "quoting": "minimal"}),
        ("Banking77/test.csv", 3080, {"label": "category", "delimiter": ",", "quoting": "minimal"}),
    ],
)
def test_real_corpora(real_data: Path, file: str, count: int, rows: dict[str, Any]) -> None:
    found = rows_of(real_data / file, **{"delimiter": "\t", "quoting": "none"} | rows)
    assert len(found) == count
    assert all(isinstance(row, DelimitedRow) for row in found)


def test_a_byte_order_mark_and_crlf_leave_no_trace(write: Write) -> None:
    path = write("a.csv", b"\xef\xbb\xbftext,label\r\nhello,1\r\n\r\nbye,0")
    assert rows_of(path) == [
        DelimitedRow(2, {"text": "hello", "label": "1"}),
        DelimitedRow(4, {"text": "bye", "label": "0"}),
    ]


def test_quoted_fields_hold_delimiters_quotes_and_newlines(write: Write) -> None:
    path = write("a.csv", 'text,label\r\n"a, ""b""\r\nc\nd",1\r\n  spaced  ,2\r\n')
    assert rows_of(path) == [
        DelimitedRow(2, {"text": 'a, "b"\r\nc\nd', "label": "1"}),
        DelimitedRow(5, {"text": "  spaced  ", "label": "2"}),
    ]


def test_quotes_and_lone_carriage_returns_are_ordinary_without_quoting(write: Write) -> None:
    path = write("a.tsv", 'text\tlabel\n"open\t1\na "b" \r c\t0\n')
    assert values_of(path, delimiter="\t", quoting="none") == [('"open', "1"), ('a "b" \r c', "0")]


@pytest.mark.parametrize("quoting", ["minimal", "none"])
@pytest.mark.parametrize(
    "text", ["a\0b\0", "\0", "🤖👩‍👩‍👧", "שלום مرحبا", "x" * 200_000, "\u2028\x0b\x85\x1c", "\ufeffx"]
)
def test_odd_texts_survive(write: Write, quoting: str, text: str) -> None:
    path = write("a.csv", f"text,label\n{text},1\n")
    assert values_of(path, quoting=quoting) == [(text, "1")]


def test_rows_with_too_many_or_too_few_fields(write: Write) -> None:
    path = write("a.csv", "text,label\na\nb,1\nc,d,1\n")
    assert rows_of(path) == [
        BadRow(str(path), 2, WRONG_FIELD_COUNT),
        DelimitedRow(3, {"text": "b", "label": "1"}),
        BadRow(str(path), 4, WRONG_FIELD_COUNT),
    ]


def test_a_stray_quote_costs_one_row(write: Write) -> None:
    path = write("a.csv", 'text,label\n"so" he said,1\nb,1\n')
    assert rows_of(path) == [BadRow(str(path), 2, STRAY_QUOTE), DelimitedRow(3, {"text": "b", "label": "1"})]


def test_a_quote_that_is_never_closed(write: Write) -> None:
    path = write("a.csv", 'text,label\na,1\n"b,1\nc,0\n')
    assert problem_of(path) == (
        f"{path}, line 3: a quoted field begins here and does not end (unexpected end of data); "
        'close it, or set data.quoting = "none" if quotes are ordinary characters'
    )


def test_bytes_in_another_encoding(write: Write) -> None:
    path = write("a.csv", b"text,label\n" + b"fine,1\n" * 20_000 + b"caf\xe9,0\n")
    assert problem_of(path) == (
        f"{path}, line 20002: byte 0xe9 is not valid utf-8; "
        'set data.encoding to what the file is written in, e.g. "latin-1"'
    )
    assert values_of(path, encoding="latin-1")[-1] == ("café", "0")


def readable_encodings() -> list[str]:
    """The encodings that `data.encoding` may name, by Python's own list."""
    names = []
    for name in sorted({*encodings.aliases.aliases.values()}):
        with contextlib.suppress(UserError):
            names.append(RowFormat.from_dict({"text": ["t"], "label": "l", "encoding": name}).encoding)
    return names


@pytest.mark.parametrize("encoding", readable_encodings())
def test_whatever_encoding_may_be_named_ends_in_rows_or_one_message(write: Write, encoding: str) -> None:
    text = "text,label\nhello,1\n"
    assert values_of(write("a.csv", text.encode(encoding)), encoding=encoding) == [("hello", "1")]
    for content in [bytes(range(256)) * 3, b"\xff", b"+", b"\x1b$", text.encode(encoding)[:-1] + b"\xfe\xfe\xfe"]:
        with contextlib.suppress(UserError):
            rows_of(write("a.csv", content), encoding=encoding)


def test_utf16_without_its_byte_order_mark(write: Write) -> None:
    path = write("a.csv", "text,label\n".encode("utf-16-le"))
    assert problem_of(path, encoding="utf-16") == (
        f"{path}: is not valid utf-16 (UTF-16 stream does not start with BOM); "
        "set data.encoding to what the file is written in"
    )


def test_utf16(write: Write) -> None:
    path = write("a.csv", "text,label\ncafé\n".encode("utf-16") + "ü,1\n".encode("utf-16-le"))
    assert problem_of(path).endswith(
        'line 1: byte 0xff is not valid utf-8; set data.encoding to what the file is written in, e.g. "utf-16"'
    )
    assert values_of(path, encoding="utf-16") == [("ü", "1")]


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\nhello,1\n"))
    assert values_of(path) == [("hello", "1")]
    path.write_bytes(b"no gzip")
    assert problem_of(path).startswith(f"{path}: cannot be read: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert problem_of(path) == f"{path}: cannot be read: [Errno 2] No such file or directory: '{path}'"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file(write: Write, content: bytes) -> None:
    path = write("a.csv", content)
    assert problem_of(path) == f"{path}: is empty"


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (
            "texts,label",
            "has no column 'text' (data.text); its columns are: 'texts', 'label'; did you mean 'texts'?; "
            "if the file has no header row, list the names in data.columns",
        ),
        (
            "text\tlabel",
            r"has no column 'label' (data.label); its columns are: 'text\tlabel'; "
            r"did you mean 'text\tlabel'?; "
            r"if fields are separated by '\t', set data.delimiter",
        ),
        ("text,label,text", "its header names a column twice: 'text'"),
    ],
)
def test_headers_that_will_not_do(write: Write, header: str, problem: str) -> None:
    path = write("a.csv", f"{header}\n")
    with pytest.raises(UserError) as error:
        read_header(str(path), RowFormat(text=["text"], label="label"))
    assert error.value.problems[-1] == f"{path}: {problem}"


def test_header_names_are_stripped_and_unnamed_columns_left_out(write: Write) -> None:
    path = write("a.csv", ",text, label\n0,hello,1\n")
    assert rows_of(path) == [DelimitedRow(2, {"text": "hello", "label": "1"})]


def test_columns_given_for_a_file_with_a_header(write: Write) -> None:
    path = write("a.csv", "text,label\nhello,1\n")
    assert problem_of(path, columns=["text", "label"]) == f"{path}: begins with a header row; remove data.columns"
    assert rows_of(path, text=["a"], label="b", columns=["a", "b"])[0] == DelimitedRow(1, {"a": "text", "b": "label"})


TOO_EARLY = "bring the complete file: a copy or an upload was interrupted, or it is still being written"


@pytest.mark.parametrize("quoting", ["minimal", "none"])
def test_a_last_line_without_its_end_and_some_of_its_fields_ends_too_early(write: Write, quoting: str) -> None:
    path = write("a.csv", "text,label\na,1\nb")
    assert problem_of(path, quoting=quoting) == f"{path}, line 3: ends too early, with 1 of 2 fields; {TOO_EARLY}"
    assert rows_of(write("a.csv", "text,label\na,1\nb\n"), quoting=quoting)[-1] == BadRow(
        str(path), 3, WRONG_FIELD_COUNT
    )


def test_a_last_line_that_ends_within_a_quoted_field_ends_too_early(write: Write) -> None:
    path = write("a.csv", 'text,label\n"a",1\n"b, and')
    assert problem_of(path) == f"{path}, line 3: ends too early, within a quoted field; {TOO_EARLY}"


@pytest.mark.parametrize(("encoding", "kept"), [("utf-8", -1), ("utf-8", -2), ("utf-16", -1), ("shift_jis", -1)])
def test_a_file_that_ends_within_a_character_ends_too_early(write: Write, encoding: str, kept: int) -> None:
    path = write("a.csv", "text,label\na,1\nb,語".encode(encoding)[:kept])
    assert problem_of(path, encoding=encoding) == f"{path}, line 3: ends too early, within a character; {TOO_EARLY}"


@pytest.mark.parametrize("quoting", ["minimal", "none"])
def test_a_line_that_never_ends_is_refused_while_it_is_read(tmp_path: Path, quoting: str) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of zeros, which takes no room
    assert problem_of(path, quoting=quoting) == (
        f"{path}, line 1: has more than {LONGEST_ROW:,} characters, too many for a row; "
        "is this a text file with line breaks?"
    )


@pytest.mark.parametrize(("start", "line"), [('"', "never closed" * 100 + "\n"), ("", "x" * 1000 + ',"\n",')])
def test_a_row_over_many_lines_is_bounded_too(write: Write, start: str, line: str) -> None:
    path = write("a.csv", "text,label\na,1\n" + start + line * (LONGEST_ROW // len(line) + 2))
    assert problem_of(path) == (
        f"{path}, line 3: a quoted field begins here and does not end within {LONGEST_ROW:,} characters; "
        'close it, or set data.quoting = "none" if quotes are ordinary characters'
    )


def test_many_lines_may_be_longer_than_one_row_may(write: Write) -> None:
    line = f"{'x' * 4_000_000},1\n"
    for quoting in ["minimal", "none"]:
        assert len(rows_of(write("a.csv", "text,label\n" + line * 6), quoting=quoting)) == 6


def test_more_columns_than_the_steps_can_take(write: Write) -> None:
    names = ["text", "label", *(f"column_{number}" for number in range(MOST_COLUMNS - 1))]
    path = write("a.csv", ",".join(names) + "\n")
    assert problem_of(path) == (
        f"{path}: has {MOST_COLUMNS + 1:,} columns; at most {MOST_COLUMNS:,} can be read, because each costs time in "
        "every step: leave out those that are neither text, label nor a slice"
    )
    assert rows_of(write("a.csv", ",".join(names[:-1]) + "\n")) == []


def test_a_header_of_megabytes_is_shown_in_short(write: Write) -> None:
    assert len(problem_of(write("a.csv", "x" * 5_000_000 + "\n"))) < 1000
