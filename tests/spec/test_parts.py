"""What its sender wrote now: each line of a letter is drawn behind the kind that it must get.

n new text, h header of an earlier mail, q quoted, s signature, d disclaimer, b banner.
"""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.letters import Letter, Span
from nlp.parts import lines_of, new_text

DRAWN = {
    "a reply above Outlook's block": """
        n|Paid on Friday by transfer.
        n|
        s|Kind regards
        s|Ann Field, Accounts
        s|
        h|From: Credit Control <cc@seller.example>
        h|Sent: Monday, 3 March 2025 09:11
        h|To: ap@buyer.example
        h|Subject: Reminder
        q|
        q|INV-1 over 80.00 is overdue. If you have paid, ignore this mail.
    """,
    "answers between quoted lines": """
        n|See my answers.
        n|
        q|> 1) INV-1, 80.00
        n|Paid on Monday.
        q|> 2) INV-2, 95.00
        n|This one we dispute.
    """,
    "a header over three lines": """
        n|Geht morgen raus.
        n|
        h|Am Mo., 3. März 2025 um 09:11 Uhr
        h|schrieb Buchhaltung
        h|<debitoren@lieferant.example>:
        q|> Rechnung 4711 ist offen.
    """,
    "answers below the quote": """
        h|Le lun. 3 mars 2025 à 09:11, Relances <r@vendeur.example> a écrit :
        q|> La facture F-1 est impayée.
        n|
        n|Elle est partie hier.
    """,
    "a colleague's answer, forwarded": """
        n|Please see below.
        n|
        h|---------- Forwarded message ---------
        h|From: Stores <stores@buyer.example>
        h|Date: Mon, 3 Mar 2025
        h|Subject: pallets
        n|
        n|Two of the five pallets never came.
    """,
    "our own reminder, forwarded within their house": """
        n|Zur Kenntnis, bitte zahlen.
        n|
        h|Von: Mahnwesen <m@lieferant.example>
        h|Gesendet: Montag, 3. März 2025
        h|Betreff: Zahlungserinnerung
        q|
        q|Die Rechnung 4711 ist überfällig.
    """,
    "forwarded behind marks, below words of their own": """
        n|Salut, je vous laisse voir avec elle, moi je ne m'occupe plus de ces factures depuis juin.
        n|
        h|Début du message réexpédié :
        h|> De : Ilse <i@acheteur.example>
        h|> Objet : facture
        n|>
        n|> La TVA est fausse.
    """,
    "a letter about confidential things": """
        n|Dear Sirs
        n|
        n|Our client is in confidential discussions with its lender and asks for time until May.
        n|
        n|We look forward to hearing from you.
    """,
    "a reply whose history holds another reply": """
        n|No.
        h|-----Original Message-----
        h|From: cc@seller.example
        h|Sent: Monday
        q|Did you pay?
        h|On Fri, 28 Feb 2025, Ann <a@buyer.example> wrote:
        q|We shall pay on Monday.
    """,
    "a banner, a disclaimer and a phone": """
        b|[EXTERNAL] This message came from outside of the organisation.
        n|
        n|Wir kürzen um 80 Euro.
        s|Mit freundlichen Grüßen
        s|Tel. +49 711 1234
        s|
        d|Diese E-Mail ist vertraulich und nur für den Empfänger bestimmt.
    """,
    "a postscript counts": """
        n|Lo pagamos el viernes.
        s|Un saludo, Ana
        s|
        n|P.D. Falta el abono de 80 euros.
    """,
    "a sentence below the closing counts": """
        n|Danke für die Geduld.
        s|Viele Grüße
        s|Jo
        s|
        n|Übrigens fehlt uns noch immer die Gutschrift für die drei Paletten aus Lieferung 88.
    """,
    "a closing alone is what was written": """
        n|Thanks!
    """,
    "contact lines without a closing": """
        n|Bitte Rechnung 4711 nochmals senden.
        s|Tel. 0711 1234
        s|www.kaeufer.example
    """,
    "from the telephone": """
        n|pagado ayer
        s|Enviado desde mi iPhone
    """,
    "a sender named in a sentence is no header": """
        n|From: our side everything is settled.
        n|We wrote: please wait.
    """,
}
LETTERS = {"n": "new", "h": "header", "q": "quoted", "s": "signature", "d": "disclaimer", "b": "banner"}


def letter(body: str, subject: str = "Re: reminder") -> Letter:
    return Letter("m-1", date(2025, 3, 3), subject, body)


@pytest.mark.parametrize("name", DRAWN)
def test_lines(name: str) -> None:
    drawn = [line.strip().partition("|") for line in DRAWN[name].strip().splitlines()]
    told = lines_of(letter("\n".join(words for _, _, words in drawn)))
    assert [(line.kind.value, words) for line, (_, _, words) in zip(told, drawn, strict=True)] == [
        (LETTERS[kind], words) for kind, _, words in drawn
    ]


def test_a_forwarding_subject_makes_the_mail_below_content() -> None:
    body = "\nVon: Lager <l@kaeufer.example>\nAn: Einkauf\nBetreff: Paletten\n\nEs fehlen zwei Paletten."
    kinds = {subject: lines_of(letter(body, subject))[-1].kind.value for subject in ("WG: Paletten", "AW: Paletten")}
    assert kinds == {"WG: Paletten": "new", "AW: Paletten": "quoted"}


def test_new_text_begins_with_the_subject_and_counts_in_the_letters_text() -> None:
    wrote = letter("paid\n> did you?\nyes", "4711")
    assert [wrote.quote(span) for span in new_text(wrote)] == ["4711", "paid\n", "yes"]


def test_an_empty_body_leaves_the_subject() -> None:
    assert new_text(letter("", "4711")) == (Span(0, 4),)


PIECES = st.lists(
    st.sampled_from(
        [
            "> ",
            "\n",
            "From: a@b.c",
            "Sent: x",
            "On 3 March wrote:",
            "--",
            "Regards",
            "\r\n",
            "\u2028",
            "ﬀß",
            "paid",
            " ",
        ]
    ),
    max_size=60,
).map("".join)


@given(st.one_of(PIECES, st.text(max_size=200)))
def test_every_character_belongs_to_one_line(body: str) -> None:
    wrote = letter(body)
    assert "".join(wrote.quote(line.span) for line in lines_of(wrote)) == body
    spans = new_text(wrote)
    assert all(a.end < b.start or a == Span(0, len(wrote.subject)) for a, b in pairwise(spans))
