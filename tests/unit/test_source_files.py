"""Files of a folder: which are meant, and Parquet and XLSX as text with true row numbers."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from features.errors import BadInput, NotFound
from pipelines.complaints import PLACE
from pipelines.connectors.files import SourceFile, matching, read_file, require_columns
from pipelines.mapping_keys import FileSpec, Section

FEEDS = (Section(table="customer", fields={"customer_id": "id"}),)


def spec(path: str, **keys: object) -> FileSpec:
    return FileSpec(path=path, tables=FEEDS, **keys)


def read(path: Path, **keys: object) -> SourceFile:
    return read_file(path, path.name, spec(path.name, **keys))


def workbook(path: Path, fill: Callable[[xlsxwriter.Workbook], None]) -> Path:
    book = xlsxwriter.Workbook(path)
    fill(book)
    book.close()
    return path


def test_a_pattern_finds_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "2024").mkdir()
    for name in ("2024/b.csv", "2024/a.csv", "2024/c.txt", "d.csv"):
        (tmp_path / name).write_text("id\n1\n")
    assert [p.name for p in matching(tmp_path, spec("2024/*.csv"))] == ["a.csv", "b.csv"]


def test_a_file_that_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "invoice.csv").write_text("id\n1\n")
    with pytest.raises(NotFound, match=r"no file matches 'invoices.csv'; there is: invoice.csv; did you mean"):
        matching(tmp_path, spec("invoices.csv"))
    assert matching(tmp_path, spec("payments.csv", optional=True)) == []


def test_an_empty_or_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is: no file at all"):
        matching(tmp_path, spec("a.csv"))
    with pytest.raises(NotFound, match="nowhere: no such folder"):
        matching(tmp_path / "nowhere", spec("a.csv", optional=True))


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,Customer,Amount\n1,2,3\n")
    with pytest.raises(
        BadInput, match=r"a\.csv: no column 'Custmer', which the mapping names; it has: id, Customer, Am"
    ):
        require_columns(read(path), {"id", "Custmer"})
    with pytest.raises(BadInput, match="did you mean 'Customer'"):
        require_columns(read(path), {"id", "Custmer"})


def test_names_are_trimmed_numbered_and_never_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(" id ,day,,day,_row\n1,2,3,4,5\n")
    assert read(path).columns == ["id", "day", "column 3", "day.1", "_row.1"]


def test_rows_without_content_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,b\n1,2\n\n , \n,\n3,4\n")
    found = read(path)
    assert found.rows["_where"].to_list() == ["a.csv line 2", "a.csv line 6"]
    assert found.broken.is_empty()


def test_lines_of_another_width_are_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,b\n1,2\n3\n4,5,6\n")
    found = read(path)
    assert found.rows["id"].to_list() == ["1", "3", "4"]
    assert found.whole["id"].to_list() == ["1"]
    assert found.broken.select("_where", "value", "allowed").rows() == [
        ("a.csv line 3", "1 fields", "2 fields, as many as the header has"),
        ("a.csv line 4", "3 fields", "2 fields, as many as the header has"),
    ]


def test_parquet_arrives_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {
            "id": [7, 8],
            "day": [date(2024, 1, 2), None],
            "at": [datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC), None],
            "local": [datetime(2024, 1, 2, tzinfo=UTC).replace(tzinfo=None), None],
            "price": [0.1 + 0.2, 1e6],
            "money": [Decimal("1234.50"), None],
            "flag": [True, None],
            "parts": [[1], [2]],
        }
    ).write_parquet(path)
    found = read(path)
    assert found.rows.drop(*PLACE).row(0, named=True) == {
        "id": "7",
        "day": "2024-01-02",
        "at": "2024-01-02T03:04:05.000678Z",
        "local": "2024-01-02 00:00:00",
        "price": "0.3",
        "money": "1234.50",
        "flag": "true",
    }
    assert found.rows["_where"].to_list() == ["a.parquet row 1", "a.parquet row 2"]
    assert found.rows["price"].to_list() == ["0.3", "1000000.0"]


def test_xlsx_arrives_as_text_with_the_rows_of_the_sheet(tmp_path: Path) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet("Ledger")
        sheet.write_row(1, 0, ["id", "day", " amount ", "code", "id"])
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(2, 0, [1930571429, None, 1234.5600000000001, "007", "x"])
        sheet.write_datetime(2, 1, date(2020, 1, 2), day)
        sheet.write_row(4, 0, ["b", "3/4/2020", 5, None, "y"])

    path = workbook(tmp_path / "a.xlsx", fill)
    found = read(path, header_row=2)
    assert found.columns == ["id", "day", "amount", "code", "id.1"]
    assert found.rows.drop("_row").rows() == [
        ("1930571429", "2020-01-02 00:00:00", "1234.56", "007", "x", "a.xlsx row 3"),
        ("b", "3/4/2020", "5", None, "y", "a.xlsx row 5"),
    ]


def test_xlsx_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        book.add_worksheet("Cover").write(0, 0, "Hello")
        book.add_worksheet("Ledger").write_column(0, 0, ["id", "1"])
        book.add_worksheet("Empty")

    path = workbook(tmp_path / "a.xlsx", fill)
    assert read(path, sheet="Ledger").rows["id"].to_list() == ["1"]
    with pytest.raises(
        BadInput, match=r"a\.xlsx: no sheet 'Ledgr'; it has: Cover, Ledger, Empty; did you mean 'Ledger'"
    ):
        read(path, sheet="Ledgr")
    with pytest.raises(BadInput, match=r"a\.xlsx row 1: no column names there"):
        read(path, sheet="Empty")
    with pytest.raises(BadInput, match=r"a\.xlsx: cannot be read as XLSX: .*Max height is 2"):
        read(path, sheet="Ledger", header_row=5)


@pytest.mark.parametrize(("name", "kind"), [("a.parquet", "Parquet"), ("a.xlsx", "XLSX")])
def test_a_file_of_another_format_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("id,b\n1,2\n")
    with pytest.raises(BadInput, match=rf"{name}: cannot be read as {kind}"):
        read(path)


def test_the_same_bytes_have_the_same_digest(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("id\n1\n")
    other.write_text("id\n1\n")
    assert read(one).digest == read(other).digest
    other.write_text("id\n2\n")
    assert read(one).digest != read(other).digest
