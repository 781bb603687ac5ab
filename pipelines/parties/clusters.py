"""Which records a machine would merge, and which pairs it leaves to a person.

Records join only where every pair across the two groups could be one party: a chain of small steps from one company to
another does not hold. The outcome does not depend on the order of the records.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.parties.candidates import candidate_pairs
from pipelines.parties.matching import Comparison, Matcher, Read, Verdict
from pipelines.parties.records import PartyRecord, by_ref


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records by `ref`, a < b, and what their comparison came to."""

    a: str
    b: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Proposal:
    """`groups`: every record once, refs sorted; `merges`: what ties each group; `reviews`: best pair of two groups."""

    groups: tuple[tuple[str, ...], ...]
    merges: tuple[Pair, ...]
    reviews: tuple[Pair, ...]


def proposal(records: Sequence[PartyRecord], matcher: Matcher) -> Proposal:
    """What the machine would do with these records. `BadInput` where two share a ref."""
    reads = [matcher.read(record) for record in by_ref(list(records)).values()]
    nodes, inner = _nodes(reads, matcher)
    heads = [reads[members[0]] for members in nodes]
    pairs = {pair: matcher.compare(heads[pair[0]], heads[pair[1]]) for pair in candidate_pairs(heads)}
    pairs = {pair: c for pair, c in pairs.items() if c.verdict is not Verdict.DIFFERENT}
    order = sorted(pairs, key=lambda pair: (-pairs[pair].score, pair))
    group_of, joins = _joined(heads, [p for p in order if pairs[p].verdict is Verdict.SAME], matcher)
    outer = [_pair(heads, pair, pairs[pair]) for pair in joins]
    reviews = _best_between(order, group_of)
    members: dict[int, list[str]] = defaultdict(list)
    for node, group in enumerate(group_of):
        members[group] += [reads[i].record.ref for i in nodes[node]]
    return Proposal(
        tuple(sorted(tuple(sorted(refs)) for refs in members.values())),
        tuple(sorted(inner + outer, key=lambda pair: (pair.a, pair.b))),
        tuple(_pair(heads, pair, pairs[pair]) for pair in reviews),
    )


def _nodes(reads: Sequence[Read], matcher: Matcher) -> tuple[list[list[int]], list[Pair]]:
    """Positions of records that agree in everything compared, where that is enough; the others alone."""
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, read in enumerate(reads):
        record = read.record
        profile = (record.entity_id, record.role, read.name, read.country, read.vat, read.account, read.domain)
        alike[profile].append(i)
    nodes: list[list[int]] = []
    ties: list[Pair] = []
    for members in alike.values():
        same = matcher.compare(reads[members[0]], reads[members[-1]])
        if same.verdict is Verdict.SAME:
            nodes.append(members)
            ties += [_pair(reads, (members[0], i), same) for i in members[1:]]
        else:
            nodes += [[i] for i in members]
    return sorted(nodes), ties


def _pair(reads: Sequence[Read], pair: tuple[int, int], comparison: Comparison) -> Pair:
    first, second = sorted(reads[i].record.ref for i in pair)
    return Pair(first, second, comparison)


def _joined(
    reads: Sequence[Read], pairs: Sequence[tuple[int, int]], matcher: Matcher
) -> tuple[list[int], list[tuple[int, int]]]:
    """The group of every node, and the pairs that joined two groups; the surest pairs first."""
    group_of = list(range(len(reads)))
    members = {i: [i] for i in group_of}
    used: list[tuple[int, int]] = []
    for i, j in pairs:
        kept, gone = sorted((group_of[i], group_of[j]))
        if kept == gone or not _agree(reads, members[kept], members[gone], matcher):
            continue
        for node in members[gone]:
            group_of[node] = kept
        members[kept] += members.pop(gone)
        used.append((i, j))
    return group_of, used


def _agree(reads: Sequence[Read], ours: Sequence[int], theirs: Sequence[int], matcher: Matcher) -> bool:
    """Every pair across could be one party and nothing speaks against it."""
    compared = (matcher.compare(reads[i], reads[j]) for i in ours for j in theirs)
    return all(c.verdict is not Verdict.DIFFERENT and not c.contradicted for c in compared)


def _best_between(order: Sequence[tuple[int, int]], group_of: Sequence[int]) -> list[tuple[int, int]]:
    """The first pair of every two groups that did not become one."""
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for i, j in order:
        low, high = sorted((group_of[i], group_of[j]))
        if low != high:
            best.setdefault((low, high), (i, j))
    return list(best.values())
