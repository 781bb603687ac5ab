"""Days that people name, resolved by the rules of the labels; received on Tuesday, 11 March 2025."""

from datetime import date

import pytest

from nlp.days import days_in
from nlp.plain import plain

DRAWN = """
    friday                    | 2025-03-14
    Tuesday                   | 2025-03-18
    next Thursday             | 2025-03-13
    kommenden Mittwoch        | 2025-03-12
    lundi prochain            | 2025-03-17
    viernes 21                | 2025-03-21
    vendredi dernier          | 2025-03-07
    KW 12                     | 2025-03-21
    KW 4                      | 2026-01-23
    la semaine 47             | 2025-11-21
    end of next week          | 2025-03-21
    Ende nächster Woche       | 2025-03-21
    week of 12 May            | 2025-05-16
    this week                 | 2025-03-14
    end of the month          | 2025-03-31
    Ende des Monats           | 2025-03-31
    Monatsende                | 2025-03-31
    fin avril                 | 2025-04-30
    a finales de mes          | 2025-03-31
    Ende Februar              | 2026-02-28
    end of next month         | 2025-04-30
    end of quarter            | 2025-03-31
    fin de trimestre          | 2025-03-31
    mid July                  | 2025-07-15
    Mitte Juli                | 2025-07-15
    mi-juillet                | 2025-07-15
    mediados de junio         | 2025-06-15
    in 10 days                | 2025-03-21
    binnen 10 Tagen           | 2025-03-21
    dans dix jours            | 2025-03-21
    dentro de dos semanas     | 2025-03-25
    within 7 days of receipt  | None
    binnen 5 Tagen nach Erhalt | None
    tomorrow                  | 2025-03-12
    übermorgen                | 2025-03-13
    après-demain              | 2025-03-13
    pasado mañana             | 2025-03-13
    the 15th                  | 2025-03-15
    le 5                      | 2025-04-05
    el día 15                 | 2025-03-15
    zum 20.                   | 2025-03-20
    30.9.                     | 2025-09-30
    28/03                     | 2025-03-28
    Sept. 30th                | 2025-09-30
    30 de mayo de 2026        | 2026-05-30
    14. Jänner                | 2025-01-14
    11-JUL-2025               | 2025-07-11
    2026-06-05                | 2026-06-05
    04/05/2025                | 2025-05-04
    31 February 2025          |
    Guten Morgen              |
"""
CASES = [[part.strip() for part in line.split("|")] for line in DRAWN.splitlines() if "|" in line]


@pytest.mark.parametrize(("text", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_day(text: str, wanted: str) -> None:
    found = days_in(plain(text).words, date(2025, 3, 11))
    assert [str(day.on) for day in found] == ([wanted] if wanted else [])


def test_a_day_that_only_fits_month_first_decides_for_the_letter() -> None:
    found = days_in("of 03/31/2025, we pay on 04/05/2025", date(2025, 3, 11))
    assert [day.on for day in found] == [date(2025, 3, 31), date(2025, 4, 5)]
