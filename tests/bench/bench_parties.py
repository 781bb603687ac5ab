"""How well names alone find one party: `python tests/bench/bench_parties.py [--records N] [--json OUT]`.

Truth: the highradius ledgers (../shared/data/highradius), where one `cust_number`, leading zeros aside, is one party.
Only `name_customer` is given to the methods. What is counted:

spellings  the published figure. A spelling is a distinct name with blanks trimmed and collapsed; two spellings are one
           party if some customer is written in both ways. Precision and recall over all pairs of spellings.
records    distinct (customer, spelling). Two customers with one spelling are two records that no reader of names can
           tell apart, so the precision here has a ceiling, which is printed.
invoices   every invoice row; two rows are one party if they have one customer. A few customers have most of the pairs.

Splits: customers by the parity of the SHA-256 of their number. What is tuned (the threshold, and the names known to be
shared: those that a false merge was found in) is tuned on one half and judged on the other, both ways, counts summed.
`by file` tunes on ledger a and judges on ledger b and the reverse; most customers are in both. `nothing tuned` judges
the defaults on everything. Endings and word weights are learnt from the names of the judged part, never its answers.

Intervals: 95 %, 1,000 draws of customers; customers tied by a spelling or a merge are drawn together, so that every
pair belongs to one draw.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process
from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipelines.parties.clusters import proposal
from pipelines.parties.decisions import DecisionsInMemory
from pipelines.parties.matching import Matcher, Thresholds
from pipelines.parties.names import Reader
from pipelines.parties.records import PartyRecord
from pipelines.parties.sync import synced

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "highradius"
NOW = datetime(2024, 1, 1, tzinfo=UTC)
UNITS = ("spellings", "records", "invoices")
WANTED_PRECISION = 0.99
Rows = list[tuple[str, str]]
Pairs = set[tuple[str, str]]
Method = Callable[[Rows, "Tuning"], Pairs]


@dataclass(frozen=True)
class Tuning:
    """What was learnt from answers on the tuning part."""

    threshold: float
    shared: frozenset[str] = frozenset()


@dataclass
class Tally:
    """True merges, false merges and missed pairs, each by block of customers."""

    blocks: list[tuple[float, float, float]] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Precision and recall with 95 % intervals, and the counts."""
        counts = np.array(self.blocks or [(0.0, 0.0, 0.0)])
        draws = np.random.default_rng(7).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), 1000) @ counts
        tp, fp, fn = counts.sum(axis=0)
        with np.errstate(invalid="ignore"):
            precision, recall = draws[:, 0] / (draws[:, 0] + draws[:, 1]), draws[:, 0] / (draws[:, 0] + draws[:, 2])
        low_p, high_p = np.nanquantile(precision, [0.025, 0.975])
        low_r, high_r = np.nanquantile(recall, [0.025, 0.975])
        return {
            "precision": float(tp / (tp + fp)) if tp + fp else 1.0,
            "precision_low": float(low_p),
            "precision_high": float(high_p),
            "recall": float(tp / (tp + fn)),
            "recall_low": float(low_r),
            "recall_high": float(high_r),
            "true": float(tp),
            "false": float(fp),
            "missed": float(fn),
        }


def ledger(file: str) -> Rows:
    """(customer, spelling) of every invoice."""
    rows = pl.read_csv(DATA / f"open-ledger-{file}.csv", infer_schema_length=0).select("cust_number", "name_customer")
    return [(customer.strip().lstrip("0"), " ".join(name.split())) for customer, name in rows.iter_rows()]


def half(customer: str) -> int:
    """Which half of the customers this one is in."""
    return int(sha256(customer.encode()).hexdigest(), 16) % 2


def records_of(rows: Rows) -> list[PartyRecord]:
    """A record for each spelling, which holds nothing but the name."""
    spellings = sorted({name for _, name in rows})
    return [PartyRecord(system="erp", record_id=s, role="customer", name=s, updated_at=NOW) for s in spellings]


