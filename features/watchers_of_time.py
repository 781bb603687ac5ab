"""What is usual about time: hours and weekdays of booking, how late documents are booked, how much a day brings."""

from bisect import bisect_right, insort
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from datetime import date, timedelta
from math import ceil, erfc, exp, log, log10, sqrt
from statistics import median
from typing import Any

import numpy as np

from features.watchers import Row, Said
from features.watchers_of_digits import MANY

LEAST_BOOKED = 60  # documents of an entity's table, before its hours say anything
LEAST_OWN = 8  # of a customer's
LAGS = 400
FEED_DAYS, FEED_LEAST, FEED_SWINGS = 10, 4, 60
LEAST_FEED_SPREAD, LEAST_FEED_MEAN = 0.2, 0.5
THIN = 0.5  # of what is usual: such days make a run
CHI_SQUARE_MEDIAN = 0.4549  # of one degree of freedom


class Hours:
    """At which hours and on which weekdays an entity books such documents, and this customer's among them."""

    columns = ("hour_share", "own_hour_share", "weekday_share", "own_weekday_share", "hours_count", "own_hours_count")

    def __init__(self) -> None:
        self._hours: dict[tuple[Any, ...], Counter[int]] = defaultdict(Counter)
        self._weekdays: dict[tuple[Any, ...], Counter[int]] = defaultdict(Counter)

    def seen(self, document: Row) -> Said:
        """Shares of the documents before it within an hour of its hour, and on its weekday."""
        if document["hour"] is None:
            return (None,) * len(self.columns)
        all_, own = _keys(document)
        many, mine = self._hours[all_].total(), self._hours[own].total()
        shares = (self._share(all_, document, LEAST_BOOKED), self._share(own, document, LEAST_OWN))
        return shares[0][0], shares[1][0], shares[0][1], shares[1][1], many, mine

    def learn(self, document: Row) -> None:
        """It is one more at its hour."""
        if document["hour"] is not None:
            for key in _keys(document):
                self._hours[key][int(document["hour"])] += 1
                self._weekdays[key][document["known_day"].weekday()] += 1

    def _share(self, key: tuple[Any, ...], document: Row, least: int) -> tuple[float | None, float | None]:
        hours, count = self._hours[key], self._hours[key].total()
        if count < least:
            return None, None
        near = sum(hours[(int(document["hour"]) + step) % 24] for step in (-1, 0, 1))
        return near / count, self._weekdays[key][document["known_day"].weekday()] / count


def _keys(document: Row) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    of = (document["entity_id"], document["table"])
    return of, (*of, document["customer_id"])


class Lags:
    """Days from a document's own day to the day on which it was booked."""

    columns = ("lag_days", "lag_usual_days", "lag_rare_share", "lag_months")

    def __init__(self) -> None:
        self._sorted: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._order: dict[tuple[str, str], deque[int]] = defaultdict(deque)

    def seen(self, document: Row) -> Said:
        """The lag, the 95 % quantile of the lags before, the share of those as long, months closed in between."""
        lag = (document["known_day"] - document["day"]).days
        past = self._sorted[document["entity_id"], document["table"]]
        months = _month(document["known_day"]) - _month(document["day"])
        if len(past) < LEAST_BOOKED or document["table"] == "feed":
            return float(lag), None, None, float(months)
        usual = past[min(ceil(0.95 * len(past)), len(past)) - 1]
        rare = 1 - bisect_right(past, lag - 1) / len(past)
        return float(lag), float(usual), rare, float(months)

    def learn(self, document: Row) -> None:
        """It is one of the newest lags."""
        key = document["entity_id"], document["table"]
        lag = (document["known_day"] - document["day"]).days
        insort(self._sorted[key], lag)
        self._order[key].append(lag)
        if len(self._order[key]) > LAGS:
            self._sorted[key].remove(self._order[key].popleft())


def _month(day: date) -> int:
    return day.year * 12 + day.month


