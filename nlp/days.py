"""The days that a text names, resolved against the day on which it was received.

The rules are those of the labels: a weekday is the next such day; a named week is its Friday; the end of a month or
quarter its last calendar day; the middle of a month the 15th; "within ten days" counts calendar days. A day without a
year is the coming one, unless that is so far off that the past one must be meant. What depends on something else
("within ten days of receipt") has a place and no day.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from nlp import day_phrases as phrases
from nlp.number_words import number_of

AHEAD_DAYS = 240  # a day without a year is at most so far ahead
MOST_DAYS = 300


@dataclass(frozen=True, slots=True)
class Day:
    """A day named at `start` to `end` of a plain text; `on` is None where it hangs on something else."""

    start: int
    end: int
    on: date | None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    received_on: date
    month_first: bool


Rule = tuple[re.Pattern[str], Callable[[re.Match[str], _Frame], date | None], bool]


def days_in(words: str, received_on: date, *, month_first: bool = False) -> list[Day]:
    """The days that plain words name, in order, none overlapping; `month_first` reads 03/04 as the 4th of March.

    >>> [day.on.isoformat() for day in days_in("on friday, kw 12, mid july or in 10 days", date(2025, 3, 11))]
    ['2025-03-14', '2025-03-21', '2025-07-15', '2025-03-21']
    """
    frame = _Frame(received_on, month_first or _is_month_first(words))
    found = sorted(_named(words, frame), key=lambda day: (day.start, -day.end))
    kept: list[Day] = []
    for day in found:
        if kept and day.start < kept[-1].end:
            if day.end - day.start > kept[-1].end - kept[-1].start:
                kept[-1] = day
            continue
        kept.append(day)
    return kept[:MOST_DAYS]


def _named(words: str, frame: _Frame) -> Iterator[Day]:
    for pattern, resolve, exact in RULES:
        for match in pattern.finditer(words):
            try:
                on = resolve(match, frame)
            except (ValueError, OverflowError):
                continue
            if on and exact and phrases.WEEK_OF.search(words, max(0, match.start() - 24), match.start()):
                on += timedelta(days=4 - on.weekday())
            yield Day(match.start(), match.end(), on, exact)


def _is_month_first(words: str) -> bool:
    """Whether a numeric day of the text can only be read with the month first, and none only with the day first."""
    pairs = [(int(a), int(b)) for a, b in re.findall(r"(?<![\d/.-])(\d{1,2})/(\d{1,2})/(?:\d{4}|\d{2})(?!\d)", words)]
    return any(b > 12 for _, b in pairs) and not any(a > 12 for a, _ in pairs)


def _month(name: str) -> int:
    return next(at for at, names in enumerate(phrases.MONTHS, start=1) if names.fullmatch(name.strip(". ")))


def _year(told: str | None) -> int | None:
    if not told:
        return None
    year = int(told.strip("' "))
    return year + 2000 if year < 100 else year


def _dated(day: int, month: int, year: int | None, frame: _Frame) -> date:
    """The day; without a year the coming one, or the past one where that is nearer."""
    if year:
        return date(year, month, day)
    on = date(frame.received_on.year, month, min(day, 28) if (month, day) == (2, 29) else day)
    if on < frame.received_on:
        coming = on.replace(year=on.year + 1)
        return coming if (coming - frame.received_on).days <= AHEAD_DAYS else on
    return on if (on - frame.received_on).days <= AHEAD_DAYS else on.replace(year=on.year - 1)


def _numeric(match: re.Match[str], frame: _Frame) -> date:
    first, second = int(match["a"]), int(match["b"])
    year = _year(match.groupdict().get("y"))
    if second > 12 or (frame.month_first and first <= 12 and "/" in match[0]):
        first, second = second, first
    return _dated(first, second, year, frame)


def _iso(match: re.Match[str], _: _Frame) -> date:
    return date(int(match["y"]), int(match["m"]), int(match["d"]))


def _worded(match: re.Match[str], frame: _Frame) -> date:
    return _dated(int(match["d"]), _month(match["m"]), _year(match["y"]), frame)


def _relative(days: int) -> Callable[[re.Match[str], _Frame], date]:
    return lambda _, frame: frame.received_on + timedelta(days=days)


def _weekday(match: re.Match[str], frame: _Frame) -> date:
    name = match["w"]
    at = next(at for at, names in enumerate(phrases.WEEKDAYS) if names.fullmatch(name))
    ahead = (at - frame.received_on.weekday() - 1) % 7 + 1
    if match["d"]:
        return _of_month(int(match["d"]), frame)
    if match["past"] or match["past2"]:
        return frame.received_on + timedelta(days=ahead - 7 if ahead < 7 else -7)
    return frame.received_on + timedelta(days=ahead + (7 if match["over"] or match["over2"] else 0))


def _of_month(day: int, frame: _Frame) -> date:
    """The next such day of a month."""
    if not 1 <= day <= 31:
        raise ValueError(day)
    on = frame.received_on
    for _ in range(4):
        if day <= monthrange(on.year, on.month)[1] and on.replace(day=day) >= frame.received_on:
            return on.replace(day=day)
        on = _month_after(on)
    raise ValueError(day)


def _month_after(on: date) -> date:
    return (on.replace(day=1) + timedelta(days=32)).replace(day=1)


def _nth_day(match: re.Match[str], frame: _Frame) -> date:
    return _of_month(int(match["d"] or match["d2"]), frame)


def _week(match: re.Match[str], frame: _Frame) -> date:
    """The Friday of a numbered week."""
    week = int(match["n"] or match["n2"])
    year = _year(match["y"]) or frame.received_on.isocalendar().year
    friday = date.fromisocalendar(year, week, 5)
    return friday if friday >= frame.received_on or match["y"] else date.fromisocalendar(year + 1, week, 5)


def _friday(weeks: int) -> Callable[[re.Match[str], _Frame], date]:
    return lambda _, frame: frame.received_on + timedelta(days=4 - frame.received_on.weekday() + 7 * weeks)


def _last(on: date) -> date:
    return on.replace(day=monthrange(on.year, on.month)[1])


def _named_month(match: re.Match[str], frame: _Frame) -> date:
    """The first day of the month that is named, or of this month or the next."""
    if name := match.groupdict().get("m"):
        on = date(_year(match["y"]) or frame.received_on.year, _month(name), 1)
        over = not match["y"] and _last(on) < frame.received_on
        return on.replace(year=on.year + 1) if over else on
    this = frame.received_on.replace(day=1)
    return _month_after(this) if match.groupdict().get("next") else this


def _month_end(match: re.Match[str], frame: _Frame) -> date:
    return _last(_named_month(match, frame))


def _month_middle(match: re.Match[str], frame: _Frame) -> date:
    on = _named_month(match, frame).replace(day=15)
    passed = on < frame.received_on and not match.groupdict().get("m")
    return _last(on) if passed and "quincena" in match[0] else _month_after(on).replace(day=15) if passed else on


def _month_start(match: re.Match[str], frame: _Frame) -> date:
    on = _named_month(match, frame)
    return on if on >= frame.received_on else _month_after(on)


def _quarter_end(match: re.Match[str], frame: _Frame) -> date:
    quarter = int(match["q"]) if match["q"] else (frame.received_on.month - 1) // 3 + 1
    on = _last(date(frame.received_on.year, 3 * quarter, 1))
    return on if on >= frame.received_on else _last(on.replace(year=on.year + 1, day=1))


def _year_end(_: re.Match[str], frame: _Frame) -> date:
    return date(frame.received_on.year, 12, 31)


def _span_of_days(match: re.Match[str], frame: _Frame) -> date | None:
    """So many days, weeks or months on; None where they are counted from something else."""
    if match["from"]:
        return None
    unit = match["unit"]
    count = int(match["n"]) if match["n"].isdigit() else number_of(match["n"])
    if unit.startswith(("h", "std", "stund")):
        return frame.received_on + timedelta(days=-(-count // 24))
    if unit.startswith(("w", "sem")):
        return frame.received_on + timedelta(days=7 * count)
    if unit.startswith(("mo", "mes")):
        month = frame.received_on
        for _ in range(min(count, 24)):
            month = _month_after(month)
        return month.replace(day=min(frame.received_on.day, monthrange(month.year, month.month)[1]))
    return _working(frame.received_on, count) if match["work"] else frame.received_on + timedelta(days=count)


def _working(on: date, count: int) -> date:
    for _ in range(min(count, 400)):
        on += timedelta(days={4: 3, 5: 2}.get(on.weekday(), 1))
    return on


def _fortnight(match: re.Match[str], frame: _Frame) -> date:
    return frame.received_on + timedelta(days=8 if "huitaine" in match[0] else 15 if "quinzaine" in match[0] else 14)


def _feast(match: re.Match[str], frame: _Frame) -> date:
    month, day = next(at for names, at in phrases.FEASTS.items() if re.fullmatch(names, match["f"]))
    on = date(frame.received_on.year, month, day)
    on = _dated(on.day, on.month, None, frame)
    return on + timedelta(days=1) if match["after"] else on


RULES: tuple[Rule, ...] = (
    (phrases.ISO, _iso, True),
    (phrases.NUMERIC, _numeric, True),
    (phrases.WORDED, _worded, True),
    (phrases.MONTH_DAY, _worded, True),
    (phrases.GERMAN_SHORT, _numeric, True),
    (phrases.SLASHED, _numeric, True),
    (phrases.PREPOSED, _numeric, True),
    (phrases.TODAY, _relative(0), False),
    (phrases.AFTER_TOMORROW, _relative(2), False),
    (phrases.TOMORROW, _relative(1), False),
    (phrases.ON_WEEKDAY, _weekday, False),
    (phrases.NUMBERED_WEEK, _week, True),
    (phrases.THIS_WEEK, _friday(0), False),
    (phrases.NEXT_WEEK, _friday(1), False),
    (phrases.WEEK_AFTER, _friday(2), False),
    (phrases.MONTH_END, _month_end, False),
    (phrases.MONTH_MIDDLE, _month_middle, False),
    (phrases.MONTH_START, _month_start, False),
    (phrases.QUARTER_END, _quarter_end, False),
    (phrases.YEAR_END, _year_end, False),
    (phrases.SPAN_OF_DAYS, _span_of_days, False),
    (phrases.FORTNIGHT, _fortnight, False),
    (phrases.THE_NTH, _nth_day, False),
    (phrases.DEN_NTEN, _nth_day, False),
    (phrases.LE_N, _nth_day, False),
    (phrases.EL_N, _nth_day, False),
    (phrases.FEAST, _feast, False),
)
