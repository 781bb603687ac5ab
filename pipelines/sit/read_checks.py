"""Does what it serves come whole, in order, by its contract, and again when it changed?"""

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from features.money import exponents
from features.tables import Table
from pipelines.connectors.clocks import CLOCKS_DIFFER, clock_ahead, told_apart
from pipelines.connectors.source import Json
from pipelines.mapping_keys import From, Section
from pipelines.readings import columns_used
from pipelines.sit.check import Finding, failed, passed, skipped, verdict
from pipelines.sit.subject import OTHER_PAGE_SIZE, Key, Reading, Subject, Version
from pipelines.sit.trace import Exchange

_BAD_STATUS = 500
_BUSY = 429


def read_to_the_end(subject: Subject) -> Finding:
    """Every table, from its first page to its last, within the protocol."""
    reading, seen = subject.full
    return passed(f"{reading.records:,} records of {len(reading.latest)} tables in {len(seen):,} requests")


def steady(subject: Subject) -> Finding:
    """No request had to be repeated."""
    statuses = [call.status for call in subject.calls]
    silent = sum(status == 0 for status in statuses)
    broken = sum(status >= _BAD_STATUS for status in statuses)
    busy = sum(status == _BUSY for status in statuses)
    wrong = [
        *([f"{silent} without a whole answer (a time-out or a lost connection)"] if silent else []),
        *([f"{broken} with status 5xx"] if broken else []),
        *([f"{busy} with status 429: it asks for fewer requests"] if busy else []),
    ]
    if not statuses:
        return skipped("nothing was asked over HTTP")
    slowest = sorted(call.seconds for call in subject.calls)[math.ceil(len(statuses) * 0.95) - 1]
    told = f"of {len(statuses):,} requests"
    return failed(f"{told}: {', '.join(wrong)}") if wrong else passed(f"{told} each was answered; p95 {slowest:.3f} s")


def fields_there(subject: Subject) -> Finding:
    """Nothing that is read is missing in what comes."""
    reading, seen = subject.full
    missing = [f"{e.path}: {', '.join(e.page.absent)}" for e in seen if e.page is not None and e.page.absent]
    if subject.kind == "rest":
        with subject.source() as source:
            missing += [found for table in source.tables() for found in _missing(source.section(table), table, reading)]
    return verdict(list(dict.fromkeys(missing)), "every field that is asked for or read is there")


def _missing(section: Section, table: Table, reading: Reading) -> Iterator[str]:
    wanted = columns_used(section, From(column="company"))
    sample = reading.samples.get(table.name, [])
    lacking = sorted(name for name in wanted if any(_lacks(record, name) for record in sample))
    if lacking:
        yield f"{table.name}: {', '.join(lacking)}"


def _lacks(record: Json, name: str) -> bool:
    outer, _, inner = name.partition(".")
    if outer not in record:
        return True
    held = record[outer]
    return bool(inner) and isinstance(held, dict) and inner not in held


def pages_whole(subject: Subject) -> Finding:
    """Pages ascend, none comes twice, and other page sizes bring the same records."""
    wrong = list(dict.fromkeys([*_disorder(subject.full[1]), *_disorder(subject.otherwise[1])]))
    one, other = subject.full[0], subject.otherwise[0]
    for name, latest in one.latest.items():
        wrong += _apart(name, latest, other.latest.get(name, {}))
    pages = sum(e.page is not None for e in (*subject.full[1], *subject.otherwise[1]))
    return verdict(wrong, f"{one.records:,} records, the same by pages of {OTHER_PAGE_SIZE}; {pages:,} pages in order")


def _disorder(seen: Iterable[Exchange]) -> Iterator[str]:
    """What is wrong with the order of pages, listing by listing."""
    before: dict[str, set[str]] = {}
    last: dict[str, tuple[Any, ...]] = {}
    for exchange in seen:
        page, path = exchange.page, exchange.path
        if page is None or exchange.status != 200 or not page.rows:
            continue
        if not page.continued:
            before[path] = set()
            last.pop(path, None)
        if page.continued and set(page.rows) <= before.get(path, set()):
            yield f"{path}: a whole page came twice"
        elif len(set(page.rows)) * 2 <= len(page.rows):
            yield f"{path}: the rows of a page came twice"
        if not page.ascends or (page.last is not None and path in last and page.last < last[path]):
            yield f"{path}: the rows do not ascend as was asked for"
        before.setdefault(path, set()).update(page.rows)
        if page.last is not None:
            last[path] = page.last


