"""How fast bank statements are read: `python tests/bench/bench_bank.py [--entries N] [--json OUT]`.

CPU seconds and peak memory of a process of its own per reader, beside peers that read the same file: the same fields
from a DOM of lxml, the mt-940 library, the bai2 library. Peers check less: no balances, places, ids or returns.
"""

import argparse
import json
import logging
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).parents[2]))

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
ENTRY = """<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-23</Dt></BookgDt><ValDt><Dt>2026-11-23</Dt></ValDt><AcctSvcrRef>B{n}</AcctSvcrRef>
<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>
<NtryDtls><TxDtls><Refs><EndToEndId>E2E-{n}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt>
<RltdPties><Dbtr><Pty><Nm>Customer {n}</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>NL14MOCK0000000002</IBAN></Id></DbtrAcct>
</RltdPties><RmtInf><Ustrd>Invoice INV-{n} less 2 per cent</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
"""


def amounts(count: int) -> list[int]:
    return [10_000 + n % 997 for n in range(count)]


def balance(code: str, minor: int) -> str:
    tail = f'<Amt Ccy="EUR">{Decimal(minor) / 100}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>'
    return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{tail}"


def camt_text(count: int) -> str:
    body = "".join(ENTRY.format(n=n, amount=Decimal(a) / 100) for n, a in enumerate(amounts(count)))
    head = "<Id>S1</Id><ElctrncSeqNb>1</ElctrncSeqNb><Acct><Id><IBAN>NL41MOCK0000000001</IBAN></Id></Acct>"
    balances = balance("OPBD", 0) + balance("CLBD", sum(amounts(count)))
    return (
        f'<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><Stmt>{head}{balances}{body}</Stmt></BkToCstmrStmt></Document>'
    )


def mt940_text(count: int) -> str:
    lines = [
        f":61:2611231123C{a // 100},{a % 100:02d}NTRFINV-{n}//B{n}\n"
        f":86:166?00CREDIT TRANSFER?20EREF+E2E-{n}?21SVWZ+INV-{n} LESS 2 PCT?31NL14MOCK0000000002?32CUSTOMER {n}\n"
        for n, a in enumerate(amounts(count))
    ]
    total = sum(amounts(count))
    head = ":20:STMT\n:25:NL41MOCK0000000001\n:28C:1/1\n:60F:C261122EUR0,00\n"
    return f"{head}{''.join(lines)}:62F:C261123EUR{total // 100},{total % 100:02d}\n-\n"


def bai2_text(count: int) -> str:
    total = sum(amounts(count))
    lines = [f"16,142,{a},Z,E2E-{n},INV-{n},CUSTOMER {n}/\n" for n, a in enumerate(amounts(count))]
    head = "01,BANK,US,261123,0648,1,,,2/\n02,US,BANK,1,261123,0648,EUR,/\n03,0000000001,EUR,010,0,,Z,015,"
    control = 2 * total
    ends = f"49,{control},{count + 2}/\n98,{control},1,{count + 4}/\n99,{control},1,{count + 6}/\n"
    return f"{head}{total},,Z/\n{''.join(lines)}{ends}"


def ours(module: str) -> Callable[[Path], int]:
    def read(path: Path) -> int:
        from importlib import import_module

        with path.open("rb") as stream:
            statements = import_module(f"pipelines.bank.{module}").parse(stream, path.name)
        return sum(e.amount_minor for s in statements for e in s.entries)

    return read


def lxml_dom(path: Path) -> int:
    from lxml import etree

    ns = {"c": NAMESPACE}
    entries = []
    for entry in etree.parse(path).iterfind(".//c:Ntry", ns):
        paths = ("c:CdtDbtInd", "c:BookgDt/c:Dt", "c:ValDt/c:Dt", "c:AcctSvcrRef", ".//c:EndToEndId", ".//c:Dbtr//c:Nm")
        texts = [entry.findtext(path, namespaces=ns) for path in (*paths, ".//c:IBAN", ".//c:Ustrd")]
        entries.append((Decimal(entry.findtext("c:Amt", namespaces=ns)), *texts))
    return int(sum(e[0] for e in entries) * 100)


def mt940_library(path: Path) -> int:
    import mt940

    logging.disable()
    return int(sum(t.data["amount"].amount for t in mt940.parse(str(path))) * 100)


def bai2_library(path: Path) -> int:
    from bai2 import bai2

    return sum(t.amount for t in bai2.parse_from_string(path.read_text()).children[0].children[0].children)


READERS: list[tuple[str, Callable[[int], str], Callable[[Path], int]]] = [
    ("camt.053, Duecast", camt_text, ours("camt")),
    ("camt.053, lxml DOM", camt_text, lxml_dom),
    ("MT940, Duecast", mt940_text, ours("mt940")),
    ("MT940, mt-940 library", mt940_text, mt940_library),
    ("BAI2, Duecast", bai2_text, ours("bai2")),
    ("BAI2, bai2 library", bai2_text, bai2_library),
]


def measured(position: int, entries: int, results: "multiprocessing.Queue[dict[str, float | str]]") -> None:
    """In a process of its own, so that the peak is that of this reader alone."""
    name, write, read = READERS[position]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "statement"
        path.write_text(write(entries))
        size = path.stat().st_size
        read_small(write, read, Path(folder))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        total = read(path)
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert total == sum(amounts(entries)), f"{name} read {total}"
    told = {"reader": name, "cpu_seconds": round(seconds, 2), "entries_per_second": round(entries / seconds)}
    results.put({**told, "megabytes_read": round(size / 2**20, 1), "peak_megabytes": round((peak - before) / 1024)})


def read_small(write: Callable[[int], str], read: Callable[[Path], int], folder: Path) -> None:
    """Imports and caches are no part of the figures."""
    small = folder / "small"
    small.write_text(write(10))
    read(small)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--entries", type=int, default=50_000)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    spawn = multiprocessing.get_context("spawn")
    found = []
    for position in range(len(READERS)):
        results = spawn.Queue()
        process = spawn.Process(target=measured, args=(position, chosen.entries, results))
        process.start()
        found.append(results.get(timeout=300))
        process.join()
    grid = Grid(*found[0], title=f"{chosen.entries:,} entries")
    for row in found:
        grid.add_row(*map(str, row.values()))
    Console(width=110).print(grid)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