def ours(rows: Rows, tuning: Tuning) -> Pairs:
    """The machine's own merges; what it leaves to a person counts as not merged."""
    records = records_of(rows)
    limits = Thresholds(same=tuning.threshold, review=min(0.8, tuning.threshold))
    groups = proposal(records, Matcher.learnt(records, limits, tuning.shared)).groups
    names = {record.ref: record.name for record in records}
    return _all_pairs([names[ref] for ref in refs] for refs in groups)


def exact_name(rows: Rows, _: Tuning) -> Pairs:
    """Equal after case, accents, punctuation and declared legal forms."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in {name for _, name in rows}:
        groups[Reader().read(name).key].append(name)
    return _all_pairs(groups.values())


def token_set(rows: Rows, tuning: Tuning) -> Pairs:
    """rapidfuzz token_set_ratio from a threshold on, without clustering."""
    names = sorted({name for _, name in rows})
    lowered = [name.casefold() for name in names]
    scores = process.cdist(lowered, lowered, scorer=fuzz.token_set_ratio, dtype=np.float32)
    found = np.argwhere(np.triu(scores >= 100 * tuning.threshold, k=1))
    return {(names[i], names[j]) for i, j in found}


def _all_pairs(groups: Iterable[Iterable[str]]) -> Pairs:
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


METHODS: dict[str, tuple[Method, tuple[float, ...], bool]] = {
    "Duecast": (ours, (0.85, 0.9, 0.93, 0.95, 0.97, 1.0), True),
    "Duecast, no names known as shared": (ours, (0.85, 0.9, 0.93, 0.95, 0.97, 1.0), False),
    "exact normalised name": (exact_name, (1.0,), False),
    "token_set_ratio": (token_set, (0.8, 0.85, 0.9, 0.95, 0.98, 1.0), False),
}


def tally(rows: Rows, merged: Pairs, unit: str) -> Tally:
    """Every pair of the unit counted once, in the block of its customers."""
    uses: dict[str, Counter[str]] = defaultdict(Counter)
    for customer, name in rows if unit == "invoices" else set(rows):
        uses[name][customer] += 1
    block_of = _blocks(uses, merged)
    counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for used in uses.values():
        if unit != "spellings":
            within, total = sum(n * (n - 1) / 2 for n in used.values()), used.total() * (used.total() - 1) / 2
            _add(counts[block_of[next(iter(used))]], within, total - within, 0.0)
    for pair in merged | _together(uses):
        first, second = uses[pair[0]], uses[pair[1]]
        one = float(sum(n * second[customer] for customer, n in first.items()))
        both = float(first.total() * second.total())
        if unit == "spellings":
            one, both = float(one > 0), 1.0
        cell = counts[block_of[next(iter(first))]]
        _add(cell, *((one, both - one, 0.0) if pair in merged else (0.0, 0.0, one)))
    return Tally(sorted((tp, fp, fn) for tp, fp, fn in counts.values()))


def _add(cell: list[float], true: float, false: float, missed: float) -> None:
    cell[:] = [cell[0] + true, cell[1] + false, cell[2] + missed]


def _together(uses: dict[str, Counter[str]]) -> Pairs:
    """Pairs of spellings that some customer has."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for name, used in uses.items():
        for customer in used:
            spelled[customer].append(name)
    return _all_pairs(spelled.values())


def _blocks(uses: dict[str, Counter[str]], merged: Pairs) -> dict[str, str]:
    """Customer -> block: the customers tied by spellings and merges."""
    top: dict[str, str] = {}

    def root(customer: str) -> str:
        while top.setdefault(customer, customer) != customer:
            top[customer] = top[top[customer]]
            customer = top[customer]
        return customer

    for used in uses.values():
        first, *others = used
        for other in others:
            top[root(other)] = root(first)
    for a, b in merged:
        top[root(next(iter(uses[a])))] = root(next(iter(uses[b])))
    return {customer: root(customer) for used in uses.values() for customer in used}


