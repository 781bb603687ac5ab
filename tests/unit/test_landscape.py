"""The landscape: what a file of systems may say, and the connections that come of it."""

from pathlib import Path

import pytest

from features.errors import BadSetting, NotFound
from pipelines.bank.arrivals import Folder
from pipelines.bank.mailbox import BankMailbox
from pipelines.bank.sftp import SftpFolder
from pipelines.connections import arrivals_of, orders_of, source_of
from pipelines.connectors.hubspot_orders import HubSpotOrders
from pipelines.connectors.rest import RestSource
from pipelines.connectors.sap import SapSource
from pipelines.landscape import EXAMPLE, Landscape, kind_of, load_landscape, parse_landscape

BANK = "bank: {folder: in, accounts: {main: {number: DE02, entity: DE01, currency: EUR}}}"


def landscape(tmp_path: Path, system: str) -> Landscape:
    return parse_landscape(f"systems:\n  it:\n    {system}\n", "l.yaml", tmp_path)


def test_the_example_is_a_landscape() -> None:
    found = load_landscape(EXAMPLE)
    assert [(name, kind_of(found.system(name))) for name in found.names] == [
        ("erp", "tryton"),
        ("crm", "hubspot"),
        ("sap", "odata"),
        ("house-bank", "bank"),
    ]
    assert found.system("erp").every_minutes == 1440


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("{}", "systems.it has no connection; allowed: one of rest, tryton, odata, bank, hubspot"),
        (f"{{rest: {{url: u, token_file: t}}, {BANK}}}", "systems.it has rest and bank; allowed: one of"),
        ("odata: {url: u, companies: {}}", "systems.it.odata: allowed: user and password_file, or oauth"),
        ("odata: {url: u, companies: {}, user: x}", "allowed: user and password_file, or oauth"),
        ("bank: {accounts: {}}", "systems.it.bank has no place; allowed: one of folder, sftp, mailbox"),
        ("bank: {folder: in, mailbox: u, accounts: {}}", "has folder and mailbox; allowed: one of"),
        ("bank: {folder: in, accounts: {}}", "systems.it.bank.accounts is empty; allowed: at least one account"),
        (BANK.replace("EUR", "EURO"), "accounts.main.currency is 'EURO'; allowed: an ISO 4217 code"),
        ("rest: {url: u}", "token_file"),
        (
            "hubspot: {token_file: t, erp: books, deals: {entities: {default: DE01}, currency: EUR}}",
            "systems.it.hubspot.erp is 'books'; allowed: an ERP that takes orders: none is declared",
        ),
        ("rest: {url: u, token_file: t, token: secret}", "token"),
        ("tryton: {url: u, database: d, key_file: k, overlap_minutes: -1}", "overlap_minutes"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, system: str, said: str) -> None:
    with pytest.raises(BadSetting) as caught:
        landscape(tmp_path, system)
    assert said in str(caught.value)
    assert str(caught.value).startswith("l.yaml")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        (
            "main: {number: DE03, entity: DE01, currency: EUR}",
            "are both 'main' of DE01; allowed: one account of a name",
        ),
        ("side: {number: de 02, entity: DE01, currency: EUR}", "have the same number and currency; allowed: each"),
        ("main: {number: DE02, entity: UK01, currency: EUR}", "have the same number and currency"),
    ],
)
def test_an_account_is_declared_once_in_all_banks(tmp_path: Path, accounts: str, said: str) -> None:
    other = f"bank: {{folder: out, accounts: {{{accounts}}}}}"
    with pytest.raises(BadSetting) as caught:
        landscape(tmp_path, f"{BANK}\n  that:\n    {other}")
    assert str(caught.value).startswith("l.yaml: systems.that.bank.accounts.")
    assert "systems.it.bank.accounts.main" in str(caught.value)
    assert said in str(caught.value)


def test_banks_may_name_accounts_alike_in_other_books_and_number_them_alike_in_another_currency(tmp_path: Path) -> None:
    other = "bank: {folder: out, accounts: {main: {number: DE02, entity: UK01, currency: GBP}}}"
    assert landscape(tmp_path, f"{BANK}\n  that:\n    {other}").names == ("it", "that")


