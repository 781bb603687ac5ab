from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from features.errors import BadInput, NotFound
from pipelines.parties.decisions import (
    MACHINE,
    Decision,
    DecisionsInMemory,
    merge,
    not_same,
    parent,
    standing,
    undo,
)
from pipelines.parties.golden import Golden, golden, mixed, party_id
from pipelines.parties.hierarchy import Hierarchy, hierarchy

START = datetime(2024, 1, 1, tzinfo=UTC)
A, B, C, D = (f"E:customer:erp:{n}" for n in "abcd")
VENDOR = "E:vendor:erp:a"


def told(minute: int = 0, by: str = "ana") -> dict[str, Any]:
    return {"by": by, "at": START + timedelta(minutes=minute), "why": "seen"}


def members(state: Golden) -> list[str]:
    return ["".join(ref[-1] for ref in party.members) for party in state.parties]


def state(*decisions: Decision) -> Golden:
    return golden([A, B, C, D], decisions)


def test_merges_join_and_everybody_is_somewhere() -> None:
    assert members(state()) == ["a", "b", "c", "d"]
    assert members(state(merge(B, A, **told()), merge(C, B, **told()))) == ["abc", "d"]


def test_the_oldest_member_names_the_party_and_the_other_names_still_lead_there() -> None:
    joined = golden([B, A], [merge(A, B, **told())])
    party = joined.party(party_id(A))
    assert party.id == party_id(B)
    assert party is joined.party(A) is joined.party(party.id)
    with pytest.raises(NotFound, match="no party or record"):
        joined.party("P0")


def test_a_split_takes_a_party_apart_and_the_latest_merge_gives_way() -> None:
    chain = [merge(A, B, **told(1)), merge(B, C, **told(2))]
    apart = state(*chain, not_same(A, C, **told(3)))
    assert members(apart) == ["ab", "c", "d"]
    assert [r.merge for r in apart.refused] == [chain[1]]


@pytest.mark.parametrize("first", [0, 1])
def test_a_machine_never_overrules_a_person(first: int) -> None:
    human, machine = not_same(A, B, **told()), merge(A, B, by=MACHINE, at=START, why="alike", score=1.0)
    assert members(state(*[human, machine][:: 1 if first else -1])) == ["a", "b", "c", "d"]
    human, machine = merge(A, B, **told()), not_same(A, B, by=MACHINE, at=START, why="unlike")
    assert members(state(*[human, machine][:: 1 if first else -1])) == ["ab", "c", "d"]


def test_a_machine_cannot_get_around_a_veto_through_a_third_record() -> None:
    veto = not_same(A, C, **told())
    merges = [merge(x, y, by=MACHINE, at=START, why="alike", score=s) for x, y, s in ((A, B, 0.96), (B, C, 0.99))]
    found = state(veto, *merges)
    assert members(found) == ["a", "bc", "d"]  # the surer merge stands
    assert [(r.merge, r.against) for r in found.refused] == [(merges[0], veto)]


def test_people_overrule_a_machines_doubt_but_not_each_other_silently() -> None:
    doubt = not_same(A, C, by=MACHINE, at=START, why="other VAT id")
    assert members(state(doubt, merge(A, B, **told()), merge(B, C, **told()))) == ["abc", "d"]
    assert members(state(not_same(A, B, **told(1)), merge(A, B, **told(2)))) == ["ab", "c", "d"]


def test_undo_gives_the_state_before_and_can_be_undone() -> None:
    log = [merge(A, B, **told(1)), merge(B, C, **told(2))]
    back = undo(log[1], **told(3))
    assert state(*log, back) == state(log[0])
    assert state(*log, back, undo(back, **told(4))) == state(*log)
    assert standing([*log, back]) == [log[0]]


def test_decisions_about_unknown_records_wait() -> None:
    decision = merge(A, "E:customer:erp:z", **told())
    assert members(state(decision)) == ["a", "b", "c", "d"]


