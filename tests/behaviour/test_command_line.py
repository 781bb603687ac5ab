"""The command line as a user meets it: a ledger in, predictions out, and what it says when something is wrong."""

import json
import random
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from models.champion import champion, load
from pipelines.cli import SCORE_ENDINGS, run
from pipelines.score import FORMATS, score
from services.predictor import BookPredictor
from services.sandbox.erp import serving
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.schemas import ByIdQuestion, Prediction

HEADER = "countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,SettledDate"
CUSTOMERS, INVOICES = 12, 20
FIRST = date(2023, 1, 2)
BASELINES = {"due_date", "customer_average", "customer_quantiles", "lightgbm_quantiles"}
NAMES = ("late.roc_auc", "late.average_precision", "late.brier", "days.mae", "days.pinball", "days.coverage_80")


def american(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"


def ledger_lines() -> list[str]:
    """Half of the customers pay 5 days early, half 12 late; the newest invoices are still open."""
    chance, lines = random.Random(3), [HEADER]
    for customer in range(CUSTOMERS):
        habit = 12 if customer % 2 else -5
        for number in range(INVOICES):
            issued = FIRST + timedelta(days=number * 18 + customer)
            due = issued + timedelta(days=30)
            paid = due + timedelta(days=habit + chance.randint(-2, 2))
            settled = american(paid) if number < INVOICES - 2 else ""
            amount = f"{chance.randint(1_000, 90_000) / 100:.2f}"
            lines.append(
                f"391,C{customer:02},{american(FIRST)},{customer:02}{number:03},{american(issued)},{american(due)},"
                f"{amount},{settled}"
            )
    return lines


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger, a lake made from it, and a champion trained on that."""
    root = tmp_path_factory.mktemp("cli")
    (root / "data").mkdir()
    (root / "data" / "ledger.csv").write_text("\n".join(ledger_lines()) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUECAST_LAKE", str(root / "lake"))
        patch.setenv("DUECAST_MLRUNS", str(root / "mlruns"))
        patch.setenv("DUECAST_STATE_URL", f"sqlite:///{root}/state.db")
        assert run(["ingest", "--data", str(root / "data"), "--mapping", "ibm-ar"]) == 0
        assert run(["train", "--report", str(root / "report")]) == 0
    return root


@pytest.fixture
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUECAST_LAKE", str(home / "lake"))
    monkeypatch.setenv("DUECAST_MLRUNS", str(home / "mlruns"))
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{home}/state.db")
    return home


@pytest.mark.slow
def test_training_leaves_a_champion_a_report_and_a_digest_for_every_file(inside: Path) -> None:
    version = champion(inside / "mlruns")
    assert version is not None
    assert version.lake_versions.keys() >= {"invoice", "allocation"}
    assert {"model.json", "explainer.txt"} <= {Path(name).name for name in version.files}
    assert {"report.md", "report.json"} <= {p.name for p in (inside / "report").iterdir()}


@pytest.mark.slow
def test_ingesting_the_same_folder_again_adds_nothing(inside: Path) -> None:
    before = Lake(inside / "lake").table_versions()
    assert run(["ingest", "--data", str(inside / "data"), "--mapping", "ibm-ar"]) == 0
    assert Lake(inside / "lake").table_versions() == before


@pytest.mark.slow
def test_score_and_service_say_the_same_to_the_last_bit(inside: Path) -> None:
    version = champion(inside / "mlruns")
    assert version is not None
    lake = Lake(inside / "lake")
    service = BookPredictor(version, load(version, inside / "mlruns"), Book(Facts.read(lake)))
    for as_of in (None, date(2023, 12, 20)):
        scored = score(lake, inside / "mlruns", as_of=as_of)
        assert len(scored) >= CUSTOMERS
        for told in scored[:10]:
            question = ByIdQuestion(entity_id=told.entity_id, invoice_ids=[told.invoice_id], as_of=as_of)
            assert service.by_id(question).predictions == [told]


@pytest.mark.slow
def test_slow_payers_are_expected_later_than_quick_ones(inside: Path) -> None:
    days: dict[bool, list[int]] = {True: [], False: []}
    for p in score(Lake(inside / "lake"), inside / "mlruns"):
        assert p.expected_date is not None
        days[int(p.customer_id[1:]) % 2 == 1].append((p.expected_date - p.due_date).days)
    assert min(days[True]) > max(days[False])


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["json", "csv", "parquet"])
def test_score_writes_every_prediction(inside: Path, ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"told.{ending}"
    assert run(["score", "--out", str(out)]) == 0
    if ending == "json":
        ids = {p.invoice_id for p in msgspec.json.decode(out.read_bytes(), type=list[Prediction])}
    else:
        read = pl.read_csv if ending == "csv" else pl.read_parquet
        ids = set(read(out)["invoice_id"].cast(pl.String).str.zfill(5))
    assert len(ids) == 2 * CUSTOMERS


@pytest.mark.slow
def test_evaluate_writes_the_names_that_are_promised(inside: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ["evaluate", "--data", str(inside / "data"), "--mapping", "ibm-ar", "--json", str(out)]
    window = ["--cutoff", "2023-08-01", "--until", "2023-10-01", "--late-days", "5", "--history", "frozen"]
    assert run([*arguments, *window, "--report", str(tmp_path / "report")]) == 0
    found = json.loads(out.read_text())
    assert found["data"]["late_days"] == 5
    assert found["data"]["history"] == "frozen"
    for block in (found, *found["baselines"].values()):
        for name in NAMES:
            assert name in block
            assert block["intervals"][f"{name}.low"] <= block[name] <= block["intervals"][f"{name}.high"]
    assert set(found["baselines"]) == BASELINES
    assert {p.suffix for p in (tmp_path / "report").iterdir()} == {".md", ".json", ".png"}

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{inside}/mlruns/mlflow.db")
    [run_of_it, *_] = client.search_runs([client.get_experiment_by_name("payment-date").experiment_id])  # newest first
    assert run_of_it.data.params["late_days"] == "5"
    assert {name: run_of_it.data.metrics[name] for name in NAMES} == {name: found[name] for name in NAMES}
    kept = {Path(a.path).name for a in client.list_artifacts(run_of_it.info.run_id, "report")}
    assert kept == {p.name for p in (tmp_path / "report").iterdir()}


@pytest.fixture
def spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder `data` whose lines 3 to 11 say a due date that does not exist; its lines, the header's first."""
    monkeypatch.chdir(tmp_path)
    lines = ledger_lines()
    for number in range(2, 11):
        fields = lines[number].split(",")
        lines[number] = ",".join([*fields[:5], "2/30/2023", *fields[6:]])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.csv").write_text("\n".join(lines) + "\n")
    return lines


@pytest.mark.parametrize("command", [["ingest"], ["evaluate", "--cutoff", "2022-01-01"]])
def test_every_row_that_was_set_aside_can_be_kept_with_its_place_and_reason(
    command: list[str], spoilt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run([*command, "--data", "data", "--mapping", "ibm-ar", "--quarantine", "aside.csv"])
    told = " ".join(capsys.readouterr().out.split())
    assert "--quarantine OUT.csv writes them to a file" in told
    assert "Set aside: aside.csv" in told
    found = pl.read_csv("aside.csv").filter(table="invoice")
    assert found["where"].to_list() == [f"ledger.csv line {number}" for number in range(3, 12)]
    assert set(found["field"]) == {"due_date"}
    assert set(found["value"]) == {"2/30/2023"}
    assert found["allowed"].str.contains("date").all()
    for payload, line in zip(found["payload"], spoilt[2:11], strict=True):
        assert line.split(",")[3] in payload


MISTAKES = {
    "no such command": (["forecast"], "No such command 'forecast'"),
    "not a date": (["score", "--as-of", "soon"], "'soon' does not match the formats '%Y-%m-%d'"),
    "no source": (["ingest", "--mapping", "ibm-ar"], "one of --data FOLDER, --url URL, --system NAME"),
    "no mapping": (["ingest", "--data", "."], "--mapping is missing"),
    "unknown mapping": (["ingest", "--data", ".", "--mapping", "ibm"], "ibm"),
    "no folder": (["ingest", "--data", "nowhere", "--mapping", "ibm-ar"], "nowhere"),
    "no token": (["ingest", "--url", "http://127.0.0.1:9", "--mapping", "sandbox"], "--token-file"),
    "empty lake": (["train"], "empty"),
    "nothing to evaluate": (["evaluate"], "empty"),
    "no model": (["score"], "duecast train"),
    "bad origin count": (["evaluate", "--origins", "0"], "--origins"),
    "mapping without data": (["evaluate", "--mapping", "ibm-ar"], "--mapping ibm-ar without --data; allowed: both"),
    "data without mapping": (["evaluate", "--data", "."], "--data needs --mapping; allowed: ibm-ar"),
    "quarantine of nothing": (["evaluate", "--quarantine", "q.csv"], "--quarantine q.csv without --data"),
    "quarantine of another kind": (["evaluate", "--quarantine", "q.txt"], "--quarantine q.txt ends in '.txt'; allowed"),
    "no folder for figures": (["evaluate", "--json", "no/out.json"], "--json no/out.json: there is no folder no;"),
    "figures in a folder": (["evaluate", "--json", "."], "--json . is a folder; allowed: a file"),
    "report in a file": (["evaluate", "--report", "file"], "--report file: file is a file; allowed: a folder"),
    "report below a file": (["train", "--report", "file/in"], "--report file/in: file is a file; allowed: a folder"),
    "models in a file": (["score", "--mlruns", "file"], "--mlruns file: file is a file; allowed: a folder"),
    "demo in a file": (["demo", "--keep", "file"], "--keep file: file is a file; allowed: a folder"),
    "unknown ending": (["score", "--out", "x.xls"], "--out x.xls ends in '.xls'; allowed: .parquet, .csv, .json"),
    "no folder for predictions": (["score", "--out", "no/x.csv"], "--out no/x.csv: there is no folder no;"),
    "a token that is no text": (
        ["ingest", "--url", "http://127.0.0.1:9", "--mapping", "sandbox", "--token-file", "binary"],
        "--token-file binary is not text; allowed: a file that holds the API's token",
    ),
    "open door": (["serve", "--host", "0.0.0.0"], "DUECAST_API_KEYS"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_with_2_and_one_clear_line(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    arguments, said = MISTAKES[mistake]
    assert run(arguments) == 2
    assert said in one_line(capsys)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on stderr."""
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith("duecast: ")
    return told


def test_a_place_that_only_the_system_knows_to_be_wrong_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setenv("DUECAST_MLRUNS", "file")
    assert run(["score"]) == 2
    assert one_line(capsys) == f"duecast: {tmp_path / 'file' / 'champion.json'}: Not a directory"


def test_the_endings_that_are_told_are_those_that_are_written() -> None:
    assert SCORE_ENDINGS == FORMATS


@pytest.mark.parametrize(
    ("rows", "window", "said"),
    [
        (2, [], "receivables run from 2023-01-02 to 2023-01-20; choose a cutoff and an until within that"),
        (20, ["--cutoff", "2022-01-01"], "nothing was issued before 2022-01-01: nothing to learn from"),
        (20, ["--cutoff", "2022-01-01"], "the ledger's receivables run from 2023-01-02 to 2023-12-10; choose"),
        (20, ["--cutoff", "2022-01-01", "--until", "2022-02-01"], "run from 2023-01-02 to 2023-12-10; choose"),
    ],
)
def test_a_ledger_too_small_or_too_young_for_the_question_ends_with_2_and_its_days(
    rows: int, window: list[str], said: str, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.csv").write_text("\n".join(ledger_lines()[: rows + 1]) + "\n")
    assert run(["evaluate", "--data", "data", "--mapping", "ibm-ar", *window]) == 2
    assert said in one_line(capsys)


def test_a_source_that_refuses_our_token_ends_with_3_and_keeps_it_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("not-the-token")
    with serving(simulate(WorldOptions(customers=2, years=1))) as erp:
        assert run(["ingest", "--url", erp.base_url, "--mapping", "sandbox", "--token-file", "token"]) == 3
    told = capsys.readouterr()
    assert "401" in told.err
    assert "not-the-token" not in told.err + told.out


def test_help_imports_nothing_heavy() -> None:
    heavy = ("polars", "numpy", "mlflow", "lightgbm", "bentoml", "pandas", "sklearn", "httpx", "sqlalchemy")
    code = (
        "import sys; from pipelines.cli import run; run(['--help']); "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for command in ("demo", "ingest", "train", "evaluate", "score", "serve"):
        assert command in done.stdout


def test_ctrl_c_ends_with_a_word(tmp_path: Path) -> None:
    program = "import sys, time, typer\nfrom pipelines import cli\n@cli.app.command()\ndef wait() -> None:\n"
    program += "    print('ready', flush=True)\n    time.sleep(60)\nsys.exit(cli.run(['wait']))"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert (process.returncode, told.strip()) == (130, "duecast: stopped")
