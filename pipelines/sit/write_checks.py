"""What is written is read back, written once however often it is sent, and a webhook that is replayed does no harm.

Writes go to the landscape's `test_entity` only, and only when they were asked for; what they made is removed.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from features.errors import BadInput, DuecastError
from features.lake import Lake
from pipelines.connections import tryton_of
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_companies import Company, companies
from pipelines.connectors.tryton_json import in_address
from pipelines.connectors.web import Web
from pipelines.hook_feeds import land_webhooks
from pipelines.sit.check import Finding, failed, passed, skipped
from pipelines.sit.subject import Subject
from services.operations import Operations
from services.problems import Refused
from services.signatures import Gate, Seal, sealed
from services.store import Store

_PARTY = "party.party"
_WINDOW = timedelta(minutes=5)


def written_and_read_back(subject: Subject) -> Finding:
    """A record that we make is there as we made it, and gone when we take it back."""
    if (reason := _no_writing(subject)) is not None:
        return skipped(reason)
    with _test_company(subject) as company:
        code = f"DUECAST-SIT-{secrets.token_hex(6)}"
        name = "Duecast integration test"
        with _made(subject, company, code, name) as party:
            found = company.erp.read(_PARTY, party, ("code", "name"))
        left = company.erp.search(_PARTY, [["code", "=", code]])
    if (found["code"], found["name"]) != (code, name):
        return failed("a party came back with another code or name than it was made with")
    if left:
        return failed(f"party {code} could be made but not removed; remove it by hand")
    return passed("a party was made, read back the same, and removed")


def written_once(subject: Subject) -> Finding:
    """The same key twice makes one record."""
    if (reason := _no_writing(subject)) is not None:
        return skipped(reason)
    with _test_company(subject) as company:
        code = f"DUECAST-SIT-{secrets.token_hex(6)}"
        with _made(subject, company, code, "Duecast") as first, _made(subject, company, code, "Duecast") as second:
            there = len(company.erp.search(_PARTY, [["code", "=", code]]))
    if first != second or there != 1:
        return failed(f"the same key made {there} records")
    return passed("the same key twice: one record, found before it would be made again")


def _no_writing(subject: Subject) -> str | None:
    """Why nothing can be written; None where it can."""
    if subject.kind != "tryton":
        return f"a system of the kind {subject.kind} takes no writes from us"
    if not subject.write:
        return "writes were not asked for (--write)"
    if subject.system.test_entity is None:
        return "the landscape names no `test_entity`: nothing is written to books that count"
    return None


@contextmanager
def _test_company(subject: Subject) -> Iterator[Company]:
    told = subject.landscape.system(subject.name).tryton
    assert told is not None
    with tryton_of(subject.landscape, told, subject.calls.append, subject.manner()) as erp:
        found = {company.entity: company for company in companies(erp)}
        wanted = str(subject.system.test_entity)
        if wanted not in found:
            raise BadInput(f"test_entity is {wanted!r}; the ERP has: {', '.join(found)}")
        yield found[wanted]


@contextmanager
def _made(subject: Subject, company: Company, code: str, name: str) -> Iterator[int]:
    """The party with that code, made unless it is there, removed in the end."""
    found = company.erp.search(_PARTY, [["code", "=", code]])
    party = int(found[0]["id"] if found else company.erp.create(_PARTY, {"name": name, "code": code})["id"])
    try:
        yield party
    finally:
        with suppress(DuecastError):
            _remove(subject, company.erp, party)


def _remove(subject: Subject, erp: Tryton, party: int) -> None:
    told = subject.landscape.system(subject.name).tryton
    assert told is not None
    headers = {"Authorization": f"bearer {subject.landscape.secret(told.key_file)}"}
    headers["X-Tryton-Context"] = in_address(erp.context)
    with Web(told.url, headers, on_call=subject.calls.append) as web:
        web.fetch("DELETE", f"{told.database}/rest/model/{_PARTY}/{party}", allowed=(200, 204, 404))


def replays_harmless(subject: Subject) -> Finding:
    """A webhook of this system that comes twice, late or changed is known, refused, refused, and lands once."""
    if subject.secret is None:
        return skipped("no secret for webhooks of this system (DUECAST_WEBHOOK_SECRETS)")
    table, record = _some_record(subject)
    body = json.dumps({"table": table, "records": [record]}).encode()
    url = f"sqlite:///{subject.folder / 'hooks.db'}"
    desk = Operations(url, Gate({subject.name: (subject.secret,)}, window=_WINDOW), clock=lambda: subject.now)
    seal = Seal.of(sealed(subject.secret, "sit-1", body, at=subject.now))
    old = Seal.of(sealed(subject.secret, "sit-2", body, at=subject.now - 2 * _WINDOW))
    told = [desk.receive(subject.name, seal, body).status for _ in range(2)]
    if told != ["new", "known"]:
        return failed(f"the same delivery twice was answered {' and '.join(told)}; allowed: new and known")
    for wrong, given in ((old, body), (seal, body + b" ")):
        with suppress(Refused):
            desk.receive(subject.name, wrong, given)
            return failed("a delivery that is late, or was changed on the way, is believed")
    return _landed_once(subject, Store(url))


def _landed_once(subject: Subject, store: Store) -> Finding:
    lake = Lake(subject.folder / "lake")
    with store, subject.source() as source:
        done = [land_webhooks(store, lake, subject.name, subject.now, section=source.section) for _ in range(2)]
    landed = [0 if report.run is None else report.run.counts.landed for report in done]
    if any(landed):
        return failed(f"a record that the lake has landed again by webhook: {landed}")
    return passed("twice: kept once; late or changed: refused; what the lake has by reading does not land again")


def _some_record(subject: Subject) -> tuple[str, dict[str, object]]:
    for table, sample in subject.full[0].samples.items():
        if sample:
            return table, {name: value for name, value in sample[-1].items() if name != "known_at"}
    raise BadInput("the system has no record to deliver; allowed: at least one")