class Feeds:
    """How many documents a feed brings on such a day."""

    columns = ("feed_count", "feed_usual", "feed_z", "feed_lost", "feed_rarity")

    def __init__(self, calendars: Mapping[str, np.busdaycalendar]) -> None:
        self._calendars = calendars
        self._past: dict[tuple[Any, ...], deque[int]] = defaultdict(lambda: deque(maxlen=FEED_DAYS))
        self._missing: dict[tuple[str, str], float] = defaultdict(float)
        self._run: dict[tuple[str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        self._off: dict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=FEED_SWINGS))

    def seen(self, document: Row) -> Said:
        """Nothing of days on which the entity does not work; `feed_lost`: what the last days should have brought;
        `feed_rarity`: -log10 of the chance of so few, on this day or in the run of thin days that it goes on, by a
        negative binomial as wide as the feed's days swing."""
        if document["table"] != "feed":
            return (None,) * len(self.columns)
        key, count = self._key(document), document["count"]
        if key is None or len(self._past[key]) < FEED_LEAST:
            return (float(count), *(None,) * (len(self.columns) - 1))
        usual, z = self._against(key, count)
        return float(count), usual, z, self._missing[key[:2]], self._rarity(key, count)

    def learn(self, document: Row) -> None:
        """One more such day."""
        key = self._key(document) if document["table"] == "feed" else None
        if key is None:
            return
        if len(self._past[key]) >= FEED_LEAST:
            usual, z = self._against(key, document["count"])
            lost = self._missing[key[:2]] + usual - document["count"]
            self._missing[key[:2]] = max(lost, 0.0) if z < -1 or self._missing[key[:2]] > 0 else 0.0
            if z > 0:
                self._missing[key[:2]] = 0.0
            mean, (many, expected) = self._mean(key), self._run[key[:2]]
            thin = document["count"] <= THIN * mean
            self._run[key[:2]] = (many + document["count"], expected + mean) if thin else (0, 0.0)
            self._off[key[:2]].append((document["count"] - mean) ** 2 / mean)
        self._past[key].append(document["count"])

    def _mean(self, key: tuple[Any, ...]) -> float:
        return max(float(median(self._past[key])), LEAST_FEED_MEAN)

    def _rarity(self, key: tuple[Any, ...], count: int) -> float:
        """Two looks, the day alone and the run with it, make each that much less rare; only a thin day has a run."""
        mean, swing, (many, expected) = self._mean(key), self._swing(key[:2]), self._run[key[:2]]
        chance = at_most(count, mean, swing)
        if count <= THIN * mean:
            chance = min(chance, at_most(many + count, expected + mean, swing))
        return -log10(max(min(2 * chance, 1.0), 1e-12))

    def _swing(self, feed: tuple[str, str]) -> float:
        """Variance of a day over its mean, 1 or more; by the median of the last days, so that no outage widens it."""
        return max(median(self._off[feed]) / CHI_SQUARE_MEDIAN, 1.0) if self._off[feed] else 1.0

    def _against(self, key: tuple[Any, ...], count: int) -> tuple[float, float]:
        past = self._past[key]
        logs = [log(c + 1) for c in past]
        middle = median(logs)
        spread = max(1.4826 * median(abs(v - middle) for v in logs), 1 / sqrt(median(past) + 1), LEAST_FEED_SPREAD)
        return float(median(past)), (log(count + 1) - middle) / spread

    def _key(self, document: Row) -> tuple[Any, ...] | None:
        """Entity, feed and kind of day: by weekday, but for the days around the middle and the turn of a month."""
        calendar = self._calendars[document["entity_id"]]
        day: date = document["day"]
        if not np.is_busday(day, busdaycal=calendar):
            return None
        after_holiday = not np.is_busday(day - timedelta(days=1), busdaycal=calendar) and day.weekday() != 0
        if (np.busday_offset(day, 1, busdaycal=calendar).astype(object)).month != day.month:
            kind = "last"
        elif (np.busday_offset(day, -1, busdaycal=calendar).astype(object)).month != day.month:
            kind = "first"
        elif 15 <= day.day <= 17:
            kind = "middle"
        else:
            kind = "after a holiday" if after_holiday else str(day.weekday())
        return document["entity_id"], document["record_id"].partition(":")[0], kind


def at_most(count: int, mean: float, swing: float) -> float:
    """P(X <= count) of a count whose variance is `swing` times its mean: negative binomial, Poisson at a swing of 1.

    >>> round(at_most(1, 4.0, 1.0), 4), round(at_most(1, 4.0, 2.0), 4)
    (0.0916, 0.1875)
    """
    if mean > MANY:  # the bell is close enough, and the first term is nothing
        return erfc((mean - count - 0.5) / sqrt(2 * swing * mean)) / 2
    if swing <= 1 + 1e-6:
        term, more = exp(-mean), 0.0
    else:
        more = (swing - 1) / swing
        term = exp(-mean / (swing - 1) * log(swing))
    total = term
    for number in range(count):
        # the next term of either: its mean share, and for wide swings what the terms before add
        term *= (mean / swing + more * number) / (number + 1)
        total += term
    return min(total, 1.0)
