"""Whether predictions rest on old data: what a caller is told of systems that have been silent for too long."""

import logging
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from features.errors import DuecastError
from services.database import Database
from services.heartbeats import Heartbeats

NO_STORE = "nobody knows whether the feeds are alive: there is no operational store where it should be"
NO_ANSWER = "nobody knows whether the feeds are alive: the operational store cannot be read"

logger = logging.getLogger(__name__)


def stale(url: str, *, now: datetime) -> tuple[str, ...]:
    """Which systems are silent at `now`, in words; none while all are alive.

    Where the store at `url` is absent (it is not made) or out of reach, that nobody knows: predictions must go on.
    """
    if not _may_be_there(url):
        return (NO_STORE,)
    try:
        database = Database(url)
        try:
            return tuple(str(silence) for silence in Heartbeats(database).silent(now=now))
        finally:
            database.close()
    except (DuecastError, OSError) as error:
        logger.error("the signs of life cannot be read: %s", error)
        return (NO_ANSWER,)


def _may_be_there(url: str) -> bool:
    """Whether there is a store as far as one can see: to open SQLite's would make it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return True  # opening it says what is wrong
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").is_file()
