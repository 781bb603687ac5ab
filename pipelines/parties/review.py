"""What a person should look at: uncertain pairs and merges that ran into a veto, with the evidence in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from features.errors import NotFound
from pipelines.parties.clusters import Pair
from pipelines.parties.decisions import Decision, DecisionLog, merge, not_same
from pipelines.parties.golden import Golden


class Question(msgspec.Struct, frozen=True):
    """Are these two records one party? `score` 0 to 1; `evidence` in words. Holds names: not for a log."""

    a: str
    b: str
    score: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class ReviewQueue:
    """The open questions, the surest first. Answers go to the log; ask for a new queue afterwards."""

    questions: tuple[Question, ...]

    def question(self, a: str, b: str) -> Question:
        """The question about two records; `NotFound` where nobody asks it."""
        for found in self.questions:
            if {found.a, found.b} == {a, b}:
                return found
        raise NotFound(f"no open question about {a!r} and {b!r}; there are {len(self.questions)} others")

    def accept(self, a: str, b: str, log: DecisionLog, *, by: str, at: datetime, why: str) -> Decision:
        """They are one party: a person's merge, appended to the log."""
        asked = self.question(a, b)
        decision = merge(a, b, by=by, at=at, why=why, score=asked.score)
        log.append(decision)
        return decision

    def reject(self, a: str, b: str, log: DecisionLog, *, by: str, at: datetime, why: str) -> Decision:
        """They are two: a person's veto, appended to the log."""
        asked = self.question(a, b)
        decision = not_same(a, b, by=by, at=at, why=why, score=asked.score)
        log.append(decision)
        return decision


def review_queue(state: Golden, pairs: Iterable[Pair], vetoes: Sequence[Decision]) -> ReviewQueue:
    """Questions from uncertain `pairs`, without those that a person's standing veto or a merge has answered.

    Where records A, B and C all look alike, two questions are enough to ask first: an answer brings up the third.
    """
    apart = {frozenset((state.party(v.a).id, state.party(v.b).id)) for v in vetoes if v.b is not None and v.human}
    asked = [Question(p.a, p.b, p.comparison.score, p.comparison.evidence) for p in pairs]
    asked += [_refused(r.merge, r.against) for r in state.refused if not r.against.human]
    open_ones = [q for q in asked if frozenset((state.party(q.a).id, state.party(q.b).id)) not in apart]
    return ReviewQueue(tuple(_forest(state, sorted(open_ones, key=lambda q: (-q.score, q.a, q.b)))))


def _refused(refused: Decision, against: Decision) -> Question:
    told = f"merged by {refused.by}, but {against.by} holds {against.a} and {against.b} apart: {against.why}"
    return Question(refused.a, refused.b or "", refused.score or 0.0, (told,))


def _forest(state: Golden, questions: Sequence[Question]) -> list[Question]:
    """The questions that tie parties no better question ties already."""
    group = {party.id: party.id for party in state.parties}

    def top(party: str) -> str:
        while group[party] != party:
            group[party] = group[group[party]]
            party = group[party]
        return party

    kept = []
    for question in questions:
        a, b = top(state.party(question.a).id), top(state.party(question.b).id)
        if a != b:
            group[max(a, b)] = min(a, b)
            kept.append(question)
    return kept