def test_roles_mix_only_where_a_person_asks() -> None:
    with pytest.raises(BadInput, match="across=True"):
        merge(A, VENDOR, **told())
    with pytest.raises(BadInput, match="across=True"):
        merge(A, VENDOR, **told(by=MACHINE), across=True)
    both = golden([A, VENDOR], [merge(A, VENDOR, **told(), across=True)])
    assert mixed(both.party(A))
    assert not mixed(golden([A, VENDOR], []).party(A))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": " "}, "say who"),
        ({"why": ""}, "say who"),
        ({"at": datetime(2024, 1, 1)}, "without a zone"),  # noqa: DTZ001
    ],
)
def test_a_decision_says_who_when_and_why(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        merge(A, B, **(told() | change))


def test_a_decision_is_about_two_records() -> None:
    for decide in (merge, not_same, parent):
        with pytest.raises(BadInput, match="named twice"):
            decide(A, A, **told())


def test_a_machine_does_not_undo_a_person() -> None:
    with pytest.raises(BadInput, match="only a person"):
        undo(merge(A, B, **told()), by=MACHINE, at=START, why="no")


def test_the_log_is_append_only() -> None:
    decision = merge(A, B, **told())
    log = DecisionsInMemory([decision])
    with pytest.raises(BadInput, match="already"):
        log.append(decision)
    with pytest.raises(NotFound, match="to undo"):
        log.append(undo(merge(A, C, **told()), **told()))
    assert log.all() == (decision,)


def test_a_decision_survives_json() -> None:
    decision = merge(A, B, **told(), score=0.97)
    assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision


def test_parents_lead_to_the_top_and_amounts_roll_up() -> None:
    owned = Hierarchy({"P2": "P1", "P3": "P2", "P4": "P1"})
    assert owned.ultimate("P3") == owned.ultimate("P1") == "P1"
    assert owned.children("P1") == ("P2", "P4")
    assert owned.all_below("P1") == ("P2", "P4", "P3")
    assert owned.rolled_up({"P3": 5, "P4": 7, "P9": 1}) == {"P3": 5, "P2": 5, "P1": 12, "P4": 7, "P9": 1}


def test_a_circle_is_named() -> None:
    with pytest.raises(BadInput, match="P1 -> P3 -> P2 -> P1"):
        Hierarchy({"P0": "P2", "P2": "P1", "P1": "P3", "P3": "P2"})


def test_parents_follow_the_merges_of_their_records() -> None:
    owned = [parent(C, B, **told(1)), merge(A, B, **told(2)), parent(B, A, **told(3))]
    assert hierarchy(state(*owned)).parents == {party_id(C): party_id(A)}


def test_parents_in_a_circle_are_set_aside_the_machines_first_and_the_rest_stands() -> None:
    child_of_b, a_of_c = parent(C, B, **told(1)), parent(A, C, **told(2))
    alone = hierarchy(state(child_of_b, a_of_c, merge(A, B, **told(3)), parent(D, C, **told(4))))
    assert set(alone.set_aside) == {child_of_b, a_of_c}
    assert alone.parents == {party_id(D): party_id(C)}
    machines = parent(A, C, **told(2, by=MACHINE))
    mixed = hierarchy(state(child_of_b, machines, merge(A, B, **told(3))))
    assert mixed.set_aside == (machines,)
    assert mixed.parents == {party_id(C): party_id(A)}


def test_a_persons_word_on_a_parent_counts_before_a_machines() -> None:
    machine = parent(C, B, **told(5, by=MACHINE))
    assert hierarchy(state(parent(C, None, **told(1)), machine)).parents == {}
    assert hierarchy(state(parent(C, A, **told(1)), machine)).parents == {party_id(C): party_id(A)}
    other = parent(D, B, **told(9, by=MACHINE))  # another record of the same party says something else
    both = state(parent(C, A, **told(1)), other, merge(C, D, **told(2)))
    assert hierarchy(both).parents == {party_id(C): party_id(A)}