def _apart(name: str, one: dict[Key, Version], other: dict[Key, Version]) -> Iterator[str]:
    """What one read had and the other had not; what changed in between aside."""
    newest = max((version.changed_at for version in one.values()), default="")
    lost = sum(key not in other for key in one)
    more = sum(key not in one and version.changed_at <= newest for key, version in other.items())
    unlike = sum(
        key in other and other[key].digest != version.digest and other[key].changed_at <= newest
        for key, version in one.items()
    )
    if lost or more or unlike:
        told = f"{lost} records of {len(one):,} missing, {more} more, {unlike} with another content"
        yield f"{name}: by pages of {OTHER_PAGE_SIZE} {told}"


def changes_exact(subject: Subject) -> Finding:
    """From a cursor in the middle comes all that changed since, as the full read had it."""
    reading, wrong, told = subject.full[0], list[str](), list[str]()
    with subject.source() as source:
        for table in source.tables():
            stamps = sorted({v.changed_at for v in reading.latest[table.name].values()})
            if reading.cursors.get(table.name) is None or len(stamps) < 2:
                continue
            middle = stamps[len(stamps) // 2]
            since = Reading()
            for batch in source.read(table, _cursor(subject, reading, middle), subject.now):
                since.add(table, batch.records)
            came = since.latest.get(table.name, {})
            told.append(f"{table.name} {len(came):,} of {len(reading.latest[table.name]):,}")
            wrong += _lost(table.name, reading.latest[table.name], came, middle)
    if not told:
        return skipped("it gives no cursors: everything is read every time")
    return verdict(wrong, f"read again from the middle: {', '.join(told)}")


def _lost(name: str, full: dict[Key, Version], came: dict[Key, Version], middle: str) -> Iterator[str]:
    start = _instant(middle)
    suffix = {key: version for key, version in full.items() if _instant(version.changed_at) >= start}
    lost = sum(key not in came for key in suffix)
    unlike = sum(
        version.digest != full[key].digest and version.changed_at == full[key].changed_at
        for key, version in came.items()
        if key in full
    )
    if lost or unlike:
        yield f"{name}: of {len(suffix):,} changed since {middle} {lost} are lost, {unlike} have another content"


def _cursor(subject: Subject, reading: Reading, stamp: str) -> str:
    """A cursor at a change stamp, as the source writes its own."""
    if subject.kind != "tryton":
        return _instant(stamp).isoformat(timespec="microseconds")
    return json.dumps(dict.fromkeys(sorted(reading.companies), _instant(stamp).isoformat()))


def _instant(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone(UTC)


def clocks_agree(subject: Subject) -> Finding:
    """Its clock is ours, and nothing changed in the future."""
    subject.seen()
    ahead = [found for headers, at in subject.times if (found := clock_ahead(headers, at)) is not None]
    worst = max(ahead, key=abs, default=None)
    wrong = told_apart(worst) if worst is not None else None
    if wrong is not None:
        return failed(wrong)
    stamps = [_instant(v.changed_at) for latest in _latest(subject) for v in latest.values() if v.changed_at]
    newest = max(stamps, default=None)
    if newest is not None and newest > subject.now + CLOCKS_DIFFER:
        return failed(f"the newest change is of {newest.isoformat()}, {newest - subject.now} from now")
    if worst is None and newest is None:
        return skipped("it tells neither the time nor when anything changed")
    said = "it does not tell the time" if worst is None else f"its clock is {abs(worst) // timedelta(seconds=1)} s off"
    return passed(f"{said}; no change is of the future")


def _latest(subject: Subject) -> list[dict[Key, Version]]:
    """What was read, if it was."""
    return list(subject.full[0].latest.values()) if "full" in vars(subject) else []


def books_kept(subject: Subject) -> Finding:
    """Records are in the books of known companies, in currencies that were to be expected there."""
    reading = subject.full[0]
    books = {str(r.get("id")): str(r.get("currency")) for r in reading.samples.get("entity", [])}
    strangers = sorted(set(reading.companies) - set(books))
    wrong = [f"{reading.companies[name]:,} records are of company {name!r}, which is not told of" for name in strangers]
    expected = {(company, c) for company in books for c in subject.system.currencies}
    expected |= {*books.items(), *reading.rates}
    for (company, currency), records in sorted(reading.currencies.items()):
        if currency not in exponents():
            wrong.append(f"{records:,} records of {company} are in {currency!r}, which is no ISO 4217 code")
        elif (company, currency) not in expected and company in books:
            allowed = f"allowed: {books[company]}, currencies with rates to it, or those declared as `currencies`"
            wrong.append(f"{records:,} records of {company} are in {currency}; {allowed}")
    used = ", ".join(f"{company} {currency}" for company, currency in sorted(reading.currencies))
    return verdict(wrong, f"companies and currencies: {used}")
