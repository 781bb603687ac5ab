"""What lands, what is a repetition, what is known when, and what a damaged lake says."""

import shutil
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from filelock import FileLock

from features.errors import BadInput, BadSetting, NotFound, StateError
from features.lake import Appended, Lake
from features.tables import CUSTOMER, ENTITY, FX_RATE, INVOICE, Column, Kind, Table

T0 = datetime(2024, 1, 1, tzinfo=UTC)


def day(n: int) -> datetime:
    """The start of day `n`."""
    return T0 + timedelta(days=n)


def facts(*told: tuple[str, int, str], deleted: bool = False, entity: str = "US01") -> pl.DataFrame:
    """Customers as (customer_id, day known, content): the content is both the name and the digest."""
    rows = [
        {
            "entity_id": entity,
            "source": "erp",
            "source_id": customer,
            "known_at": day(known),
            "digest": content,
            "deleted": deleted,
            "customer_id": customer,
            "name": content,
        }
        for customer, known, content in told
    ]
    return pl.DataFrame(rows, schema=CUSTOMER.schema)


def told(frame: pl.LazyFrame) -> list[tuple[str, int, str]]:
    """The reverse of `facts`, in the order of the frame."""
    rows = frame.select("customer_id", "known_at", "name").collect().rows()
    return [(customer, (known - T0).days, content) for customer, known, content in rows]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_table_nothing_landed_in_is_empty(lake: Lake) -> None:
    assert lake.versions(INVOICE).collect().equals(pl.DataFrame(schema=INVOICE.schema))
    assert dict(lake.known(INVOICE, T0).collect_schema()) == INVOICE.schema
    assert lake.table_versions() == {}
    assert lake.append(INVOICE, pl.DataFrame(schema=INVOICE.schema)) == Appended(0, 0)
    assert lake.table_versions() == {}


def test_rows_come_back_as_they_were_given(lake: Lake) -> None:
    system = {"entity_id": "US01", "source": "erp", "source_id": "1", "digest": "d", "deleted": False}
    instant = datetime(2024, 3, 1, 9, 30, 0, 123_000, tzinfo=UTC)
    invoice = system | {
        "known_at": instant,
        "invoice_id": "I1",
        "customer_id": "C1",
        "issue_date": instant.date(),
        "currency": "USD",
        "amount_minor": -(2**62),
        "instalments": [{"number": n, "due_date": instant.date(), "amount_minor": n} for n in (1, 2)],
    }
    rate = system | {
        "known_at": instant,
        "fx_rate_id": "a",
        "currency": "USD",
        "to_currency": "EUR",
        "day": instant.date(),
        "rate": Decimal("0.123456789"),
    }
    for table, row in ((INVOICE, invoice), (FX_RATE, rate)):
        given = pl.DataFrame([row], schema=table.schema)
        lake.append(table, given.select(*reversed(given.columns)))
        read = lake.versions(table).collect()
        assert read.equals(given)
        assert dict(read.schema) == table.schema


def test_the_same_rows_again_add_nothing(lake: Lake) -> None:
    rows = facts(("C1", 1, "A"), ("C2", 1, "A"))
    assert lake.append(CUSTOMER, rows) == Appended(2, 0)
    before = lake.table_versions()
    assert lake.append(CUSTOMER, rows) == Appended(0, 2)
    assert lake.append(CUSTOMER, facts(("C1", 5, "A"))) == Appended(0, 1)
    assert lake.table_versions() == before


def test_repetitions_within_a_batch_land_once(lake: Lake) -> None:
    assert lake.append(CUSTOMER, facts(("C1", 1, "A"), ("C1", 1, "A"), ("C1", 2, "A"))) == Appended(1, 2)
    assert told(lake.versions(CUSTOMER)) == [("C1", 1, "A")]


