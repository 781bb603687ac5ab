"""How fast invoices come through the REST connector into the lake: rows a CPU-second of ours, and peak memory.

    python tests/bench/bench_rest.py [--rows 1000000] [--json OUT]

The server is another process, whose work is not counted. Beside it stands what a plain loop would need that decodes the
same pages and does nothing with them.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ROWS = int(sys.argv[1])
ENTITY = ('{"id":"US01","company":"US01","changed_at":"2024-01-01T00:00:00Z","deleted":false,'
          '"name":"US","country":"US","currency":"USD","time_zone":"UTC"}')

def invoice(n):
    day = f"2024-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}"
    amount = f"{n % 90000 + 10}.{n % 100:02d}"
    return (f'{{"id":"INV-{n:08d}","company":"US01","changed_at":"{day}T08:00:00.{n % 1000000:06d}Z","deleted":false,'
            f'"customer_id":"C{n % 5000:05d}","issue_date":"{day}","currency":"USD","amount":"{amount}",'
            f'"instalments":[{{"number":1,"due_date":"2025-03-01","amount":"{amount}"}}],'
            f'"order_id":"SO-{n // 3:08d}"}}')

class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 0))
        if url.path.endswith("/totals"):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if url.path.endswith("/entity"):
            records, more = [ENTITY], None
        else:
            end = min(start + limit, ROWS)
            records, more = [invoice(n) for n in range(start, end)], end if end < ROWS else None
        text = f'"{more}"' if more is not None else "null"
        body = ('{"data":[' + ",".join(records) + f'],"next_cursor":{text}}}').encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
MAPPING = "source: bench\nrest: {tables: [entity, invoice], page_size: 1000}\n"


def measured(rows: int) -> dict[str, float]:
    from features.lake import Lake
    from features.tables import INVOICE
    from pipelines.connectors.rest import RestClient
    from pipelines.ingest import ingest_rest
    from pipelines.mapping import parse
    from services.store import Store

    mapping = parse(MAPPING, "bench.yaml")
    with subprocess.Popen([sys.executable, "-c", SERVER, str(rows)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/state.db") as store:
                lake, before, started = Lake(Path(folder) / "lake"), time.process_time(), time.perf_counter()
                peaks = [_peak()]
                with RestClient(url, "token") as client:
                    report = ingest_rest(client, mapping, lake, store, now=datetime(2026, 1, 1, tzinfo=UTC))
                spent, took = time.process_time() - before, time.perf_counter() - started
                peaks.append(_peak())
                assert report.counts.landed == rows + 1, report.counts
                assert lake.versions(INVOICE).select(pl.len()).collect().item() == rows
                decoding = _decoding(url, rows)
        finally:
            server.kill()
    return {
        "rows": rows,
        "rows_a_cpu_second": rows / spent,
        "cpu_seconds": spent,
        "seconds": took,
        "peak_mb_at_start": peaks[0],
        "peak_mb": peaks[1],
        "decoding_alone_rows_a_cpu_second": rows / decoding,
    }


def _decoding(url: str, rows: int) -> float:
    """CPU-seconds of httpx and json alone, on a tenth of the pages, scaled up."""
    import httpx

    pages = max(rows // 10_000, 1)
    with httpx.Client(base_url=url) as client:
        before = time.process_time()
        for page in range(pages):
            json.loads(client.get("/api/v1/invoice", params={"limit": 1000, "cursor": page * 1000}).content)
        return (time.process_time() - before) * rows / (pages * 1000)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, metavar="OUT")
    given = parser.parse_args()
    found = measured(given.rows)
    for name, value in found.items():
        print(f"{name:36s} {value:14,.1f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