def tuned(rows: Rows, name: str) -> Tuning:
    """The threshold with the most recall among those precise enough, else the most precise; and the shared names."""
    method, thresholds, learns_shared = METHODS[name]
    tried = []
    for threshold in thresholds:
        merged = method(rows, Tuning(threshold))
        shared = _shared(rows, merged) if learns_shared else frozenset()
        tuning = Tuning(threshold, shared)
        told = tally(rows, method(rows, tuning) if shared else merged, "spellings").figures()
        enough = told["precision"] >= WANTED_PRECISION
        tried.append(((enough, told["recall"] if enough else told["precision"], threshold), tuning))
    return max(tried, key=lambda t: t[0])[1]


def _shared(rows: Rows, merged: Pairs) -> frozenset[str]:
    """Names in which a false merge was found, as a person's answers would show them."""
    records = records_of(rows)
    reader = Matcher.learnt(records).reader
    uses: dict[str, set[str]] = defaultdict(set)
    for customer, name in rows:
        uses[name].add(customer)
    false = [pair for pair in merged if not uses[pair[0]] & uses[pair[1]]]
    return frozenset(reader.read(name).key for pair in false for name in pair)


def judged(parts: list[tuple[Rows, Rows]], name: str) -> dict[str, dict[str, float]]:
    """Unit -> figures over (tune on, judge on) parts, counts summed."""
    sums = {unit: Tally() for unit in UNITS}
    for tune_on, judge_on in parts:
        merged = METHODS[name][0](judge_on, tuned(tune_on, name))
        for unit in UNITS:
            sums[unit].blocks += tally(judge_on, merged, unit).blocks
    return {unit: sums[unit].figures() for unit in UNITS}


