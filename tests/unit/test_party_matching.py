from datetime import UTC, datetime
from typing import Any

import pytest

from features.errors import BadInput, BadSetting
from pipelines.parties.candidates import BUCKET_LIMIT, candidate_pairs
from pipelines.parties.clusters import proposal
from pipelines.parties.matching import Comparison, Matcher, Thresholds, Verdict
from pipelines.parties.records import PartyRecord, by_ref, sphere
from pipelines.parties.similarity import word_ratio

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def record(number: int, name: str, **told: Any) -> PartyRecord:
    return PartyRecord(
        **{"system": "erp", "record_id": str(number), "role": "customer", "updated_at": NOW} | told, name=name
    )


def compared(a: dict[str, Any], b: dict[str, Any], **settings: Any) -> Comparison:
    one, other = record(1, **a), record(2, **b)
    background = [record(n, f"background{n} foods") for n in range(3, 13)]
    matcher = Matcher.learnt([one, other, *background], **settings)
    there, back = (matcher.compare(matcher.read(x), matcher.read(y)) for x, y in ((one, other), (other, one)))
    assert (there.score, there.verdict, there.contradicted) == (back.score, back.verdict, back.contradicted)
    return there


SAME, REVIEW, DIFFERENT = Verdict.SAME, Verdict.REVIEW, Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("a", "b", "verdict", "evidence"),
    [
        ({"name": "Acme Ltd"}, {"name": "ACME"}, SAME, "agree: acme"),
        ({"name": "Vandelay Imports"}, {"name": "Vandelay Motors"}, DIFFERENT, "differ: imports | motors"),
        ({"name": "Northwinds Trading"}, {"name": "Trading Northwynds"}, SAME, "northwinds ~ northwynds"),
        ({"name": "Norton Foods"}, {"name": "Morton Foods"}, REVIEW, "norton ~ morton"),
        ({"name": "Norton Wax Paper Cup Trading"}, {"name": "Morton Wax Paper Cup Trading"}, REVIEW, "norton ~ morton"),
        ({"name": "Del Haizze"}, {"name": "Delhaize"}, REVIEW, "differ: del haizze | delhaize"),
        ({"name": "Del Haize"}, {"name": "Delhaize"}, SAME, ""),
        ({"name": "Store 7 Eleven"}, {"name": "Store 8 Eleven"}, DIFFERENT, "differ"),
        ({"name": "Acme GmbH"}, {"name": "Acme AG"}, REVIEW, "different legal forms"),
        ({"name": "Acme", "country": "DE"}, {"name": "Acme", "country": "FR"}, REVIEW, "different countries"),
        ({"name": "Acme", "city": "Ulm"}, {"name": "Acme", "city": "Bonn"}, SAME, "different cities"),
        ({"name": "Acme", "vat_id": "DE 1.2"}, {"name": "Acme", "vat_id": "DE3"}, REVIEW, "different VAT ids"),
        ({"name": "Acme", "vat_id": "DE 1.2"}, {"name": "Acme Foods", "vat_id": "de12"}, SAME, "same VAT id"),
        ({"name": "Acme", "vat_id": "DE12"}, {"name": "Globex", "vat_id": "DE12"}, REVIEW, "same VAT id"),
        ({"name": "Acme", "bank_account": "X1"}, {"name": "Acme Foods", "bank_account": "x 1"}, SAME, "bank"),
        ({"name": "Acme", "bank_account": "X1"}, {"name": "Globex", "bank_account": "X1"}, REVIEW, "bank"),
        (
            {"name": "Acme", "email_domain": "a.io"},
            {"name": "Acme Trading", "email_domain": "A.IO"},
            REVIEW,
            "same e-mail domain",
        ),
        ({"name": "C"}, {"name": "C"}, REVIEW, "one letter"),
        ({"name": "!"}, {"name": "?"}, DIFFERENT, "one letter"),
        ({"name": "C", "vat_id": "DE1"}, {"name": "C", "vat_id": "DE1"}, SAME, "same VAT id"),
    ],
)
def test_verdict_and_evidence(a: dict[str, Any], b: dict[str, Any], verdict: Verdict, evidence: str) -> None:
    found = compared(a, b)
    assert found.verdict is verdict
    assert evidence in "; ".join(found.evidence)


