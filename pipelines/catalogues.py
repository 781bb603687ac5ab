"""The generated tables of the package READMEs: `python -m pipelines.catalogues` writes them, `--check` compares.

A README says `<!-- catalogue:NAME -->` where a table belongs and `<!-- /catalogue -->` where it ends; what stands
between comes from the declarations themselves.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from features.catalogue import FAMILIES, attribute_features
from features.declarations import Declaration, Feature
from features.errors import DuecastError, StateError
from features.kpis.catalogue import KPIS
from features.kpis.measures import MEASURES
from features.tables import SYSTEM, TABLES, Column
from models import baselines, bins, reasons
from models.scorecard import METRICS
from pipelines.connectors.tryton_source import READERS as TRYTON_READS
from pipelines.connectors.tryton_target import OPERATIONS
from pipelines.landscape import System
from pipelines.mapping import load, shipped_names
from pipelines.marts.catalogue import MARTS
from services import endpoints, settings
from services.sandbox.payers import TYPES

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(<!-- catalogue:([a-z-]+) -->\n).*?(<!-- /catalogue -->)", re.DOTALL)


def tables() -> str:
    """Every canonical table with its columns, then each column's meaning."""
    rows = [
        (f"`{t.name}`", ", ".join(f"`{k}`" for k in t.key), f"`{t.day_column}`" if t.day_column else "", t.doc)
        for t in TABLES
    ]
    parts = [_markdown(("table", "key", "happens on", "what it is"), rows)]
    parts += [f"\nEvery table has\n\n{_columns(SYSTEM)}"]
    parts += [f"\n`{t.name}`\n\n{_columns(c for c in t.columns if c not in SYSTEM)}" for t in TABLES]
    return "\n".join(parts)


def features() -> str:
    """Every feature by family; those of a dated attribute called `x` last."""
    families: dict[str, Sequence[Declaration]] = {**FAMILIES, "a dated attribute x": attribute_features(("x",))}
    rows = [(f"`{f.name}`", name, _of(f), f.doc) for name, members in families.items() for f in members]
    return _markdown(("feature", "family", "from", "what it says"), rows)


def models() -> str:
    """What answers when an invoice will be paid: ours and the baselines."""
    rows = [("`duecast`", "discrete-time hazard with LightGBM on a ridge line, recalibrated (`payment_date.py`)")]
    rows += [(f"`{b.name}`", _first_sentence(type(b).__doc__)) for b in baselines.standard_baselines()]
    return _markdown(("forecaster", "what it is"), rows)


def metrics() -> str:
    """Every measure of an evaluation."""
    return _markdown(("name", "measure"), [(f"`{m.name}`", m.title) for m in METRICS])


def bin_features() -> str:
    """What the hazard model sees of a day beside the features of the receivable."""
    return ", ".join(f"`{name}`" for name in bins.BIN_FEATURES) + "\n"


def reason_families() -> str:
    """The reasons a prediction can give."""
    rows = [(f.name, f"`{f.members.pattern}`".replace("|", "\\|")) for f in reasons.FAMILIES]
    return _markdown(("reason", "features that add up to it"), rows)


def mappings() -> str:
    """Every shipped mapping."""
    rows = []
    for name in shipped_names():
        mapping = load(name)
        tables_fed: set[str] = {section.table for file in mapping.files for section in file.tables}
        rows.append(
            (f"`{name}`", "an API" if mapping.rest else "files", ", ".join(sorted(tables_fed)) or "every table")
        )
    return _markdown(("mapping", "reads", "tables"), rows)


def systems() -> str:
    """Every kind of connection that a landscape can have."""
    rows = []
    for field in msgspec.structs.fields(System):
        kind = _connection(field.type)
        if kind is not None:
            rows.append((f"`{field.name}`", _first_sentence(kind.__doc__), *_READ_AND_WRITTEN[field.name]))
    return _markdown(("kind", "what it is", "read", "written"), rows)


# kind of connection -> the tables that it fills, and the operations of the outbox that it takes
_READ_AND_WRITTEN: dict[str, tuple[str, str]] = {
    "rest": ("every table", ""),
    "tryton": (", ".join(TRYTON_READS), ", ".join(f"`{name}`" for name in OPERATIONS)),
    "odata": ("entity, customer, order, invoice, credit_note, payment, allocation", ""),
    "bank": ("bank_statement, bank_entry", ""),
    "hubspot": ("order", ""),
}


