"""A short queue: what cannot be answered soon is sent away."""

import asyncio
import threading
import time

import pytest

from services.lane import Lane
from services.problems import BUSY, TIMEOUT, Refused


def refusals(results) -> list:
    return [result.kind for result in results if isinstance(result, Refused)]


def test_work_runs_off_the_loop_and_its_error_arrives():
    lane = Lane(limit=1)
    assert asyncio.run(lane.run(lambda: threading.current_thread().name)).startswith("lane")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(lane.run(lambda: 1 / 0))
    lane.close()


def test_beyond_the_limit_work_is_refused_at_once_and_later_there_is_room_again():
    lane, release = Lane(limit=2), threading.Event()

    async def scenario():
        tasks = [asyncio.create_task(lane.run(lambda: release.wait(5))) for _ in range(4)]
        await asyncio.sleep(0.05)
        assert refusals([tasks[3].exception()]) == [BUSY]
        release.set()
        await asyncio.gather(*tasks[:3])
        await asyncio.sleep(0)
        return await lane.run(lambda: "room")

    assert asyncio.run(scenario()) == "room"
    lane.close()


def test_work_that_waited_too_long_is_refused_unbegun():
    lane, begun = Lane(limit=5, patience=0.05), []

    async def scenario():
        slow = lane.run(lambda: time.sleep(0.2))
        return await asyncio.gather(slow, lane.run(lambda: begun.append(1)), return_exceptions=True)

    assert refusals(asyncio.run(scenario())) == [BUSY]
    assert begun == []
    lane.close()


def test_work_that_was_given_up_on_keeps_its_place_until_it_ends():
    lane, release = Lane(limit=0, deadline=0.05), threading.Event()

    async def scenario():
        first = await asyncio.gather(lane.run(lambda: release.wait(5)), return_exceptions=True)
        second = await asyncio.gather(lane.run(lambda: None), return_exceptions=True)
        release.set()
        await asyncio.sleep(0.1)
        return refusals(first + second), await lane.run(lambda: "room")

    assert asyncio.run(scenario()) == ([TIMEOUT, BUSY], "room")
    lane.close()
