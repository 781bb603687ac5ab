"""Delimited text: fields, true physical lines, widths, and the line of what is broken."""

import csv
import io

import polars as pl
import pytest

from features.errors import BadInput
from pipelines.connectors.csv_text import Delimited, read_csv


def read(text: str | bytes, separator: str = ",", encoding: str = "utf-8", header_row: int = 1) -> Delimited:
    data = text.encode(encoding) if isinstance(text, str) else text
    return read_csv(data, name="a.csv", separator=separator, encoding=encoding, header_row=header_row)


def rows(found: Delimited) -> list[tuple[int, int, tuple[str | None, ...]]]:
    return list(zip(found.line.tolist(), found.width.tolist(), found.cells.rows(), strict=True))


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    assert rows(read("a,b\n1,2\n3,4\n")) == [(2, 2, ("1", "2")), (3, 2, ("3", "4"))]


def test_the_last_line_needs_no_end() -> None:
    assert rows(read("a,b\n1,2")) == [(2, 2, ("1", "2"))]


def test_quoted_fields_may_hold_separators_quotes_and_line_ends() -> None:
    text = 'a,b\n"1,5","x\ny"\n"say ""hi""",2\n'
    assert rows(read(text)) == [(2, 2, ("1,5", "x\ny")), (4, 2, ('say "hi"', "2"))]


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    found = read(b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n")
    assert found.header == ["a", "b"]
    assert rows(found) == [(2, 2, ("1", "2")), (3, 1, (None, None)), (4, 2, ("3", "4"))]


def test_a_header_below_a_title_and_one_over_two_lines() -> None:
    assert rows(read("My ledger\n\na,b\n1,2\n", header_row=3)) == [(4, 2, ("1", "2"))]
    two_lines = read('"a\nof it",b\n1,2\n')
    assert two_lines.header == ["a\nof it", "b"]
    assert rows(two_lines) == [(3, 2, ("1", "2"))]


def test_short_and_long_lines_are_told_apart_from_empty_fields() -> None:
    found = read("a,b,c\n1,,\n1,2\n1,2,3,4,5,6\n,,\n")
    assert [width for _, width, _ in rows(found)] == [3, 2, 6, 3]


def test_a_long_first_line_does_not_widen_the_header() -> None:
    assert [width for _, width, _ in rows(read("a,b\n1,2,3,4\n1,2\n"))] == [4, 2]


def test_quotes_inside_a_field_are_text() -> None:
    """One of them alone upsets a count of quotes; the lines must still be right."""
    found = read('a,b\n5" pipe,1\n"x\ny",2\n6" pipe,3\n7" pipe\n')
    assert [(line, width) for line, width, _ in rows(found)] == [(2, 2), (3, 2), (5, 2), (6, 1)]
    assert found.cells["0"].to_list() == ['5" pipe', "x\ny", '6" pipe', '7" pipe']


def test_other_separators_and_encodings() -> None:
    assert rows(read("größe;b\nMüller;2\n", ";", "cp1252")) == [(2, 2, ("Müller", "2"))]
    assert rows(read("a\tb\n1\t2\n", "\t", "utf-16")) == [(2, 2, ("1", "2"))]


def test_a_wrong_encoding_names_the_line() -> None:
    with pytest.raises(BadInput, match=r"a\.csv line 3: byte 0xfc is not utf-8; set `encoding`, often cp1252"):
        read("a,b\n1,2\nMüller,2\n".encode("cp1252"))


@pytest.mark.parametrize("text", ["", "\n", "   \n1,2\n", ",,\n1,2,3\n"])
def test_a_missing_header_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"a\.csv line 1: no column names there"):
        read(text)


def test_a_header_below_the_end_is_refused() -> None:
    with pytest.raises(BadInput, match=r"a\.csv line 9: no column names there"):
        read("a,b\n1,2\n", header_row=9)


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\n\n\n"])
def test_a_header_alone_has_no_rows(text: str) -> None:
    found = read(text)
    assert (found.header, found.cells.height, len(found.line), len(found.width)) == (["a", "b"], 0, 0, 0)
    assert found.cells.width == 2


@pytest.mark.parametrize(("text", "line"), [('a,b\n1,2\n"3,4\n5,6\n', 4), ('a,b\n1,2\n3,"4"x\n', 3)])
def test_a_broken_quote_names_its_line(text: str, line: int) -> None:
    with pytest.raises(BadInput, match=rf"a\.csv line {line}: .*allowed: fields in double quotes"):
        read(text)


def test_many_lines_are_read_as_the_standard_library_reads_them() -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    wanted = [(f"id {i}", ("plain", 'quo"ted', "two\nlines", "com,ma", "")[i % 5], str(i)) for i in range(20_000)]
    writer.writerows([("a", "b", "c"), *wanted])
    found = read(out.getvalue())
    assert found.cells.rows() == [(a, b or None, c) for a, b, c in wanted]
    lines = out.getvalue().split("\n")
    starts = found.line.tolist()
    assert all(lines[line - 1].startswith(a) for line, (a, _, _) in zip(starts, wanted, strict=True))
    assert set(found.width.tolist()) == {3}
    assert found.cells.schema == pl.Schema({"0": pl.String, "1": pl.String, "2": pl.String})
