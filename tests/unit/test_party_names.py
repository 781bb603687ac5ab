import pytest

from pipelines.parties.names import MAX_LENGTH, Reader, learnt_endings, plain
from pipelines.parties.words import ABBREVIATIONS, ARTICLES, CONNECTORS, LEADING_FORMS, SAME_FORM, legal_forms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller GmbH", "MULLER G.m.b.H."),
        ("Søren's Café ApS", "Sorens Cafe A.P.S."),
        ("The Acme Company, Inc.", "ACME CO INC"),
        ("Smith & Sons Ltd", "Smith and Sons Limited"),
        ("Acme Intl", "Acme International"),
        ("Acme Store #123", "ACME"),
        ("Acme Store 12", "Acme"),
        ("Żabka Sp. z o.o.", "zabka"),
        ("株式会社日立", "日立"),
        ("PT Astra Tbk", "Astra"),
        ("Hacks  GmbH & Co. KG", "hacks"),
    ],
)
def test_two_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert Reader().read(one).key == Reader().read(other).key != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("Acme Foods", "Acme Motors"), ("Food 4", "Food 5"), ("Ben E", "Ben"), ("SA", "AG"), ("The P", "Q")],
)
def test_two_names_have_two_keys(one: str, other: str) -> None:
    assert Reader().read(one).key != Reader().read(other).key


def test_legal_forms_are_told_in_one_spelling() -> None:
    assert Reader().read("Acme Limited").forms == Reader().read("Acme Ltd.").forms == {"ltd"}
    assert Reader().read("Acme AG").forms == {"ag"}


def test_a_legal_form_stays_where_too_little_would_remain() -> None:
    assert Reader().read("S AB").words == ("s", "ab")
    assert Reader().read("co").words == ("co",)


@pytest.mark.parametrize("text", ["", "   ", "!!!", "&"])
def test_a_text_without_letters_is_a_name_without_words(text: str) -> None:
    assert Reader().read(text).words == ()


def test_what_is_too_long_is_cut_and_not_read() -> None:
    assert len(plain("ab " * 10_000)) <= MAX_LENGTH


def test_endings_are_learnt_from_spellings_alone() -> None:
    stems = [f"firm{n}" for n in range(30)]
    spellings = [f"{stem} {ending}" for stem in stems for ending in ("trust", "us")]
    spellings += [f"other{n} foods" for n in range(30)]  # ends many names, but none occurs in another way
    assert learnt_endings(spellings) == {"trust", "us"}


def test_a_rare_ending_is_not_learnt() -> None:
    assert learnt_endings([f"firm{n} {e}" for n in range(5) for e in ("trust", "us")]) == frozenset()


def test_an_ending_is_taken_off_once_as_it_is_spelled_and_contradicts_nothing() -> None:
    reader = Reader(frozenset({"us", "llc"}))
    assert reader.read("US us").words == ("us",)
    assert reader.read("Acme US").words == ("acme", "us")
    assert reader.read("Acme LLC").forms == frozenset()


def test_the_word_lists_are_written_as_names_are_read() -> None:
    words = [w for form in legal_forms() for w in form]
    words += [*ABBREVIATIONS, *ABBREVIATIONS.values(), *ARTICLES, *CONNECTORS, *LEADING_FORMS]
    assert [w for w in words if plain(w).replace(" ", "") != w] == []
    assert not set(SAME_FORM) & set(SAME_FORM.values())
