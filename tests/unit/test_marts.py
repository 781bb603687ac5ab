"""The star: keys that fit, sums that are the KPIs', files that DuckDB opens, and tables that psql reads."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from sqlalchemy import Connection, create_engine, text

from features.book import Book
from features.errors import BadInput, BadSetting, SourceError, SourceRefused, StateError
from features.facts import Facts
from features.kpis.ageing import ageing
from features.kpis.catalogue import KPIS
from features.kpis.engine import collection_kpis
from features.lake import Lake
from features.tables import TABLES
from models.champion import ModelVersion
from pipelines.cli import run
from pipelines.marts import files, postgresql
from pipelines.marts.build import Marts, marts
from pipelines.marts.catalogue import MARTS
from pipelines.marts.export import hindsight
from pipelines.marts.export import star as star_of
from pipelines.marts.files import write_folder
from pipelines.marts.keys import surrogate, with_key
from pipelines.marts.postgresql import write_postgresql
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.schemas import Prediction

TODAY = date(2026, 1, 5)
STAR_JOIN = """
    SELECT e.entity_id, r.currency, r.bucket, CAST(sum(r.open_minor) AS BIGINT), sum(r.open)
    FROM {0}fact_receivable r
    JOIN {0}dim_entity e ON r.entity_key = e.entity_key
    JOIN {0}dim_customer c ON r.customer_key = c.customer_key AND c.entity_key = e.entity_key
    JOIN {0}dim_date d ON r.due_date_key = d.date_key
    JOIN {0}dim_currency y ON r.currency = y.currency
    GROUP BY ALL ORDER BY ALL"""


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(Facts.of(simulate(WorldOptions(seed=11, customers=40, years=1)).facts))


@pytest.fixture(scope="module")
def star(book: Book) -> Marts:
    return marts(book, TODAY)


def aged(book: Book) -> list[tuple[str, str, str, int]]:
    rows = ageing(book, TODAY).filter(pl.col("receivables") > 0)
    return sorted(rows.select("entity_id", "currency", "bucket", "open_minor").iter_rows())


def test_every_mart_keeps_its_schema_and_every_key_points_somewhere(star: Marts) -> None:
    keys = {mart.name: set(star[mart.name][mart.key]) for mart in MARTS}
    for mart in MARTS:
        rows = star[mart.name]
        assert dict(rows.schema) == mart.schema
        assert rows[mart.key].n_unique() == rows.height, mart.name
        assert all(column.optional or not rows[column.name].has_nulls() for column in mart.columns), mart.name
        for column in mart.references:
            assert set(rows[column.name].drop_nulls()) <= keys[str(column.to)], (mart.name, column.name)
    assert not star["fact_receivable"].is_empty()
    assert not star["fact_kpi"].is_empty()


def test_amounts_are_the_minor_units_in_major_ones(star: Marts) -> None:
    digits = dict(star["dim_currency"].iter_rows())
    for mart in MARTS:
        pairs = [c.name for c in mart.columns if f"{c.name}_minor" in mart.schema and c.name != "value"]
        for name in pairs:
            for minor, amount, currency in star[mart.name].select(f"{name}_minor", name, "currency").iter_rows():
                assert (amount is None) == (minor is None)
                assert amount is None or amount == Decimal(minor).scaleb(-digits[currency])


def prediction(row: dict[str, Any]) -> Prediction:
    copied = ("entity_id", "customer_id", "invoice_id", "instalment", "currency", "due_date", "cutoff", "cutoff_day")
    return Prediction(
        **{name: row[name] for name in copied},
        prediction_id="-".join(str(row[name]) for name in ("entity_id", "invoice_id", "instalment")),
        feature_digest="0",
        amount="1",
        availability="full",
        availability_reason=None,
        expected_date=row["due_date"],
        p10=row["due_date"],
        p50=None,
        p90=None,
        p_late=0.25,
        p_beyond=0.0,
        ageing={},
        paid_by={},
        typical_date=None,
        reasons=(),
    )


def version(learnt_before: datetime | None, until: date = TODAY) -> ModelVersion:
    return ModelVersion(
        name="payment-date",
        version=3,
        run_id="r",
        folder="f",
        files={},
        data_window=(date(2024, 1, 1), until),
        lake_versions={},
        learnt_before=learnt_before,
    )


def predicted(book: Book, model: ModelVersion, day: date = TODAY) -> Marts:
    subjects = pl.concat([book.open_receivables(book.day_start(day, e), e) for e in book.zones["entity_id"]])
    return marts(book, day, [prediction(row) for row in subjects.iter_rows(named=True)], model)


def test_a_prediction_says_which_model_made_it_and_whether_that_saw_what_came_after(book: Book) -> None:
    last = max(book.day_start(TODAY, e) for e in book.zones["entity_id"])
    (clean,) = [predicted(book, version(min(book.day_start(TODAY, e) for e in book.zones["entity_id"])))]
    assert clean["fact_prediction"]["model_saw_later"].unique().to_list() == [False]
    assert list(hindsight(clean)) == []
    late = last + timedelta(milliseconds=1)
    knowing = predicted(book, version(late))
    assert knowing["fact_prediction"]["model_saw_later"].unique().to_list() == [True]
    assert knowing["fact_prediction"]["model_learnt_before"].unique().to_list() == [late]
    (words,) = hindsight(knowing)
    assert words.startswith("payment-date/3 learnt until 2026-01-05")
    assert "no fair forecast" in words


def test_a_model_that_does_not_say_until_when_it_learnt_is_judged_by_its_data_as_far_as_that_goes(book: Book) -> None:
    later = predicted(book, version(None, until=TODAY))
    assert later["fact_prediction"]["model_saw_later"].unique().to_list() == [True]
    assert "learnt from later days" in next(iter(hindsight(later)))
    earlier = predicted(book, version(None, until=TODAY - timedelta(days=1)))
    assert earlier["fact_prediction"]["model_saw_later"].unique().to_list() == [None]
    assert "does not say until when it learnt" in next(iter(hindsight(earlier)))


def test_predictions_point_to_the_receivables_that_they_are_about(book: Book) -> None:
    subjects = pl.concat([book.open_receivables(book.day_start(TODAY, e), e) for e in book.zones["entity_id"]])
    told = predicted(book, version(None))
    rows = told["fact_prediction"]
    assert rows.height == subjects.height
    assert rows["model"].unique().to_list() == ["payment-date/3"]
    joined = rows.join(told["fact_receivable"], on="receivable_key", how="inner", suffix="_owed")
    assert joined.height == subjects.height
    assert joined.filter(pl.col("expected_date_key") != pl.col("due_date_key")).is_empty()
    assert set(rows["expected_date_key"]) <= set(told["dim_date"]["date_key"])


def test_an_empty_world_has_an_empty_star(drawn_facts: Callable[..., Facts]) -> None:
    empty = marts(Book(drawn_facts(invoice="known_at | owed\n 1 | 5:100")), date(2023, 6, 1))
    assert {name: rows.height for name, rows in empty.items() if rows.height} == {"dim_entity": 1, "dim_currency": 1}


def test_keys_are_the_same_in_every_export_and_never_two_alike() -> None:
    assert surrogate("DE01") == 7553241882954515751
    rows = pl.DataFrame({"a": ["x", "x", None], "b": ["1", "2", "3"]})
    assert with_key(rows, "k", ("a", "b"))["k"].n_unique() == 3
    assert with_key(rows, "k", ("a", "b"))["k"].null_count() == 1


def test_a_key_that_two_rows_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.marts.keys.surrogate", lambda _text: 1)
    with pytest.raises(StateError, match="come to the same k"):
        with_key(pl.DataFrame({"a": ["x", "y"]}), "k", ("a",))


def test_what_is_learnt_later_is_in_no_mart_of_an_older_day(book: Book) -> None:
    day = date(2025, 7, 1)
    known = Book(book.facts.before(max(book.day_start(day, e) for e in book.zones["entity_id"])))
    now, then = marts(book, day), marts(known, day)
    assert all(now[name].equals(then[name]) for name in now)
    assert now["fact_invoice"].height < marts(book, TODAY)["fact_invoice"].height


def test_parquet_opens_in_duckdb_and_its_star_join_sums_to_the_ageing(book: Book, star: Marts, tmp_path: Path) -> None:
    write_folder(star, tmp_path / "star", "parquet")
    with duckdb.connect() as connection:
        for mart in MARTS:
            connection.execute(f"CREATE VIEW {mart.name} AS FROM read_parquet('{tmp_path}/star/{mart.name}.parquet')")
        told = connection.execute(STAR_JOIN.format("")).fetchall()
        values = connection.execute(
            "SELECT e.entity_id, k.currency, k.value_minor FROM fact_kpi k JOIN dim_entity e USING (entity_key)"
            " WHERE k.level = 'entity' AND k.kpi = 'ar' ORDER BY ALL"
        ).fetchall()
    assert [row[:4] for row in told] == aged(book)
    kpis = [r for r in collection_kpis(book, TODAY).rows if r.kpi == "ar"]
    assert values == sorted((r.entity_id, r.currency, r.minor) for r in kpis)
    digits = dict(star["dim_currency"].iter_rows())
    assert all(amount == Decimal(minor).scaleb(-digits[currency]) for _, currency, _, minor, amount in told)


def test_kpis_are_told_by_collector_and_over_all_currencies_where_asked(book: Book, star: Marts) -> None:
    assert set(star["fact_kpi"]["level"]) == {"entity", "segment", "collector", "customer"}
    assert not star["fact_kpi"]["converted"].any()
    told = marts(book, TODAY, group_currency="EUR")["fact_kpi"]
    own = told.filter(~pl.col("converted"))
    assert own.equals(star["fact_kpi"])  # also its keys: who asks for more loses no row
    rows = [r for r in collection_kpis(book, TODAY, by="collector", group_currency="EUR").rows if r.kpi == "ar"]
    ours = told.filter(pl.col("kpi") == "ar")
    for level, converted, of in (
        ("collector", False, [r for r in rows if not r.converted]),
        ("collector", True, [r for r in rows if r.converted and r.entity_id]),
        ("group", True, [r for r in rows if r.converted and not r.entity_id]),
    ):
        found = ours.filter(pl.col("level") == level, pl.col("converted") == converted)
        assert of
        assert sorted(found["value_minor"].to_list(), key=str) == sorted((r.minor for r in of), key=str)
    assert told.filter(pl.col("level") == "group")["entity_key"].null_count() == len(KPIS)
    with pytest.raises(BadInput):
        marts(book, TODAY, group_currency="XXX")


def test_facts_are_exported_where_no_prediction_can_be_made_and_it_is_said_why(
    drawn_facts: Callable[..., Facts], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, lake = drawn_facts(invoice="invoice_id | issue_date | owed\nI | 5 | 20:1000"), Lake(tmp_path / "lake")
    for table in TABLES:
        lake.append(table, facts.tables[table.name])
    mlruns, to = tmp_path / "mlruns", tmp_path / "star"
    mlruns.mkdir()
    (mlruns / "champion.json").write_text("{ not json")
    assert run(["export", "--to", str(to), "--lake", str(tmp_path / "lake"), "--mlruns", str(mlruns)]) == 0
    assert "No predictions:" in " ".join(capsys.readouterr().out.split())
    assert len(pl.read_parquet(to / "fact_receivable.parquet")) == 1
    assert pl.read_parquet(to / "fact_prediction.parquet").is_empty()
    built, why = star_of(Lake(tmp_path / "lake"), mlruns)
    assert "champion.json is damaged" in str(why)
    assert built["fact_prediction"].is_empty()
    (mlruns / "champion.json").unlink()
    assert star_of(Lake(tmp_path / "lake"), mlruns)[1] is None


def test_delta_tables_hold_the_same_rows(star: Marts, tmp_path: Path) -> None:
    write_folder(star, tmp_path / "star", "delta")
    for mart in MARTS:
        found = pl.read_delta(str(tmp_path / "star" / mart.name))
        assert found.cast(mart.schema).sort(mart.key).equals(star[mart.name]), mart.name


def test_a_second_export_replaces_the_first_as_a_whole(star: Marts, tmp_path: Path) -> None:
    write_folder(star, tmp_path / "star", "delta")
    write_folder(star, tmp_path / "star", "parquet")
    assert {p.suffix for p in (tmp_path / "star").iterdir()} == {".parquet", ""}
    assert [p.name for p in tmp_path.iterdir()] == ["star"]


def test_a_folder_with_something_else_in_it_is_left_alone(star: Marts, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadSetting, match="holds something else"):
        write_folder(star, tmp_path, "parquet")
    with pytest.raises(BadSetting, match="is a file"):
        write_folder(star, tmp_path / "mine.txt", "parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_what_fails_midway_leaves_the_old_files(star: Marts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(star, tmp_path / "star", "parquet")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write", full)
    with pytest.raises(StateError, match="No space left"):
        write_folder(star, tmp_path / "star", "delta")
    assert (tmp_path / "star" / "fact_kpi.parquet").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["star"]


def test_where_the_swap_itself_fails_the_old_star_goes_back(
    star: Marts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(star, tmp_path / "star", "parquet")
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if ".new-" in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(StateError, match="what was there before stays"):
        write_folder(star, tmp_path / "star", "delta")
    assert (tmp_path / "star" / "fact_kpi.parquet").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["star"]


def test_what_a_killed_export_left_is_cleared_and_a_lost_star_put_back(star: Marts, tmp_path: Path) -> None:
    write_folder(star, tmp_path / "star", "parquet")
    (tmp_path / "star").rename(tmp_path / ".star.old-abc")
    (tmp_path / ".star.new-abc").mkdir()
    write_folder(star, tmp_path / "star", "delta")
    assert [p.name for p in tmp_path.iterdir()] == ["star"]


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(postgresql: str, tmp_path: Path) -> str:
    """The URL of an empty database."""
    name = "m" + str(abs(hash(tmp_path)))
    admin = create_engine(postgresql.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return postgresql.format(name=name).replace("+psycopg", "")


@pytest.fixture
def ask(database: str) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"))

    def asked(words: str, *, rows: bool = True) -> list[tuple[object, ...]]:
        with engine.begin() as connection:
            done = connection.execute(text(words))
            return [tuple(row) for row in done] if rows else []

    yield asked
    engine.dispose()


Ask = Callable[..., list[tuple[object, ...]]]


def tables(ask: Ask) -> list[tuple[object, ...]]:
    return ask("SELECT tablename FROM pg_tables WHERE schemaname = 'duecast' ORDER BY 1")


def test_postgresql_has_the_star_with_keys_and_comments(book: Book, star: Marts, database: str, ask: Ask) -> None:
    write_postgresql(star, database)
    assert tables(ask) == sorted((mart.name,) for mart in MARTS)
    sql = STAR_JOIN.format("duecast.").replace("GROUP BY ALL ORDER BY ALL", "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
    assert sorted(row[:4] for row in ask(sql)) == aged(book)
    for mart in MARTS:
        columns = ", ".join(mart.schema)
        found = pl.DataFrame(
            ask(f"SELECT {columns} FROM duecast.{mart.name} ORDER BY {mart.key}"), orient="row", schema=mart.schema
        )
        assert found.equals(star[mart.name]), mart.name
        told = dict(
            ask(
                "SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a"
                f" WHERE a.attrelid = 'duecast.{mart.name}'::regclass AND a.attnum > 0"
            )
        )
        assert told == {c.name: c.doc for c in mart.columns}
    keys = dict(
        ask(
            "SELECT contype::text, count(*) FROM pg_constraint"
            " WHERE connamespace = 'duecast'::regnamespace AND contype IN ('p', 'f') GROUP BY 1"
        )
    )
    assert keys == {"p": len(MARTS), "f": sum(len(mart.references) for mart in MARTS)}


def test_psql_reads_it(star: Marts, database: str) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("no psql on this machine")
    write_postgresql(star, database)
    done = subprocess.run(
        [psql, "--no-psqlrc", "-At", "-c", "SELECT count(*) FROM duecast.fact_invoice", database],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert int(done.stdout) == star["fact_invoice"].height


def test_texts_come_through_as_they_are(star: Marts, database: str, ask: Ask) -> None:
    odd = ['a "quoted", text', "", "two\nlines", "\\.", "\\N", None, "100 % ünï"]
    customers = star["dim_customer"].with_columns(
        name=pl.Series(odd + ["x"] * (star["dim_customer"].height - len(odd)), dtype=pl.String)
    )
    write_postgresql({**star, "dim_customer": customers}, database)
    assert ask("SELECT name FROM duecast.dim_customer ORDER BY customer_key") == list(
        customers.select("name").iter_rows()
    )


def test_a_second_export_replaces_the_tables_and_keeps_their_readers(star: Marts, database: str, ask: Ask) -> None:
    write_postgresql(star, database)
    odd = '"the %s ""bi"""'
    for role in ('"the bi"', odd):
        ask(f"DO $$ BEGIN CREATE ROLE {role} ; EXCEPTION WHEN duplicate_object THEN NULL; END $$", rows=False)
        ask(f"GRANT USAGE ON SCHEMA duecast TO {role}", rows=False)
        ask(f"GRANT SELECT ON duecast.fact_kpi TO {role}", rows=False)
    ask("GRANT USAGE ON SCHEMA duecast TO PUBLIC", rows=False)
    ask("GRANT SELECT ON duecast.fact_invoice TO PUBLIC", rows=False)
    ask("DO $$ BEGIN CREATE ROLE narrow; EXCEPTION WHEN duplicate_object THEN NULL; END $$", rows=False)
    ask("GRANT SELECT (customer_key, segment) ON duecast.dim_customer TO narrow", rows=False)
    write_postgresql({**star, "fact_order": star["fact_order"].head(0)}, database)
    assert ask("SELECT count(*) FROM duecast.fact_order") == [(0,)]
    public = "SELECT count(*) FROM aclexplode(({})) g WHERE g.grantee = 0"
    assert ask(public.format("SELECT nspacl FROM pg_namespace WHERE nspname = 'duecast'")) == [(1,)]
    for name, count in (("fact_invoice", 1), ("fact_kpi", 0)):
        of = f"SELECT relacl FROM pg_class WHERE oid = 'duecast.{name}'::regclass"
        assert ask(public.format(of)) == [(count,)]
    assert ask(
        "SELECT has_table_privilege('the bi', 'duecast.fact_kpi', 'SELECT'),"
        " has_schema_privilege('the bi', 'duecast', 'USAGE')"
    ) == [(True, True)]
    of_columns = "SELECT has_column_privilege('narrow', 'duecast.dim_customer', '{}', 'SELECT')"
    assert [ask(of_columns.format(name)) for name in ("segment", "name")] == [[(True,)], [(False,)]]
    assert ask("""SELECT has_table_privilege('the %s "bi"', 'duecast.fact_kpi', 'SELECT')""") == [(True,)]
    assert ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'duecast%'") == [("duecast",)]


