"""One run over the master data: the machine's decisions, the golden parties and what is left to people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipelines.parties.clusters import Pair, Proposal, proposal
from pipelines.parties.decisions import MACHINE, Decision, DecisionLog, merge, parent, standing, undo, undos
from pipelines.parties.golden import Golden, golden
from pipelines.parties.hierarchy import Hierarchy, hierarchy
from pipelines.parties.matching import Matcher
from pipelines.parties.records import PartyRecord
from pipelines.parties.review import ReviewQueue, review_queue


@dataclass(frozen=True)
class Synced:
    """`appended`: what the machine added to the log in this run; none where nothing changed.

    `hierarchy.set_aside` names the parents that the sources give in a circle.
    """

    golden: Golden
    hierarchy: Hierarchy
    review: ReviewQueue
    appended: tuple[Decision, ...]


def synced(records: Sequence[PartyRecord], log: DecisionLog, matcher: Matcher, *, now: datetime) -> Synced:
    """Match `records`, given oldest first, append what the machine decides to `log`, and say what came of it.

    A machine merge that the records no longer support is undone; what people decided is never touched. A merge that a
    person's word forbids is not even tried. Running it again changes nothing.
    """
    found = planned(records, log.all(), matcher, now=now)
    log.extend(found.appended)
    return found


def planned(records: Sequence[PartyRecord], log: Sequence[Decision], matcher: Matcher, *, now: datetime) -> Synced:
    """As `synced`, with nothing written: `appended` is what would be."""
    shared = shared_names(records, log, matcher)
    proposed = proposal(records, replace(matcher, shared_names=matcher.shared_names | shared))
    withdrawn = _withdrawn(records, proposed, log, now)
    known = [*log, *withdrawn]
    appended = [*withdrawn, *_new_merges(proposed, known, now), *_new_parents(records, known, now)]
    decided = [*log, *appended]
    state = golden([r.ref for r in records], decided)
    return Synced(state, hierarchy(state), _questions(state, proposed, decided), tuple(appended))


def shared_names(records: Sequence[PartyRecord], log: Sequence[Decision], matcher: Matcher) -> frozenset[str]:
    """Keys of names that several parties bear: people said so of two records of one name, legal form and all."""
    of = {record.ref: record for record in records}
    vetoes = [d for d in standing(log) if d.kind == "not_same" and d.human and d.a in of and d.b in of]
    names = [(matcher.read(of[d.a]).name, matcher.read(of[d.b or ""]).name) for d in vetoes]
    return frozenset(ours.key for ours, theirs in names if (ours.key, ours.forms) == (theirs.key, theirs.forms))


def _questions(state: Golden, proposed: Proposal, log: Sequence[Decision]) -> ReviewQueue:
    """What is uncertain, and what the machine would merge but did not, because a person undid it."""
    refs = {ref for party in state.parties for ref in party.members}
    vetoes = [d for d in standing(log) if d.kind == "not_same" and d.a in refs and d.b in refs]
    return review_queue(state, [*proposed.reviews, *proposed.merges], vetoes)


def _withdrawn(
    records: Sequence[PartyRecord], proposed: Proposal, log: Sequence[Decision], now: datetime
) -> list[Decision]:
    """Undoes what the machine decided on these records and would no longer decide."""
    group = {ref: number for number, refs in enumerate(proposed.groups) for ref in refs}
    owner = {record.ref: record.parent_ref for record in records}
    apart = [d for d in _own(log, "merge") if d.a in group and d.b in group and group[d.a] != group[d.b]]
    left = [d for d in _own(log, "parent") if d.a in owner and owner[d.a] != d.b]
    return [undo(d, by=MACHINE, at=now, why="the records no longer say so") for d in (*apart, *left)]


def _own(log: Sequence[Decision], kind: str) -> list[Decision]:
    return [d for d in standing(log) if d.kind == kind and not d.human]


def _settled(log: Sequence[Decision]) -> set[tuple[str, str | None]]:
    """Pairs on which the machine adds nothing: decided by a person, merged already, or its own that a person undid."""
    undone = {d.a for d in undos(log) if d.human}
    kept = [d for d in standing(log) if d.human or d.kind == "merge"]
    return {(d.a, d.b) for d in [*kept, *(d for d in log if d.id in undone and not d.human)]}


def _new_merges(proposed: Proposal, log: Sequence[Decision], now: datetime) -> list[Decision]:
    """The proposed merges on which nobody has decided."""
    settled = _settled([d for d in log if d.kind != "parent"])
    return [_merged(pair, now) for pair in proposed.merges if (pair.a, pair.b) not in settled]


def _merged(pair: Pair, now: datetime) -> Decision:
    """The log is kept and shown widely, so the reason names the kinds of evidence and no names."""
    kinds = [told for told in pair.comparison.evidence if not told.startswith(("agree: ", "differ: "))]
    return merge(
        pair.a, pair.b, by=MACHINE, at=now, why="; ".join(["names agree", *kinds]), score=pair.comparison.score
    )


def _new_parents(records: Sequence[PartyRecord], log: Sequence[Decision], now: datetime) -> list[Decision]:
    """Parents that the sources name and nobody has decided on; a parent that is not among the records waits."""
    refs = {record.ref for record in records}
    decisions = [d for d in log if d.kind in ("parent", "undo")]
    children = {d.a for d in standing(decisions)}
    undone = _settled(decisions)
    new = [r for r in records if r.parent_ref in refs and r.ref not in children and (r.ref, r.parent_ref) not in undone]
    return [parent(r.ref, r.parent_ref, by=MACHINE, at=now, why=f"{r.system} says so") for r in new]
