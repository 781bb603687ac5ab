"""Does what it serves land: within its contract, tying with its control totals, once?"""

from features.lake import Lake
from features.totals import differences, lake_totals
from pipelines.ingest import ingest_source
from pipelines.sit.check import Finding, failed, passed, skipped, verdict
from pipelines.sit.faults import Fault
from pipelines.sit.subject import Subject
from pipelines.sit.trace import Exchange
from services.store import Store

MOST_APART = 0.01
_BUSY_SECONDS = 1.0
_EARLY_SECONDS = 0.05


def lands(subject: Subject) -> Finding:
    """A dry run into a lake that is thrown away ends well, and hardly anything is set aside."""
    done = subject.landing
    broken = done.store.quarantined()
    reasons = [f"{field}: allowed: {allowed}" for field, allowed in _first_reasons(done.store)]
    if done.report is None:
        apart = f"; {broken.height} values set aside ({reasons[0]})" if reasons else ""
        return failed(f"{done.error}{apart}")
    counts = done.report.counts
    told = f"{counts.landed:,} of {counts.read:,} records landed, {counts.quarantined:,} set aside"
    if counts.quarantined > counts.read * MOST_APART:
        return failed(f"{told}, more than {MOST_APART:.0%}: {'; '.join(reasons[:3])}")
    return passed(told)


def _first_reasons(store: Store) -> list[tuple[str, str]]:
    """Which fields were wrong and what is allowed; not what was there, which is nobody's business."""
    return list(dict.fromkeys(store.quarantined().select("field", "allowed").head(100).iter_rows()))


def totals_tie(subject: Subject) -> Finding:
    """The dry run's lake has what the source says that it has."""
    done, wrong, told = subject.landing, [], []
    apart = {} if done.report is None else {f.table: f.counts.quarantined for f in done.report.feeds}
    with subject.source() as source:
        for table in source.tables():
            theirs = source.totals(table)
            if theirs is not None:
                found = differences(theirs, lake_totals(done.lake, table, subject.name), apart=apart.get(table.name, 0))
                wrong += [f"{table.name}: {difference}" for difference in found]
                told.append(f"{table.name} {theirs.count:,}")
    if not told:
        return skipped("it tells no control totals; each read is held against its own counts")
    return verdict(wrong, f"counts, sums and ids tie: {', '.join(told)}")


def lands_once(subject: Subject) -> Finding:
    """The same, landed once more from the start, adds nothing."""
    again = Store(f"sqlite:///{subject.folder / 'again.db'}")
    with subject.source() as source:
        report = ingest_source(source, subject.name, Lake(subject.folder / "lake"), again, now=subject.now)
    again.close()
    if report.counts.landed:
        return failed(f"{report.counts.landed:,} of {report.counts.read:,} records landed a second time")
    return passed(f"{report.counts.read:,} records read again, none landed")


def backs_off(subject: Subject) -> Finding:
    """Where it answers 429, the reading waits as long as it asks for, and comes to its end."""
    if subject.proxy is None:
        return skipped("it is not asked over HTTP")
    subject.seen()
    fault = Fault(kind="too_many", share=0.5, times=subject.patience.refusals, seconds=_BUSY_SECONDS)
    with subject.spoilt(fault), subject.source() as source:
        for table in source.tables():
            for _ in source.read(table, None, subject.now):
                pass
            if subject.proxy.injected >= subject.patience.refusals:
                break
    seen = subject.seen()
    waits = [_wait(seen, place) for place, exchange in enumerate(seen) if exchange.injected]
    if not waits:
        return skipped("too few requests to put a 429 among them")
    if min(waits) < _BUSY_SECONDS - _EARLY_SECONDS:
        return failed(f"asked again after {min(waits):.2f} s, {_BUSY_SECONDS:g} s were asked for")
    return passed(f"{len(waits)} answers with 429 put in by us; asked again after {min(waits):.2f} s at the earliest")


def _wait(seen: list[Exchange], place: int) -> float:
    """Seconds until the same was asked again; none that was never asked again."""
    refused = seen[place]
    return next((e.started - refused.ended for e in seen[place + 1 :] if e.target == refused.target), float("inf"))