def quality() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Split -> method -> unit -> figures."""
    a, b = ledger("a"), ledger("b")
    halves = [[row for row in a + b if half(row[0]) == side] for side in (0, 1)]
    splits = {
        "customers held out, both ways": [(halves[0], halves[1]), (halves[1], halves[0])],
        "tuned on half 0, judged on half 1": [(halves[0], halves[1])],
        "tuned on half 1, judged on half 0": [(halves[1], halves[0])],
        "by file: tuned on a, judged on b": [(a, b)],
        "by file: tuned on b, judged on a": [(b, a)],
    }
    found = {split: {name: judged(parts, name) for name in METHODS} for split, parts in splits.items()}
    found["everything, nothing tuned"] = untuned(a + b)
    return found


def untuned(rows: Rows) -> dict[str, dict[str, dict[str, float]]]:
    """The defaults on everything, and what perfect knowledge of spellings and of nothing else would reach."""
    merged = ours(rows, Tuning(Thresholds().same))
    exact = exact_name(rows, Tuning(1.0))
    perfect = _together({n: Counter({c: 1 for c, m in set(rows) if m == n}) for n in {n for _, n in rows}})
    return {
        "Duecast, defaults": {unit: tally(rows, merged, unit).figures() for unit in UNITS},
        "exact normalised name": {unit: tally(rows, exact, unit).figures() for unit in UNITS},
        "ceiling: the truth about every two spellings": {unit: tally(rows, perfect, unit).figures() for unit in UNITS},
    }


def same_name_errors(rows: Rows) -> tuple[int, int]:
    """False merges of the defaults between spellings, and those of them where both are the same name once read."""
    merged = ours(rows, Tuning(Thresholds().same))
    reader = Matcher.learnt(records_of(rows)).reader
    uses: dict[str, set[str]] = defaultdict(set)
    for customer, name in rows:
        uses[name].add(customer)
    false = [(x, y) for x, y in merged if not uses[x] & uses[y]]
    return len(false), sum(reader.read(x).key == reader.read(y).key for x, y in false)


def made_records(count: int, seed: int = 1) -> tuple[list[PartyRecord], dict[str, int]]:
    """Invented customers of three systems with typing errors, and whose record each is."""
    rng = random.Random(seed)
    parts = ["nor", "vel", "tar", "mon", "ka", "ri", "son", "dal", "ber", "qui", "lo", "fen", "gra", "tu", "wex", "ama"]
    trades = ["Foods", "Logistics", "Energy", "Labs", "Trading", "Paper", "Motors", "Health", "Media", "Retail"]
    cities = ["Leeds", "Berlin", "Paris", "Lyon", "Oslo", "Madrid", "Porto", "Ghent"]
    records: list[PartyRecord] = []
    truth: dict[str, int] = {}
    party = 0
    while len(records) < count:
        name = "".join(rng.choices(parts, k=rng.choice([4, 5]))).title() + " " + rng.choice(trades)
        city, vat = rng.choice(cities), f"DE{rng.randrange(10**8, 10**9)}"
        form = rng.choice(["Ltd", "GmbH", "Inc", "LLC", "B.V.", "SA", "AG"])
        for system in rng.sample(["crm", "erp", "bank"], k=rng.choice([1, 2, 2, 3])):
            record = PartyRecord(
                system=system,
                record_id=str(len(records)),
                role="customer",
                name=f"{_mistyped(name, rng)} {form if rng.random() < 0.8 else ''}".strip(),
                updated_at=NOW,
                city=city if rng.random() < 0.9 else rng.choice(cities),
                vat_id=vat if rng.random() < 0.5 else None,
                email_domain=f"party{party}.example" if rng.random() < 0.6 else None,
            )
            records.append(record)
            truth[record.ref] = party
        party += 1
    return records[:count], {r.ref: truth[r.ref] for r in records[:count]}


def _mistyped(name: str, rng: random.Random) -> str:
    letters = list(name)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        at = rng.randrange(1, len(letters))
        letters[at : at + 1] = rng.choice(([], [letters[at]] * 2, [rng.choice("aeiourst")]))
    return "".join(letters)


def speed(count: int) -> dict[str, float]:
    """Seconds of a first and of a second run over invented records, and how well they came out."""
    records, truth = made_records(count)
    log = DecisionsInMemory()
    start = time.perf_counter()
    state = synced(records, log, Matcher.learnt(records), now=NOW)
    first = time.perf_counter() - start
    again = synced(records, log, Matcher.learnt(records), now=NOW)
    second = time.perf_counter() - start - first
    merged = _all_pairs(party.members for party in state.golden.parties)
    by_truth: dict[int, list[str]] = defaultdict(list)
    for ref, party in truth.items():
        by_truth[party].append(ref)
    true = _all_pairs(by_truth.values())
    return {
        "records": count,
        "first_run_s": first,
        "second_run_s": second,
        "second_run_decisions": len(again.appended),
        "parties": len(state.golden.parties),
        "true_parties": len(by_truth),
        "questions": len(state.review.questions),
        "precision": len(merged & true) / max(1, len(merged)),
        "recall": len(merged & true) / len(true),
    }


def shown(figure: dict[str, float], name: str, method: str) -> str:
    """A figure with its interval; none for pairs without clusters, which tie nearly all customers into one block."""
    if method == "token_set_ratio":
        return f"{figure[name]:.4f}"
    return f"{figure[name]:.4f} ({figure[name + '_low']:.4f} - {figure[name + '_high']:.4f})"


def main() -> None:
    """Measure, print, and write the figures as JSON where asked."""
    parser = argparse.ArgumentParser(description="How well names alone find one party.")
    parser.add_argument("--records", type=int, default=20_000, help="invented records for the speed run")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    figures: dict[str, object] = {"speed": speed(options.records)}
    Console().print(figures["speed"])
    if DATA.exists():
        found = quality()
        for split, methods in found.items():
            grid = Grid("method", "pairs of", "precision", "recall", "false", "missed", title=split)
            for name, units in methods.items():
                for unit, f in units.items():
                    told = (
                        shown(f, "precision", name),
                        shown(f, "recall", name),
                        f"{f['false']:,.0f}",
                        f"{f['missed']:,.0f}",
                    )
                    grid.add_row(name, unit, *told)
            Console(width=130).print(grid)
        false, same = same_name_errors(ledger("a") + ledger("b"))
        Console().print(f"{same} of {false} false merges of the defaults join customers of one and the same name")
        figures |= {"quality": found, "false_merges": false, "of_them_one_name": same}
    else:
        Console().print(f"no highradius data beside the project; only the speed was measured ({DATA.name})")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