def test_views_of_somebodys_own_are_never_dropped(star: Marts, database: str, ask: Ask) -> None:
    write_postgresql(star, database)
    ask("CREATE VIEW public.mine AS SELECT * FROM duecast.fact_kpi", rows=False)
    with pytest.raises(SourceError, match="depend"):
        write_postgresql({**star, "fact_kpi": star["fact_kpi"].head(0)}, database)
    assert ask("SELECT count(*) FROM mine") == [(star["fact_kpi"].height,)]


def test_a_schema_that_no_export_made_is_left_alone(star: Marts, database: str, ask: Ask) -> None:
    ask("CREATE SCHEMA duecast", rows=False)
    with pytest.raises(BadSetting, match="no export made"):
        write_postgresql(star, database)
    assert tables(ask) == []


def test_what_dies_midway_leaves_the_old_tables(
    star: Marts, database: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_postgresql(star, database)

    def killed(connection: Connection, *_: object) -> None:
        connection.commit()  # the half that stands aside is really there
        raise KeyboardInterrupt

    monkeypatch.setattr(postgresql, "_copy", killed)
    with pytest.raises(KeyboardInterrupt):
        write_postgresql({name: rows.head(0) for name, rows in star.items()}, database)
    monkeypatch.undo()
    assert ask("SELECT count(*) FROM duecast.fact_kpi") == [(star["fact_kpi"].height,)]
    assert ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'duecast_loading'") == [(1,)]
    write_postgresql(star, database)
    assert ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'duecast_loading'") == [(0,)]


def test_a_connection_that_breaks_midway_is_said_and_the_old_tables_stand(
    star: Marts, database: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_postgresql(star, database)

    def cut(connection: Connection, *_: object) -> None:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(postgresql, "_copy", cut)
    with pytest.raises(SourceError, match="the tables that were there stand"):
        write_postgresql(star, database)
    assert ask("SELECT count(*) FROM duecast.fact_kpi") == [(star["fact_kpi"].height,)]


def test_tables_with_row_security_are_never_replaced_by_open_ones(star: Marts, database: str, ask: Ask) -> None:
    write_postgresql(star, database)
    ask("ALTER TABLE duecast.fact_kpi ENABLE ROW LEVEL SECURITY", rows=False)
    with pytest.raises(BadSetting, match=r"duecast.fact_kpi has row security.*allowed: tables without"):
        write_postgresql(star, database)
    assert ask("SELECT relrowsecurity FROM pg_class WHERE oid = 'duecast.fact_kpi'::regclass") == [(True,)]


def test_a_text_that_postgresql_cannot_hold_is_named_and_the_old_tables_stand(
    star: Marts, database: str, ask: Ask
) -> None:
    write_postgresql(star, database)
    odd = star["dim_customer"].with_columns(name=pl.lit("A\0B"))
    with pytest.raises(BadInput, match=r"dim_customer.name of customer_key \d+ is 'A\\x00B': PostgreSQL holds no NUL"):
        write_postgresql({**star, "dim_customer": odd}, database)
    assert tables(ask) == sorted((mart.name,) for mart in MARTS)


def test_readers_never_see_half(star: Marts, database: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every step of the second export, others see the whole first."""
    write_postgresql(star, database)
    copy, seen = postgresql._copy, []

    def watched(*given: object) -> None:
        copy(*given)  # type: ignore[arg-type]
        seen.append((len(tables(ask)), *ask("SELECT count(*) FROM duecast.fact_kpi")[0]))

    monkeypatch.setattr(postgresql, "_copy", watched)
    write_postgresql({**star, "fact_kpi": star["fact_kpi"].head(1)}, database)
    assert set(seen) == {(len(MARTS), star["fact_kpi"].height)}
    assert ask("SELECT count(*) FROM duecast.fact_kpi") == [(1,)]


def test_a_user_without_the_right_is_refused_by_name(star: Marts, database: str, ask: Ask) -> None:
    ask("DO $$ BEGIN CREATE ROLE lowly LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$", rows=False)
    with pytest.raises(SourceRefused, match=r"permission denied.*right to create a schema"):
        write_postgresql(star, database.replace("duecast@", "lowly@"))


def test_two_exports_at_once_do_not_mix(star: Marts, database: str) -> None:
    with postgresql.opened(database) as first:
        postgresql._lock(first)
        with pytest.raises(SourceError, match="another export"):
            write_postgresql(star, database)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:hidden@h/x", "is a mysql URL"),
        ("postgresql://me:hid@den@h/x", "%40"),
        ("postgresql://me:hidden@h:port/x", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said) as refused:
        write_postgresql({}, url)
    assert "hid" not in str(refused.value)


def test_a_database_out_of_reach_is_said_without_its_password() -> None:
    with pytest.raises(SourceError, match="Is it up") as refused:
        write_postgresql({}, "postgresql://me:hidden@127.0.0.1:1/x")
    assert "hidden" not in str(refused.value)


def test_without_the_driver_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr(postgresql, "create_engine", missing)
    with pytest.raises(BadSetting, match=r"pip install 'duecast\[postgresql\]'"):
        write_postgresql({}, "postgresql://me@h/x")
