"""Circuit breakers, one for each system: after failures in a row nothing is sent for a while, also after a restart."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, select, update

from services.database import Database, dialect_insert
from services.state_tables import circuit


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """After `failures` in a row a system rests for `pause`, twice as long each further time, at most `longest`."""

    failures: int = 5
    pause: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=1)

    def pause_after(self, failures: int) -> timedelta | None:
        """How long to wait after so many failures in a row; None where they are too few."""
        if failures < self.failures:
            return None
        return min(self.pause * (1 << min(failures - self.failures, 20)), self.longest)


class Circuits:
    """The breakers in `database`. One trial is let through when a pause is over; it decides how it goes on."""

    def __init__(self, database: Database, rule: BreakerRule | None = None) -> None:
        self._db = database
        self._rule = rule or BreakerRule()

    def open(self, *, now: datetime) -> dict[str, datetime]:
        """The systems that nothing may be sent to at `now`, and until when."""
        query = select(circuit.c.system, circuit.c.rests_until).where(circuit.c.rests_until > now)
        with self._db.reading() as connection:
            return {row.system: row.rests_until for row in connection.execute(query)}

    def failed(self, system: str, reason: str, *, now: datetime, at_once: bool = False) -> datetime | None:
        """One more failure in a row; until when the system is now left alone, if it is.

        `at_once` does not wait for more of them: where credentials are refused every message would be.
        """
        with self._db.writing() as connection:
            failures = _counted(connection, system, self._rule.failures if at_once else 1)
            pause = self._rule.pause_after(failures)
            until = None if pause is None else now + pause
            told = update(circuit).where(circuit.c.system == system).values(rests_until=until, reason=reason)
            connection.execute(told)
        return until

    def worked(self, systems: Collection[str]) -> None:
        """These systems answer."""
        with self._db.writing() as connection:
            connection.execute(circuit.delete().where(circuit.c.system.in_(list(systems))))


def _counted(connection: Connection, system: str, least: int) -> int:
    """One failure more, and at least so many; the database counts, since several processes may fail at once."""
    more = circuit.c.failures + 1
    insert = dialect_insert(connection, circuit).values(system=system, failures=least)
    change = {"failures": case((more < least, least), else_=more)}
    counted = insert.on_conflict_do_update(index_elements=["system"], set_=change).returning(circuit.c.failures)
    return int(connection.execute(counted).scalar_one())