def test_a_file_that_is_not_there_and_a_system_that_is_not_in_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no landscape at .*none\.yaml; allowed: a YAML file like landscape-example"):
        load_landscape(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_bytes(b"\xff")
    with pytest.raises(BadSetting, match="cannot be read as UTF-8"):
        load_landscape(tmp_path / "broken.yaml")
    with pytest.raises(NotFound, match=r"l.yaml: no system 'itt'; there are: it; did you mean 'it'\?"):
        landscape(tmp_path, BANK).system("itt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"  \n", "holds no secret"),
        (b"\xff", "no ASCII text"),
        (b"x" * 20_000, "no secret"),
        (b"a\nb", "no secret"),
    ],
)
def test_a_secret_that_is_none_is_named_by_its_file(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "t").write_bytes(content)
    with pytest.raises(BadSetting, match=r"l\.yaml: ") as caught:
        landscape(tmp_path, BANK).secret("t")
    assert said in str(caught.value)


def test_a_secret_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(" hush \n")
    assert landscape(tmp_path, BANK).secret("t") == "hush"


def test_systems_open_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hush")
    with source_of(landscape(tmp_path, "rest: {url: 'http://127.0.0.1:9', token_file: s}"), "it") as source:
        assert isinstance(source, RestSource)
    books = "{name: A, currency: USD, time_zone: UTC}"
    sap = f"odata: {{url: 'http://127.0.0.1:9', user: u, password_file: s, companies: {{'1710': {books}}}}}"
    with source_of(landscape(tmp_path, sap), "it") as source:
        assert isinstance(source, SapSource)
    oauth = sap.replace(
        "user: u, password_file: s", "oauth: {token_url: 'http://127.0.0.1:9', client_id: c, secret_file: s}"
    )
    with source_of(landscape(tmp_path, oauth), "it") as source:
        assert isinstance(source, SapSource)
    with arrivals_of(landscape(tmp_path, BANK), "it") as arrivals:
        assert arrivals == Folder(tmp_path / "in")
    sftp = "sftp: {host: h, user: u, folder: f, known_hosts: k, key_file: /keys/id}"
    with arrivals_of(landscape(tmp_path, BANK.replace("folder: in", sftp)), "it") as arrivals:
        assert isinstance(arrivals, SftpFolder)
        assert (arrivals.known_hosts, arrivals.key) == (tmp_path / "k", Path("/keys/id"))
    with arrivals_of(
        landscape(tmp_path, BANK.replace("folder: in", "mailbox: 'http://127.0.0.1:9'")), "it"
    ) as arrivals:
        assert isinstance(arrivals, BankMailbox)


def test_a_crm_opens_as_won_orders(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hush")
    found = load_landscape(EXAMPLE)
    text = EXAMPLE.read_text().replace("secrets/crm.token", "s")
    with orders_of(parse_landscape(text, "l.yaml", tmp_path), "crm") as crm:
        assert isinstance(crm, HubSpotOrders)
    with (
        pytest.raises(BadSetting, match=r"systems\.erp is no CRM; allowed: a system with `hubspot`"),
        orders_of(found, "erp"),
    ):
        pass


def test_a_system_is_not_opened_as_what_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hush")
    with (
        pytest.raises(BadSetting, match=r"systems\.it is a bank; allowed: rest, tryton or odata"),
        source_of(landscape(tmp_path, BANK), "it"),
    ):
        pass
    rest = landscape(tmp_path, "rest: {url: 'http://127.0.0.1:9', token_file: s, mapping: ibm-ar}")
    with (
        pytest.raises(BadSetting, match=r"systems\.it is no bank; allowed: a system with `bank`"),
        arrivals_of(rest, "it"),
    ):
        pass
    with pytest.raises(BadSetting, match="mapping 'ibm-ar' is not for an API"), source_of(rest, "it"):
        pass
