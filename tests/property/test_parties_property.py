"""What must hold of golden parties, whatever the records and decisions."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.parties.clusters import proposal
from pipelines.parties.decisions import MACHINE, Decision, DecisionsInMemory, merge, not_same, standing, undo
from pipelines.parties.golden import golden, mixed
from pipelines.parties.matching import Matcher
from pipelines.parties.records import PartyRecord
from pipelines.parties.sync import synced

START = datetime(2024, 1, 1, tzinfo=UTC)
REFS = [f"E:customer:erp:{n}" for n in range(7)]
WORDS = st.sampled_from(["acme", "acma", "globex", "globexx", "foods", "ag", "gmbh", "c", "7", "&"])


@st.composite
def logs(draw: st.DrawFn) -> list[Decision]:
    """Merges, splits and undos by people and the machine."""
    log: list[Decision] = []
    for minute in range(draw(st.integers(0, 12))):
        by, at = draw(st.sampled_from(["ana", MACHINE])), START + timedelta(minutes=minute)
        undoable = [d for d in log if by != MACHINE or not d.human]
        if undoable and draw(st.booleans()) and draw(st.booleans()):
            log.append(undo(draw(st.sampled_from(undoable)), by=by, at=at, why="drawn"))
            continue
        a, b = draw(st.lists(st.sampled_from(REFS), min_size=2, max_size=2, unique=True))
        decide = draw(st.sampled_from([merge, merge, not_same]))
        log.append(decide(a, b, by=by, at=at, why="drawn", score=draw(st.sampled_from([None, 0.9, 1.0]))))
    return log


@st.composite
def records(draw: st.DrawFn) -> list[PartyRecord]:
    rows = draw(
        st.lists(
            st.tuples(
                st.lists(WORDS, min_size=1, max_size=3),
                st.sampled_from(["customer", "vendor"]),
                st.sampled_from(["E", "F"]),
                st.sampled_from([None, "DE1", "DE2"]),
                st.sampled_from([None, "X1"]),
                st.sampled_from([None, "DE", "FR"]),
            ),
            max_size=12,
        )
    )
    return [
        PartyRecord(
            system="erp",
            record_id=str(n),
            role=role,  # type: ignore[arg-type]
            entity_id=entity,
            name=" ".join(words),
            updated_at=START,
            vat_id=vat,
            bank_account=account,
            country=country,
        )
        for n, (words, role, entity, vat, account, country) in enumerate(rows)
    ]


@given(logs(), st.data())
def test_undoing_restores_exactly_what_was(log: list[Decision], data: st.DataObject) -> None:
    if not log:
        return
    at = data.draw(st.integers(0, len(log) - 1))
    gone, later = log[at], [d for d in log[at + 1 :] if d.kind != "undo"]
    if gone.kind == "undo":
        return
    back = undo(gone, by="ana", at=START + timedelta(days=1), why="drawn")
    assert golden(REFS, [*log[: at + 1], *later, back]) == golden(REFS, [*log[:at], *later])
    again = undo(back, by="ana", at=START + timedelta(days=2), why="drawn")
    assert golden(REFS, [*log[: at + 1], *later, back, again]) == golden(REFS, [*log[: at + 1], *later])


@given(logs())
def test_a_persons_last_word_not_same_always_holds(log: list[Decision]) -> None:
    state = golden(REFS, log)
    last = {(d.a, d.b): d.kind for d in standing(log) if d.human}
    for (a, b), kind in last.items():
        if kind == "not_same" and b is not None:
            assert state.party(a) is not state.party(b)


@given(logs())
def test_every_record_is_in_one_party_and_every_name_leads_to_it(log: list[Decision]) -> None:
    state = golden(REFS, log)
    assert sorted(ref for party in state.parties for ref in party.members) == sorted(REFS)
    for party in state.parties:
        assert all(state.party(name) is party for name in (party.id, *party.aliases, *party.members))


@given(logs(), st.randoms(use_true_random=False))
def test_the_order_of_merges_without_vetoes_makes_no_difference(log: list[Decision], random: object) -> None:
    merges = [d for d in log if d.kind == "merge"]
    shuffled = list(merges)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert golden(REFS, shuffled) == golden(REFS, merges)


@given(records(), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_the_order_of_records_makes_no_difference(rows: list[PartyRecord], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert proposal(shuffled, Matcher.learnt(shuffled)) == proposal(rows, Matcher.learnt(rows))


@given(records())
@settings(max_examples=150)
def test_a_machine_never_mixes_entities_roles_or_vat_ids_of_a_country(rows: list[PartyRecord]) -> None:
    state = synced(rows, DecisionsInMemory(), Matcher.learnt(rows), now=START)
    by_ref = {r.ref: r for r in rows}
    for party in state.golden.parties:
        assert not mixed(party)
        members = [by_ref[ref] for ref in party.members]
        for country in {m.country for m in members if m.country}:
            assert len({m.vat for m in members if m.country in (country, None) and m.vat}) <= 1


@given(records(), logs())
@settings(max_examples=100)
def test_running_again_changes_nothing_that_people_said(rows: list[PartyRecord], log: list[Decision]) -> None:
    numbered = [PartyRecord(**{**_fields(r), "entity_id": "E", "role": "customer"}) for r in rows]
    kept = DecisionsInMemory(log)
    said = [d for d in standing(log) if d.human]
    first = synced(numbered, kept, Matcher.learnt(numbered), now=START + timedelta(days=1))
    again = synced(numbered, kept, Matcher.learnt(numbered), now=START + timedelta(days=2))
    assert again.appended == ()
    assert (again.golden, again.review) == (first.golden, first.review)
    assert [d for d in standing(kept.all()) if d.human] == said


def _fields(record: PartyRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}