def customer_types() -> str:
    """The kinds of payers in the sandbox."""
    return _markdown(("type", "share", "what it does"), [(f"`{t.name}`", f"{t.share:.0%}", t.doc) for t in TYPES])


def kpis() -> str:
    """Every KPI of collections."""
    rows = [(f"`{k.name}`", k.title, k.unit.words, k.formula) for k in KPIS]
    return _markdown(("KPI", "title", "unit", "formula"), rows)


def measures() -> str:
    """What the KPIs are made of."""
    rows = [(f"`{m.name}`", m.unit.words, f"`{m.view}`", m.words) for m in MEASURES.values()]
    return _markdown(("measure", "unit", "view", "what it is"), rows)


def marts() -> str:
    """Every mart with its grain, then each column's type and meaning."""
    parts = [_markdown(("mart", "one row", "what it is"), [(f"`{m.name}`", m.grain, m.doc) for m in MARTS])]
    for mart in MARTS:
        rows = [
            (
                f"`{c.name}`",
                c.type.sql,
                "primary key" if c.name == mart.key else f"to `{c.to}`" if c.to else "",
                "may be null" if c.optional else "",
                f"{c.doc} ({c.type.words})",
            )
            for c in mart.columns
        ]
        parts.append(f"\n`{mart.name}`\n\n{_markdown(('column', 'type', 'key', '', 'meaning'), rows)}")
    return "\n".join(parts)


CATALOGUES: dict[str, Callable[[], str]] = {
    "tables": tables,
    "features": features,
    "models": models,
    "metrics": metrics,
    "bin-features": bin_features,
    "reasons": reason_families,
    "mappings": mappings,
    "systems": systems,
    "customer-types": customer_types,
    "kpis": kpis,
    "measures": measures,
    "marts": marts,
    "endpoints": endpoints.catalogue,
    "settings": settings.catalogue,
}


def regenerated(text: str) -> str:
    """`text` with every marked table made anew; `StateError` for a name that nobody declares."""

    def fill(found: re.Match[str]) -> str:
        opening, name, closing = found.groups()
        if name not in CATALOGUES:
            raise StateError(f"no catalogue {name!r}; there are: {', '.join(CATALOGUES)}")
        return f"{opening}{CATALOGUES[name]().rstrip()}\n{closing}"

    return MARKED.sub(fill, text)


def readmes() -> list[Path]:
    """Every README of the project's own."""
    return sorted(p for p in ROOT.glob("**/README.md") if not any(x.startswith(".") for x in p.relative_to(ROOT).parts))


def main(arguments: Sequence[str]) -> int:
    """0 where everything was up to date or has been written; 1 where `--check` found something stale."""
    stale = []
    for path in readmes():
        text = path.read_text(encoding="utf-8")
        fresh = regenerated(text)
        if fresh == text:
            continue
        stale.append(path.relative_to(ROOT))
        if "--check" not in arguments:
            path.write_text(fresh, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"out of date: {', '.join(map(str, stale))}; run `make docs` and commit\n")
        return 1
    return 0


def _connection(told: object) -> type | None:
    """The struct of a kind of connection, of a field that may hold one."""
    return next((t for t in get_args(told) if isinstance(t, type) and issubclass(t, msgspec.Struct)), None)


def _of(feature: Declaration) -> str:
    if not isinstance(feature, Feature):
        return "other features and the invoice"
    window = f", {feature.window_days} days" if feature.window_days else ""
    return f"{feature.key.name}: {type(feature.aggregate).__name__} of {feature.event}{window}"


def _columns(columns: Iterable[Column]) -> str:
    rows = [(f"`{c.name}`", c.kind.words, "may be missing" if c.optional else "", c.doc) for c in columns]
    return _markdown(("column", "holds", "", "meaning"), rows)


def _first_sentence(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split()).rstrip(".")


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DuecastError as error:
        sys.stderr.write(f"catalogues: {error}\n")
        sys.exit(error.exit_code)
