from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from features.errors import NotFound
from pipelines.parties.decisions import MACHINE, DecisionsInMemory, merge, not_same, undo
from pipelines.parties.matching import Matcher
from pipelines.parties.records import PartyRecord
from pipelines.parties.sync import Synced, synced

START = datetime(2024, 1, 1, tzinfo=UTC)
REF = ":customer:erp:"


def record(number: int, name: str, **told: Any) -> PartyRecord:
    return PartyRecord(system="erp", record_id=str(number), role="customer", name=name, updated_at=START, **told)


def run(records: list[PartyRecord], log: DecisionsInMemory, hour: int = 1) -> Synced:
    return synced(records, log, Matcher.learnt(records), now=START + timedelta(hours=hour))


def parties(state: Synced) -> list[list[str]]:
    return [[ref.removeprefix(REF) for ref in party.members] for party in state.golden.parties]


def person(hour: int) -> dict[str, Any]:
    return {"by": "ana", "at": START + timedelta(hours=hour), "why": "asked them"}


ACME = [record(1, "Acme Ltd"), record(2, "ACME"), record(3, "Globex"), record(4, "Acme Inc")]


def test_the_sure_ones_are_merged_the_uncertain_ones_asked_and_a_second_run_adds_nothing() -> None:
    log = DecisionsInMemory()
    first = run(ACME, log)
    assert parties(first) == [["1", "2"], ["3"], ["4"]]
    assert [(q.a, q.b) for q in first.review.questions] == [(REF + "2", REF + "4")]
    assert "agree: acme" in first.review.questions[0].evidence
    again = run(ACME, log, 2)
    assert again.appended == ()
    assert (again.golden, again.review) == (first.golden, first.review)


def test_the_reasons_in_the_log_hold_no_names() -> None:
    log = DecisionsInMemory()
    run([record(1, "Acme", vat_id="DE1"), record(2, "Acme", vat_id="DE1")], log)
    assert [d.why for d in log.all()] == ["names agree; same VAT id"]


def test_an_answer_is_a_persons_decision_and_ends_the_question() -> None:
    log = DecisionsInMemory()
    queue = run(ACME, log).review
    queue.reject(REF + "4", REF + "2", log, **person(2))
    after = run(ACME, log, 3)
    assert parties(after) == [["1", "2"], ["3"], ["4"]]
    assert after.review.questions == ()
    other = DecisionsInMemory()
    run(ACME, other).review.accept(REF + "2", REF + "4", other, **person(2))
    assert parties(run(ACME, other, 3)) == [["1", "2", "4"], ["3"]]
    assert other.all()[-1].human
    with pytest.raises(NotFound, match="no open question"):
        queue.accept(REF + "1", REF + "3", log, **person(4))


def test_what_a_person_undid_is_asked_and_not_merged_again() -> None:
    log = DecisionsInMemory()
    run(ACME[:3], log)
    log.append(undo(log.all()[0], **person(2)))
    after = run(ACME[:3], log, 3)
    assert after.appended == ()
    assert parties(after) == [["1"], ["2"], ["3"]]
    assert [(q.a, q.b) for q in after.review.questions] == [(REF + "1", REF + "2")]


def test_a_veto_taken_back_leaves_the_machine_free_again() -> None:
    log = DecisionsInMemory([veto := not_same(REF + "1", REF + "2", **person(0))])
    first = run(ACME[:2], log)
    assert parties(first) == [["1"], ["2"]]
    assert first.appended == ()
    log.append(undo(veto, **person(2)))
    assert parties(run(ACME[:2], log, 3)) == [["1", "2"]]


def test_a_merge_that_the_records_no_longer_support_is_withdrawn_but_a_persons_is_not() -> None:
    log = DecisionsInMemory([merge(REF + "2", REF + "3", **person(0))])
    run(ACME[:3], log)
    renamed = [record(1, "Initech"), *ACME[1:3]]
    after = run(renamed, log, 2)
    assert [(d.kind, d.by) for d in after.appended] == [("undo", MACHINE)]
    assert parties(after) == [["1"], ["2", "3"]]
    assert parties(run(ACME[:3], log, 3)) == [["1", "2", "3"]]


def test_a_machines_own_doubt_that_meets_its_merge_is_asked() -> None:
    log = DecisionsInMemory([not_same(REF + "2", REF + "3", by=MACHINE, at=START, why="other owners")])
    found = run([record(n, "Acme") for n in (1, 2, 3)], log)
    assert parties(found) == [["1", "2"], ["3"]]
    assert [(q.a, q.b) for q in found.review.questions] == [(REF + "1", REF + "3")]


def test_parents_come_from_the_sources_and_follow_them() -> None:
    log = DecisionsInMemory()
    owned = [record(1, "Acme"), record(2, "Globex", parent_ref=REF + "1"), record(3, "Hooli", parent_ref=REF + "9")]
    first = run(owned, log)
    child, owner = first.golden.party(REF + "2").id, first.golden.party(REF + "1").id
    assert first.hierarchy.parents == {child: owner}
    assert run(owned, log, 2).appended == ()
    assert run([owned[0], record(2, "Globex"), owned[2]], log, 3).hierarchy.parents == {}


def test_a_circle_of_parents_is_set_aside_and_stops_nothing() -> None:
    log = DecisionsInMemory()
    circle = [
        record(1, "Acme", parent_ref=REF + "2"),
        record(2, "Globex", parent_ref=REF + "1"),
        record(3, "Hooli", parent_ref=REF + "1"),
        record(4, "Hooli"),
    ]
    found = run(circle, log)
    party = {ref: found.golden.party(REF + ref).id for ref in "1234"}
    assert found.hierarchy.parents == {party["3"]: party["1"]}
    assert {(d.a, d.b) for d in found.hierarchy.set_aside} == {(REF + "1", REF + "2"), (REF + "2", REF + "1")}
    assert party["3"] == party["4"]
    assert run(circle, log, 2).appended == ()
    mended = run([record(1, "Acme"), *circle[1:]], log, 3)
    assert mended.hierarchy.set_aside == ()
    assert mended.hierarchy.parents == {party["2"]: party["1"], party["3"]: party["1"]}


def test_a_name_that_a_person_says_two_parties_bear_merges_nobody_any_more() -> None:
    log = DecisionsInMemory()
    namesakes = [record(n, "Acme") for n in (1, 2, 3)]
    assert parties(run(namesakes, log)) == [["1", "2", "3"]]
    log.append(not_same(REF + "1", REF + "2", **person(2)))
    after = run(namesakes, log, 3)
    assert parties(after) == [["1"], ["2"], ["3"]]
    assert {frozenset((q.a, q.b)) for q in after.review.questions} == {
        frozenset((REF + "1", REF + "3")),
        frozenset((REF + "2", REF + "3")),
    }
    other = [record(1, "Acme"), record(2, "Acme Holding Berlin"), record(3, "Acme")]
    apart = DecisionsInMemory([not_same(REF + "1", REF + "2", **person(0))])
    assert parties(run(other, apart)) == [["1", "3"], ["2"]]
