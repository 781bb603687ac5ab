"""The generated tables of the READMEs, and that everything declared says what it is."""

from pathlib import Path

import pytest

from features.catalogue import attribute_features, catalogue
from features.errors import StateError
from features.tables import TABLES
from pipelines import catalogues
from services.sandbox.payers import TYPES

SHORTEST = 6
MARKED = "# Title\n<!-- catalogue:customer-types -->\nold\n<!-- /catalogue -->\nend\n"


def test_a_marked_table_is_made_anew_and_the_rest_is_left_alone() -> None:
    text = catalogues.regenerated(MARKED)
    assert text.startswith("# Title\n<!-- catalogue:customer-types -->\n| type | share | what it does |\n")
    assert text.endswith("\n<!-- /catalogue -->\nend\n")
    assert "old" not in text
    assert catalogues.regenerated(text) == text


def test_a_table_that_nobody_declares_is_named() -> None:
    with pytest.raises(StateError, match=r"^no catalogue 'toys'; there are: tables, features, "):
        catalogues.regenerated("<!-- catalogue:toys -->\n<!-- /catalogue -->")


def test_check_tells_of_what_is_stale_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    readme, hidden = tmp_path / "rooms" / "README.md", tmp_path / ".venv" / "README.md"
    for path in (readme, hidden):
        path.parent.mkdir()
        path.write_text(MARKED)
    assert catalogues.main(["--check"]) == 1
    assert capsys.readouterr().err == "out of date: rooms/README.md; run `make docs` and commit\n"
    assert readme.read_text() == MARKED
    assert catalogues.main([]) == 0
    assert readme.read_text() != MARKED == hidden.read_text()
    assert catalogues.main(["--check"]) == 0


def test_everything_declared_says_what_it_is() -> None:
    docs = [d.doc for d in (*catalogue(), *attribute_features(("x",)))]
    docs += [t.doc for t in (*TABLES, *TYPES)]
    docs += sorted({c.doc for t in TABLES for c in t.columns})
    assert [doc for doc in docs if len(doc) < SHORTEST or doc != doc.strip()] == []


def test_no_two_attributes_make_features_of_one_name() -> None:
    attributes = ("x", "x_usual", "x_change", "x_age", "usual_attribute_x", "change_x", "age")
    names = [d.name for d in catalogue(attributes)]
    assert len(set(names)) == len(names)
