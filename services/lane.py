"""A short queue in front of the threads that do the work: what cannot be answered soon is sent away at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from services import problems
from services.problems import Refused

T = TypeVar("T")

RETRY_SECONDS = 1


class Lane:
    """Runs work off the event loop, `threads` at a time, with at most `limit` waiting.

    `Refused` with BUSY where the queue is full or the work waited longer than `patience` seconds, with TIMEOUT where
    it takes longer than `deadline`. Work that was given up on keeps its thread until it ends: a thread cannot be
    stopped, and its place must not be given away while it runs.
    """

    def __init__(self, *, limit: int, threads: int = 1, patience: float = 5.0, deadline: float = 30.0) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lane")
        self._room = limit + threads
        self._patience = patience
        self._deadline = deadline
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises."""
        if self._inside >= self._room:
            raise _busy()
        loop = asyncio.get_running_loop()
        self._inside += 1
        future = self._pool.submit(self._timely, work, monotonic() + self._patience)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            raise Refused(problems.TIMEOUT, f"allowed: {self._deadline:g} seconds") from None

    def close(self) -> None:
        """Lets running work end, drops what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self) -> None:
        self._inside -= 1

    @staticmethod
    def _timely(work: Callable[[], T], latest: float) -> T:
        if monotonic() > latest:
            raise _busy()
        return work()


def _busy() -> Refused:
    return Refused(problems.BUSY, "try again shortly", {"retry-after": str(RETRY_SECONDS)})
