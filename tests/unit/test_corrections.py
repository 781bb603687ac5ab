"""What the history of corrections promises, on SQLite always and on PostgreSQL where the machine has one."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from features.errors import BadInput, BadSetting
from pipelines.corrections.edits import approval_fields, changed_amounts, edited, read_payload
from pipelines.order_payloads import message_payload
from pipelines.orders import OrderLine, WonOrder
from services.corrections import Action, Corrections, Entry, State, ingest_case_id, same_person, standing
from services.database import Database
from services.settings import read_settings
from services.state_tables import correction

NOW = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
CASE = "0123456789ab"
NOTHING: frozenset[str] = frozenset()


def act(action: Action, who: str = "ada", payload: dict | None = None, why: str = "because") -> Entry:
    return Entry(action, NOW, who, why, payload)


EDIT, APPROVE, REPLAY, DISCARD = Action.EDIT, Action.APPROVE, Action.REPLAY, Action.DISCARD


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def kept(database: Database) -> Corrections:
    return Corrections(database)


def test_the_history_is_kept_in_order_with_payloads(kept: Corrections) -> None:
    first, second = act(EDIT, payload={"amount": "1.00", "n": 2}), act(APPROVE, "grace", why="")
    kept.add(CASE, first, seen=0)
    kept.add(CASE, second, seen=1)
    kept.add("another", act(DISCARD), seen=0)
    assert kept.history(CASE) == (first, second)
    assert kept.histories() == {CASE: (first, second), "another": (act(DISCARD),)}


def test_who_looked_at_it_earlier_is_told_who_was_faster(kept: Corrections) -> None:
    kept.add(CASE, act(EDIT, "grace", {"a": 1}), seen=0)
    with pytest.raises(BadInput, match=r"grace was faster \(edit, 2024-03-01 09:30:00 UTC\); look at it again"):
        kept.add(CASE, act(DISCARD), seen=0)
    with pytest.raises(BadInput, match="has 1 entries in its history, not 2"):
        kept.add(CASE, act(DISCARD), seen=2)
    assert len(kept.history(CASE)) == 1


def test_of_many_at_once_one_wins(kept: Corrections, database: Database) -> None:
    failed: list[str] = []

    def discard(who: str) -> None:
        try:
            kept.add(CASE, act(DISCARD, who), seen=0)
        except BadInput as error:
            failed.append(str(error))

    threads = [threading.Thread(target=discard, args=(f"person {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 7
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(correction)).scalar() == 1


def test_what_goes_with_an_entry_fails_with_it(kept: Corrections) -> None:
    def fail(_: object) -> None:
        raise BadInput("no")

    with pytest.raises(BadInput, match="no"):
        kept.add(CASE, act(DISCARD), seen=0, also=fail)
    assert kept.history(CASE) == ()


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("who", ["", "  ", "\u200b"])
def test_everybody_has_a_name(kept: Corrections, action: Action, who: str) -> None:
    with pytest.raises(BadInput, match="nobody is named; allowed: --who NAME, or DUECAST_USER"):
        kept.add(CASE, act(action, who), seen=0)


@pytest.mark.parametrize("action", [EDIT, DISCARD])
def test_an_edit_and_a_discard_say_why(kept: Corrections, action: Action) -> None:
    with pytest.raises(BadInput, match="the reason is missing; allowed: --why TEXT"):
        kept.add(CASE, act(action, why=" \t"), seen=0)


def test_names_and_reasons_are_bounded(kept: Corrections) -> None:
    with pytest.raises(BadInput, match="at most 1000 characters"):
        kept.add(CASE, act(EDIT, why="x" * 1001), seen=0)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([], State.WAITING),
        ([act(EDIT, "ada", {})], State.EDITED),
        ([act(EDIT, "ada", {}), act(APPROVE, "grace")], State.APPROVED),
        ([act(EDIT, "ada", {}), act(APPROVE, " ADA")], State.EDITED),
        ([act(EDIT, "ada", {}), act(EDIT, "bob", {}), act(APPROVE, "ada")], State.EDITED),
        ([act(EDIT, "ada", {}), act(APPROVE, "grace"), act(EDIT, "ada", {})], State.EDITED),
        ([act(APPROVE, "grace")], State.WAITING),
        ([act(EDIT, "ada", {}), act(REPLAY, "ada")], State.REPLAYED),
        ([act(DISCARD)], State.DISCARDED),
    ],
)
def test_the_state_is_the_fold_of_the_history(told: list[Entry], state: State) -> None:
    assert standing(told).state is state


@pytest.mark.parametrize("other", ["ADA LOVELACE", "Ada  Lovelace ", "Ada\u00a0Lovelace", "Ａda Love\u200blace"])
def test_spellings_of_one_person(other: str) -> None:
    assert same_person(other) == same_person("Ada Lovelace") != same_person("Adam Lovelace")


def test_a_case_is_known_by_source_and_payload() -> None:
    assert len({ingest_case_id(s, p) for s in "ab" for p in "xy"}) == 4
    assert ingest_case_id("erp", "{}") == "bbe367046676"


# what an edit may change

ORDER = {
    "total": "120.00",
    "paid": False,
    "note": None,
    "count": 2,
    "odd.name": "x",
    "lines": [{"quantity": 1, "text": "a"}, {"quantity": 2, "text": "b"}],
}


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ("total=7", ["total"], "7"),
        ("total==7", ["total"], "=7"),
        ("count=3", ["count"], 3),
        ("count=3.5", ["count"], 3.5),
        ("paid=true", ["paid"], True),
        ("note=late", ["note"], "late"),
        ("note:=[1]", ["note"], [1]),
        ("total:=null", ["total"], None),
        ("odd.name=y", ["odd.name"], "y"),
        ("lines.1.quantity=5", ["lines", 1, "quantity"], 5),
        ("extra=new", ["extra"], "new"),
    ],
)
def test_a_change_keeps_the_type(change: str, path: list, value: object) -> None:
    new: object = edited(ORDER, [change], frozenset({"extra"}))
    for part in path:
        new = new[part]  # type: ignore[index]
    assert new == value
    assert type(new) is type(value)
    assert ORDER["lines"][1] == {"quantity": 2, "text": "b"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("totl=1", "no field 'totl'; there are: count, lines, .*; did you mean 'total'?"),
        ("lines.2.quantity=1", "no field 'lines.2.quantity'"),
        ("lines.-1.quantity=1", "no field"),
        ("lines.0.colour=red", "no field 'lines.0.colour'"),
        ("total.x=1", "no field"),
        ("total:=7", "field total is a number; allowed: text, as it was, or null"),
        ("count=many", "field count is no JSON"),
        ("count=true", "field count is true or false; allowed: a number"),
        ("count=NaN", "field count is no JSON"),
        ("count=1e400", "field count is no JSON"),
        ("paid=1", "field paid is a number; allowed: true or false"),
        ('lines=[{"price": 1}]', "no field 'lines.0.price'"),
        ("total", "changes nothing; allowed: field=value, or field:=JSON"),
        ("=1", "changes nothing"),
        (":=1", "changes nothing"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(change: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        edited(ORDER, [change], NOTHING)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "holds no JSON object"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"totl": "1"}', "no field 'totl'"),
        ('{"total": 1}', "field total is a number"),
        ('{"total": "' + "1" * 1_000_000 + '"}', "larger than 1,000,000 bytes"),
    ],
)
def test_a_payload_file_that_cannot_be_used_is_refused(tmp_path, text: str, said: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(BadInput, match=said):
        read_payload(tmp_path / "p.json", ORDER, NOTHING)


@pytest.mark.parametrize(
    ("new", "changed"),
    [
        ({}, []),
        ({"note": "x"}, []),
        ({"total": "120.01"}, ["total"]),
        ({"total": None}, ["total"]),
        ({"total": 120}, ["total"]),
        ({"lines": [{"quantity": 1, "text": "z"}, {"quantity": 2, "text": "b"}]}, []),
        ({"lines": [{"quantity": 1, "text": "a"}]}, ["lines.1.quantity"]),
        ({"Tax": "1"}, ["Tax"]),
    ],
)
def test_what_counts_as_a_changed_amount(new: dict, changed: list[str]) -> None:
    assert changed_amounts(ORDER, ORDER | new, approval_fields("amounts")) == changed


CASH = {
    "erp_reference": "r1",
    "customer_id": "C1",
    "date": "2024-03-01",
    "currency": "EUR",
    "amount": "30.00",
    "allocations": [{"invoice_id": "I1", "amount": "10.00"}, {"invoice_id": "I2", "amount": "20.00"}],
}


def won() -> dict:
    line = OrderLine("A", "a", Decimal(3), Decimal("10.00"), Decimal("0.19"))
    figures = {"net": Decimal("30.00"), "tax": Decimal("5.70"), "total": Decimal("35.70")}
    names = {"order_id": "o", "entity_id": "DE", "customer_id": "c", "customer_name": "n", "reference": None}
    told = {"currency": "EUR", "order_date": NOW.date(), "lines": (line, line), "changed_at": NOW, "place": "deal"}
    return message_payload(WonOrder(**(figures | names | told)))  # type: ignore[arg-type]


def figures(value: object, path: tuple = ()) -> list[tuple]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    number = isinstance(value, str) and value.replace(".", "").isdigit()
    return [(*path, value)] if number else [found for name, part in inside for found in figures(part, (*path, name))]


@pytest.mark.parametrize(("payload", "count"), [(won(), 9), (CASH, 3)], ids=["order", "cash"])
def test_every_figure_of_a_message_needs_a_second_person(payload: dict, count: int) -> None:
    found = figures(payload)
    assert len(found) == count
    for *path, value in found:
        name = ".".join(map(str, path))
        new = edited(payload, [f"{name}={value}1"], NOTHING)
        assert changed_amounts(payload, new, approval_fields("amounts")) == [name]


def test_the_fields_that_need_approval_can_be_set() -> None:
    amounts = approval_fields("amounts")
    assert {"amount", "paid", "instalments", "credit_limit", "currency", "opening", "quantity", "total"} <= amounts
    assert {"id", "company", "deleted"} <= amounts
    assert "invoice_id" not in amounts
    assert approval_fields("none") == NOTHING
    assert approval_fields("iban,amount") == {"iban", "amount"}


def test_the_settings_of_the_desk() -> None:
    told = read_settings({"DUECAST_USER": " Ada ", "DUECAST_APPROVAL_FIELDS": "iban, amount,iban"})
    assert (told.user, told.approval_fields) == ("Ada", "iban,amount")
    assert (read_settings({}).user, read_settings({}).approval_fields) == ("", "amounts")
    for text in ("", "a,,b", "none,amount"):
        with pytest.raises(BadSetting, match="DUECAST_APPROVAL_FIELDS is"):
            read_settings({"DUECAST_APPROVAL_FIELDS": text})


def test_entries_keep_their_instants(kept: Corrections) -> None:
    later = Entry(EDIT, NOW + timedelta(microseconds=7), "ada", "why", {})
    kept.add(CASE, later, seen=0)
    assert kept.history(CASE)[0].at == NOW + timedelta(microseconds=7)