def test_different_vat_ids_in_one_country_hold_against_one_bank_account() -> None:
    told = {"name": "Acme", "country": "DE", "bank_account": "X1"}
    found = compared({**told, "vat_id": "DE1"}, {**told, "vat_id": "DE2"})
    assert (found.verdict, found.contradicted) == (REVIEW, True)


def test_one_vat_id_outweighs_a_country_and_a_legal_form() -> None:
    told = {"vat_id": "DE1"}
    found = compared({"name": "Acme AG", "country": "DE", **told}, {"name": "Acme GmbH", "country": "AT", **told})
    assert (found.verdict, found.contradicted) == (SAME, False)


def test_an_address_that_anybody_can_have_says_nothing() -> None:
    told = {"email_domain": "gmail.com"}
    assert compared({"name": "Acme", **told}, {"name": "Acme Trading", **told}).verdict is DIFFERENT


def test_a_name_known_to_be_shared_is_for_a_person() -> None:
    assert compared({"name": "Acme"}, {"name": "Acme"}, shared_names=frozenset({"acme"})).verdict is REVIEW


@pytest.mark.parametrize("x", ["acme", "a1234567"])
def test_short_words_and_numbers_are_never_alike(x: str) -> None:
    assert word_ratio(x[:3], x[:2] + "z") == 0.0
    assert word_ratio(x, x) == 1.0
    assert word_ratio("a1234567", "a1234568") == 0.0


def test_thresholds_are_checked() -> None:
    for same, review in ((0.5, 0.6), (1.1, 0.5), (0.5, 0.0)):
        with pytest.raises(BadSetting, match="review <= same"):
            Thresholds(same, review)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"role": "bank"}, "role is 'bank'"),
        ({"system": "a:b"}, "no colon"),
        ({"record_id": " "}, "record_id is empty"),
        ({"updated_at": datetime(2024, 1, 1)}, "no time zone"),  # noqa: DTZ001
    ],
)
def test_a_broken_record_is_refused(told: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        record(1, "Acme", **told)


def test_one_record_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="there twice"):
        by_ref([record(1, "Acme"), record(1, "Acme Ltd")])


@pytest.mark.parametrize("ref", ["x", "e:bank:erp:1", "e:customer:erp:", "e:customer::1"])
def test_what_is_no_ref_is_refused(ref: str) -> None:
    with pytest.raises(BadInput, match="no record is called"):
        sphere(ref)


def grouped(records: list[PartyRecord], **settings: Any) -> list[list[str]]:
    found = proposal(records, Matcher.learnt(records, **settings)).groups
    return sorted(sorted(ref.rsplit(":")[-1] for ref in group) for group in found)


def test_roles_and_entities_are_not_mixed() -> None:
    records = [record(1, "Acme"), record(2, "Acme", role="vendor"), record(3, "Acme", entity_id="US01")]
    assert grouped(records) == [["1"], ["2"], ["3"]]


def test_a_chain_of_small_steps_does_not_hold() -> None:
    records = [record(1, "Acme AG"), record(2, "Acme"), record(3, "Acme GmbH")]
    groups = grouped(records)
    assert ["1", "3"] not in groups
    assert ["1", "2", "3"] not in groups
    assert len(groups) == 2


def test_two_vat_ids_do_not_meet_through_a_record_without_one() -> None:
    records = [record(n, "Acme", vat_id=vat, country="DE") for n, vat in enumerate(("DE1", "DE2", None))]
    assert ["0", "1", "2"] not in grouped(records)
    assert len(grouped(records)) == 2


def test_every_two_groups_leave_one_question_at_most() -> None:
    records = [record(n, name) for n, name in enumerate(["Acme GmbH"] * 3 + ["Acme AG"] * 3)]
    found = proposal(records, Matcher.learnt(records))
    assert len(found.groups) == 2
    assert len(found.reviews) == 1


def test_a_big_bucket_costs_a_few_comparisons_each() -> None:
    record_count = 10 * BUCKET_LIMIT
    records = [record(n, "C") for n in range(record_count)]
    matcher = Matcher.learnt(records)
    pairs = candidate_pairs([matcher.read(r) for r in records])
    assert record_count - 1 <= len(pairs) < 30 * record_count


def test_nothing_comes_of_nothing() -> None:
    assert proposal([], Matcher.learnt([])).groups == ()


def test_rare_words_weigh_more() -> None:
    matcher = Matcher.learnt([record(n, f"firm{n} foods") for n in range(9)])
    assert matcher.rarity.weight("foods") < matcher.rarity.weight("firm1")