def test_a_content_that_returns_is_a_new_version(lake: Lake) -> None:
    for row in (("C1", 1, "A"), ("C1", 2, "B"), ("C1", 3, "A")):
        assert lake.append(CUSTOMER, facts(row)) == Appended(1, 0)
    assert told(lake.versions(CUSTOMER)) == [("C1", 1, "A"), ("C1", 2, "B"), ("C1", 3, "A")]
    assert told(lake.known(CUSTOMER, day(9))) == [("C1", 3, "A")]


def test_the_order_within_a_batch_does_not_matter(lake: Lake) -> None:
    batch = facts(("C1", 3, "A"), ("C1", 1, "A"), ("C1", 2, "B"), ("C1", 4, "A"))
    assert lake.append(CUSTOMER, batch) == Appended(3, 1)
    assert told(lake.versions(CUSTOMER)) == [("C1", 1, "A"), ("C1", 2, "B"), ("C1", 3, "A")]


def test_a_version_that_arrives_late_lands_where_it_belongs(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 3, "C")))
    assert lake.append(CUSTOMER, facts(("C1", 1, "A"))) == Appended(1, 0)
    assert lake.append(CUSTOMER, facts(("C1", 2, "A"), ("C1", 4, "C"))) == Appended(0, 2)
    assert told(lake.known(CUSTOMER, day(3))) == [("C1", 1, "A")]
    assert told(lake.known(CUSTOMER, day(4))) == [("C1", 3, "C")]


def test_of_two_versions_of_one_instant_the_last_landed_holds(lake: Lake) -> None:
    for content in "ABA":
        assert lake.append(CUSTOMER, facts(("C1", 1, content))) == Appended(1, 0)
        assert lake.append(CUSTOMER, facts(("C1", 1, content))) == Appended(0, 1)
        assert told(lake.known(CUSTOMER, day(2))) == [("C1", 1, content)]
    assert told(lake.versions(CUSTOMER)) == [("C1", 1, "A"), ("C1", 1, "B"), ("C1", 1, "A")]


