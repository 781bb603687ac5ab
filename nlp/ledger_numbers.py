"""Numbers as letters write them against the ledger's own: the same, one that ends alike, or one nearly the same."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from nlp.references import Reference

LEAST_ALIKE = 0.85


def matched(
    references: Sequence[Reference], known: Collection[str], least: float = LEAST_ALIKE
) -> tuple[Reference, ...]:
    """The references with the ledger's own numbers where it has them or ones nearly the same, scored 0 to 1.

    A number that the ledger has nothing like stays as it is written, with score 0.
    """
    by_bare = {_bare(number): number for number in known}
    return tuple(_matched(one, by_bare, least) if one.kind == "invoice" else one for one in references)


def _matched(one: Reference, by_bare: dict[str, str], least: float) -> Reference:
    pairs = [_nearest(number, by_bare, least) for number in one.numbers]
    return replace(one, numbers=tuple(number for number, _ in pairs), scores=tuple(score for _, score in pairs))


def _nearest(number: str, by_bare: dict[str, str], least: float) -> tuple[str, float]:
    from rapidfuzz import fuzz, process

    bare = _bare(number)
    if bare in by_bare:
        return by_bare[bare], 1.0
    behind = [
        whole
        for key, whole in by_bare.items()
        if len(bare) >= 4 and (key.endswith(bare) or (bare.endswith(key) and len(key) >= 4))
    ]
    if len(behind) == 1:
        return behind[0], round(
            0.9 + 0.1 * min(len(bare), len(_bare(behind[0]))) / max(len(bare), len(_bare(behind[0]))), 3
        )
    near = process.extract(bare, list(by_bare), scorer=fuzz.ratio, score_cutoff=100 * least, limit=2)
    if not near or (len(near) == 2 and near[0][1] == near[1][1]):
        return number, 0.0
    return by_bare[near[0][0]], round(near[0][1] / 100, 3)


def _bare(number: str) -> str:
    """Letters and digits alone, small, "O" and "l" among digits as 0 and 1, no leading zeros: how numbers compare."""
    signs = re.sub(r"(?<=\d)[oil]|[oil](?=\d)", _as_digit, re.sub(r"[^a-z\d]", "", number.lower()))
    return re.sub(r"(?<!\d)0+(?=\d)", "", signs)


def _as_digit(sign: re.Match[str]) -> str:
    return "0" if sign[0] == "o" else "1"
