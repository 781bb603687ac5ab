"""Entities of hand-written letters, per author and language: exact values, exact places, beside a regex per kind.

    python tests/bench/bench_entities.py nlp/corpus/*.jsonl [--intents told] [--json OUT]

Each file is one author. `values` are the measures of `nlp/scoring.py`; `places` compares the exact surfaces that a
person marked in the new text. With `--intents told` the labelled intents are given to the reading, as a right
classifier would; without, only the letter. The plain baseline reads the whole text, history and all, with one pattern
a kind.
"""

import argparse
import json
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from nlp.amounts import value_of
from nlp.entities import Entities, entities_of
from nlp.labelled import Labelled, Money, Said, read
from nlp.parts import Kind, lines_of, new_text
from nlp.scoring import SETS, Answer, Counted, counted, exact

KINDS = ("invoice_numbers", "po_numbers", "amounts", "promised_on", "disputed_amount")
EXACT = ("promised_on", "disputed_amount")
Reading = Callable[[Labelled, bool], tuple[Said, dict[str, set[str]]]]

INVOICE = re.compile(
    r"(?i)\b(?:invoice|inv|rechnung|rg|facture|factura|fra)\b[\s.:#n°ºor]{0,6}([A-Z]{0,4}[-/]?\d[\w/.-]{2,20}\w)"
)
ORDER = re.compile(
    r"(?i)\b(?:po|order|bestellung|commande|pedido|oc)\b[\s.:#n°ºor]{0,6}([A-Z]{0,4}[-/]?\d[\w/-]{2,20}\w)"
)
CURRENCIES = {"€": "EUR", "eur": "EUR", "euro": "EUR", "£": "GBP", "gbp": "GBP", "$": "USD", "usd": "USD", "chf": "CHF"}
MARK = "|".join(re.escape(mark) for mark in CURRENCIES)
AMOUNT = re.compile(rf"(?i)({MARK}) ?(\d[\d.,']*\d|\d)|(\d[\d.,']*\d|\d) ?({MARK})")
DAY = re.compile(r"\b(\d{1,2})[./](\d{1,2})[./](20\d\d)\b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--intents", choices=("told", "unknown"), default="unknown")
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    found = {}
    for path in given.files:
        letters = list(read(path))
        for lang in (*sorted({one.lang for one in letters}), "all"):
            chosen = [one for one in letters if lang in (one.lang, "all")]
            for name, reading in (("ours", ours), ("regex", plain_regex)):
                found[f"{path.stem} {lang} {name}"] = figures(chosen, reading, given.intents == "told")
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def figures(letters: Sequence[Labelled], reading: Reading, told: bool) -> dict[str, float | None]:
    """Values, places and speed of one reading on some letters."""
    answers, places, taken = [], [], []
    for letter in letters:
        begin = time.perf_counter()
        said, surfaces = reading(letter, told)
        taken.append(1000 * (time.perf_counter() - begin))
        answers.append((letter.said, Answer(said, 1.0)))
        places.append(surfaces)
    found: dict[str, float | None] = {}
    for kind in KINDS:
        measured = counted(answers, SETS[kind][1])
        found |= {f"{kind}.p": measured.precision, f"{kind}.r": measured.recall, f"{kind}.f1": measured.f1}
    for kind in EXACT:
        found[f"{kind}.exact"] = exact(answers, SETS[kind][1], all_count=False)
    for kind in ("invoice", "po", "amount", "promise"):
        found[f"places.{kind}"] = _places(letters, places, kind).f1
    return found | {"ms": statistics.median(taken)}


def _places(letters: Iterable[Labelled], places: Iterable[dict[str, set[str]]], kind: str) -> Counted:
    total = Counted()
    for letter, surfaces in zip(letters, places, strict=True):
        wanted, got = {text for name, text in letter.spans if name == kind}, surfaces.get(kind, set())
        total += Counted(len(wanted & got), len(got - wanted), len(wanted - got))
    return total


def ours(one: Labelled, told: bool) -> tuple[Said, dict[str, set[str]]]:
    letter, new = one.letter, new_text(one.letter)
    quoted = [line.span for line in lines_of(letter) if line.kind in (Kind.QUOTED, Kind.HEADER)]
    found = entities_of(letter, new, one.lang, quoted=quoted, intents=one.said.intents if told else None)
    written = [ref for ref in found.invoices if any(span.start <= ref.span.start < span.end for span in new)]
    surfaces = {
        "invoice": {letter.quote(ref.span) for ref in written},
        "po": {letter.quote(ref.span) for ref in found.pos},
        "amount": {letter.quote(amount.span) for amount in found.amounts},
        "promise": {letter.quote(found.promised.span)} if found.promised else set(),
    }
    return _said(found), surfaces


def _said(found: Entities) -> Said:
    return Said(
        intents=frozenset(),
        invoice_numbers=frozenset(number for ref in found.invoices for number in ref.numbers),
        po_numbers=frozenset(number for ref in found.pos for number in ref.numbers),
        amounts=frozenset(Money(one.value.normalize(), one.currency or "") for one in found.amounts),
        promised_on=found.promised.on if found.promised else None,
        disputed=Money(found.disputed.value.normalize(), found.disputed.currency or "") if found.disputed else None,
    )


def plain_regex(one: Labelled, told: bool) -> tuple[Said, dict[str, set[str]]]:
    """One pattern a kind: the first coming day is promised, the greatest sum contested (where intents are told)."""
    text, intents = one.letter.text, one.said.intents
    sums = {match[0]: _money(match) for match in AMOUNT.finditer(text)}
    days = {match[0]: on for match in DAY.finditer(text) if (on := _day(match)) and on >= one.letter.received_on}
    promised = min(days.values(), default=None) if not told or "promise_to_pay" in intents else None
    greatest = max(sums.values(), default=None) if told and "dispute" in intents else None
    numbers, orders = set(INVOICE.findall(text)), set(ORDER.findall(text))
    said = Said(
        frozenset(), frozenset(), frozenset(numbers), frozenset(orders), frozenset(sums.values()), promised, greatest
    )
    promise = {surface for surface, on in days.items() if on == promised}
    return said, {"invoice": numbers, "po": orders, "amount": set(sums), "promise": promise}


def _money(match: re.Match[str]) -> Money:
    number, mark = match[2] or match[3], match[1] or match[4]
    return Money(Decimal(value_of(number)).normalize(), CURRENCIES[mark.lower()])


def _day(match: re.Match[str]) -> date | None:
    try:
        return date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        return None


def table(found: dict[str, dict[str, float | None]]) -> str:
    columns = list(next(iter(found.values())))
    head = f"| who | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}"
    rows = (f"| {who} | {' | '.join(_shown(row[column]) for column in columns)} |" for who, row in found.items())
    return "\n".join((head, *rows))


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