def test_books_are_never_mixed(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    assert lake.append(CUSTOMER, facts(("C1", 1, "A"), entity="DE01")) == Appended(1, 0)
    assert lake.known(CUSTOMER, day(2)).collect().height == 2


def test_an_entity_is_its_own_key(lake: Lake) -> None:
    row = {"source": "erp", "source_id": "1", "deleted": False, "currency": "USD", "time_zone": "UTC"}
    versions = [
        row | {"entity_id": "US01", "known_at": day(n), "digest": name, "name": name}
        for n, name in [(1, "A"), (2, "B")]
    ]
    lake.append(ENTITY, pl.DataFrame(versions, schema=ENTITY.schema))
    assert lake.known(ENTITY, day(3)).collect()["name"].to_list() == ["B"]


def test_known_is_strictly_before(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A"), ("C1", 2, "B")))
    a_millisecond = timedelta(milliseconds=1)
    assert told(lake.known(CUSTOMER, day(1))) == []
    assert told(lake.known(CUSTOMER, day(2))) == [("C1", 1, "A")]
    assert told(lake.known(CUSTOMER, day(2) + a_millisecond)) == [("C1", 2, "B")]
    assert told(lake.versions(CUSTOMER, before=day(2))) == [("C1", 1, "A")]


def test_an_instant_may_be_given_in_any_zone(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    at_six = day(1).astimezone(timezone(timedelta(hours=6)))
    assert told(lake.known(CUSTOMER, at_six)) == []
    assert told(lake.known(CUSTOMER, at_six + timedelta(minutes=1))) == [("C1", 1, "A")]


def test_what_is_deleted_is_not_known_until_it_returns(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A"), ("C2", 1, "A")))
    lake.append(CUSTOMER, facts(("C1", 2, "gone"), deleted=True))
    lake.append(CUSTOMER, facts(("C1", 3, "A")))
    assert told(lake.known(CUSTOMER, day(2))) == [("C1", 1, "A"), ("C2", 1, "A")]
    assert told(lake.known(CUSTOMER, day(3))) == [("C2", 1, "A")]
    assert sorted(told(lake.known(CUSTOMER, day(4)))) == [("C1", 3, "A"), ("C2", 1, "A")]
    assert lake.versions(CUSTOMER).collect()["deleted"].to_list().count(True) == 1


def test_a_filter_on_what_is_known_never_brings_back_an_older_version(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A"), ("C1", 2, "B"), ("C2", 1, "A")))
    known = lake.known(CUSTOMER, day(9))
    for engine in ("in-memory", "streaming"):
        assert known.filter(pl.col("name") == "A").collect(engine=engine)["customer_id"].to_list() == ["C2"]


def test_filters_and_projections_reach_the_files(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    plan = lake.versions(CUSTOMER, before=day(2)).filter(pl.col("customer_id") == "C1").select("name").explain()
    scan = plan[plan.index("Parquet SCAN") :]
    assert "PROJECT 4/" in scan
    assert 'col("known_at") <' in scan
    assert 'col("customer_id") ==' in scan


def test_older_delta_versions_stay_readable(lake: Lake) -> None:
    seen = {}
    for n, content in enumerate("ABC"):
        lake.append(CUSTOMER, facts(("C1", n, content)))
        seen[lake.table_versions()["customer"]] = told(lake.versions(CUSTOMER))
    assert [len(rows) for rows in seen.values()] == [1, 2, 3]
    for at, rows in seen.items():
        assert told(lake.versions(CUSTOMER, at=at)) == rows
        assert told(lake.known(CUSTOMER, day(9), at=at)) == rows[-1:]


@pytest.mark.parametrize("at", [-1, 99])
def test_a_version_that_never_was_is_not_found(lake: Lake, at: int) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    with pytest.raises(NotFound, match=rf"customer has no version {at}; there are 0 to 1"):
        lake.versions(CUSTOMER, at=at)
    with pytest.raises(NotFound, match=rf"invoice has no version {at}; nothing landed in it yet"):
        lake.versions(INVOICE, at=at)


def test_compacting_changes_files_and_nothing_else(lake: Lake, tmp_path: Path) -> None:
    for n in range(5):
        lake.append(CUSTOMER, facts((f"C{n % 2}", n, f"{n}")))
    rows, at = told(lake.versions(CUSTOMER)), lake.table_versions()["customer"]
    assert lake.compact(CUSTOMER) == 0  # too few to be worth it
    assert lake.compact(CUSTOMER, at_least=5) == 5
    assert len(DeltaTable(tmp_path / "lake/customer").file_uris()) == 1
    assert told(lake.versions(CUSTOMER)) == told(lake.versions(CUSTOMER, at=at)) == rows
    assert lake.append(CUSTOMER, facts(("C0", 4, "4"), ("C1", 9, "9"))) == Appended(1, 1)
    assert lake.compact(INVOICE) == 0


def test_other_tools_may_not_change_what_landed(lake: Lake, tmp_path: Path) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    with pytest.raises(DeltaError, match="append-only"):
        DeltaTable(tmp_path / "lake/customer").delete()


def test_a_column_declared_later_is_null_before(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    columns = (*CUSTOMER.own_columns, Column("rating", Kind.COUNT, "added later", optional=True))
    wider = Table(CUSTOMER.name, CUSTOMER.doc, CUSTOMER.id_column, None, columns)
    assert lake.known(wider, day(9)).collect()["rating"].to_list() == [None]
    assert lake.append(wider, facts(("C2", 2, "B")).with_columns(pl.lit(7, pl.Int64).alias("rating"))) == Appended(1, 0)
    assert lake.known(wider, day(9)).collect()["rating"].to_list() == [None, 7]
    assert dict(lake.known(CUSTOMER, day(9)).collect_schema()) == CUSTOMER.schema


@pytest.mark.parametrize("as_url", [True, False])
def test_a_root_may_be_text_or_a_file_url(tmp_path: Path, as_url: bool) -> None:
    root = tmp_path / "a lake, für #1?"
    lake = Lake(root.as_uri() if as_url else str(root))
    assert lake.append(CUSTOMER, facts(("C1", 1, "A"))) == Appended(1, 0)
    assert told(Lake(root).known(CUSTOMER, day(2))) == [("C1", 1, "A")]


@pytest.mark.parametrize("name", ["a[1]", "a|b", "a^b", "100%20", "a\\b"])
def test_a_folder_the_library_cannot_take_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match="allowed: a path without any of"):
        Lake(tmp_path / name)


def test_wrong_columns_are_a_mistake_of_ours(lake: Lake) -> None:
    rows = facts(("C1", 1, "A"))
    with pytest.raises(TypeError, match=r"lake table customer .* name is missing"):
        lake.append(CUSTOMER, rows.drop("name"))
    with pytest.raises(TypeError, match="known_at is Datetime"):
        lake.append(CUSTOMER, rows.with_columns(pl.col("known_at").cast(pl.Datetime("us", "UTC"))))
    assert lake.table_versions() == {}


@pytest.mark.parametrize("column", ["entity_id", "customer_id", "known_at", "digest", "deleted"])
def test_rows_without_identity_are_refused_whole(lake: Lake, column: str) -> None:
    hole = facts(("C2", 1, "A")).with_columns(pl.lit(None, CUSTOMER.schema[column]).alias(column))
    with pytest.raises(BadInput, match=f"customer lack {column}"):
        lake.append(CUSTOMER, pl.concat([facts(("C1", 1, "A")), hole]))
    assert lake.table_versions() == {}


def test_a_batch_that_contradicts_itself_is_refused_whole(lake: Lake) -> None:
    lake.append(CUSTOMER, facts(("C0", 1, "A")))
    with pytest.raises(BadInput, match=r"customer contradict each other.*'C1'"):
        lake.append(CUSTOMER, facts(("C1", 1, "A"), ("C2", 1, "A"), ("C1", 1, "B")))
    assert told(lake.versions(CUSTOMER)) == [("C0", 1, "A")]


def test_an_instant_without_a_zone_is_refused(lake: Lake) -> None:
    with pytest.raises(BadInput, match="has no time zone"):
        lake.known(CUSTOMER, datetime(2024, 1, 1))  # noqa: DTZ001 - the point of the test


def data_file(folder: Path) -> Path:
    return sorted((folder / "customer").glob("*.parquet"))[0]


def damage_log(folder: Path) -> None:
    (folder / "customer/_delta_log/00000000000000000001.json").write_text("{nonsense")


def damage_gap(folder: Path) -> None:
    (folder / "customer/_delta_log/00000000000000000001.json").unlink()


def damage_lost_log(folder: Path) -> None:
    shutil.rmtree(folder / "customer/_delta_log")


def damage_lost_file(folder: Path) -> None:
    data_file(folder).unlink()


def damage_cut_file(folder: Path) -> None:
    file = data_file(folder)
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [damage_log, damage_gap, damage_lost_log, damage_lost_file, damage_cut_file])
def test_a_damaged_table_is_named_and_never_read_or_written(tmp_path: Path, damage: object) -> None:
    lake = Lake(tmp_path)
    for n in range(3):
        lake.append(CUSTOMER, facts(("C1", n, str(n))))
    assert callable(damage)
    damage(tmp_path)
    for attempt in (
        lambda: lake.versions(CUSTOMER),
        lambda: lake.known(CUSTOMER, day(9)),
        lambda: lake.append(CUSTOMER, facts(("C2", 1, "A"))),
        lake.table_versions,
    ):
        with pytest.raises(StateError, match=r"lake table customer at .* is damaged or out of reach: .*; check"):
            attempt()


def test_a_writer_that_never_ends_is_reported(tmp_path: Path) -> None:
    lake = Lake(tmp_path, patience_seconds=0.1)
    lake.append(CUSTOMER, facts(("C1", 1, "A")))
    with FileLock(tmp_path / ".writer.lock"), pytest.raises(StateError, match=r"another process .* writing for 0\.1 s"):
        lake.append(CUSTOMER, facts(("C2", 1, "A")))


def test_a_root_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        Lake(tmp_path / "lake").append(CUSTOMER, facts(("C1", 1, "A")))
