"""An OData V2 service that pages, on loopback: Pyslet (BSD) over the SAP-shaped ledger in `paging-odata/`.

It stands in for what mock-sap does not do: pages that the service cuts ($skiptoken), two company codes, two currencies,
instalments, credit notes, an exact change stamp. It tracks no changes (no delta links).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.systems.environments import environment
from pipelines.systems.mock_sap import answers
from pipelines.systems.processes import free_port, server

FOLDER = Path(__file__).with_name("paging-odata")
PATH = "/sap/opu/odata/sap/ZAR_LEDGER_SRV"
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class PagingOData:
    """Where it listens and who may ask; `page_rows` is the most that a page holds."""

    url: str
    user: str
    password: str
    page_rows: int


@contextmanager
def paging_odata(cache: Path, *, page_rows: int = 50) -> Iterator[PagingOData]:
    """A fresh service over `customers.csv` and `items.csv`; it is gone when the block is left.

    The environment is kept in `cache`. `StateError` with the end of the log where it does not start.
    """
    requirements = (FOLDER / "build-requirements.txt", FOLDER / "requirements.txt")
    python = environment(cache, "paging-odata", *requirements) / "python"
    port, user, password = free_port(), "DUECAST", "not-a-secret"
    url = f"http://127.0.0.1:{port}"
    with TemporaryDirectory() as folder:
        command = [str(python), str(FOLDER / "serve.py"), str(port), user, password, str(page_rows)]
        log = Path(folder) / "log"
        with server("the paging OData service", command, log, ready=lambda: answers(f"{url}/"), seconds=_START_SECONDS):
            yield PagingOData(url, user, password, page_rows)
