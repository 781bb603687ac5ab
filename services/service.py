"""The BentoML service: the shell around our own app. Imported by BentoML's processes only.

BentoML brings the processes, their lifecycle, the metrics and the packaging; what answers is ours. Its own middleware
is left out: OpenTelemetry takes a third of a request's time, the access log writes on the hot path, and the timer that
its time-out leaves behind on the loop makes garbage that stops the world for 200 ms
(https://github.com/bentoml/BentoML/blob/v1.4.39/src/bentoml/_internal/server/http/traffic.py). So are its routes, all
but the metrics: their errors are arrays or plain text, and the index page loads a tag manager.
"""

import asyncio
import gc
import logging
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import bentoml
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api import Analysts, Api, Lanes, Predictor, build_app, version_label
from services.endpoints import ENDPOINTS
from services.freshness import stale
from services.guard import Guard, place_of
from services.lane import Lane
from services.launcher import end_with_parent
from services.operations import Operations
from services.settings import Settings, read_settings
from services.signatures import Gate, read_secrets

if TYPE_CHECKING:
    from services.serving import Champion

METRICS = "/metrics"
POLL_SECONDS = 1.0
WATCH_SECONDS = 30.0
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
NOT_LOOKED = "nobody knows yet whether the feeds are alive: the service has just started"
ROOMS = ("features", "models", "services")

logger = logging.getLogger(__name__)


class House:
    """What one worker process holds: its settings, the queue, and what serves once that is loaded."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        limit = settings.queue_limit
        self.lanes = Lanes(Lane(limit=limit), Lane(limit=limit, patience=30.0, deadline=120.0), Lane(limit=limit))
        gate = Gate(read_secrets(settings.webhook_secrets), window=timedelta(seconds=settings.webhook_seconds))
        self.desk = Operations(settings.state_url, gate, clock=_now)
        self.champion: Champion | None = None
        self.stale: tuple[str, ...] = (NOT_LOOKED,)

    @property
    def predictor(self) -> Predictor | None:
        """What answers."""
        return self.champion.predictor if self.champion else None

    @property
    def analysts(self) -> Analysts | None:
        """What answers everything else."""
        return self.champion.analysts if self.champion else None

    @property
    def reason(self) -> str:
        """Why nothing does."""
        return self.champion.reason if self.champion else "the service is starting"


@cache
def house() -> House:
    """This process's own."""
    return House(read_settings())


def front_door(bento: ASGIApp) -> Guard:
    """The guard and our app in front of BentoML's, which is left to answer for the metrics."""
    api = Api(house(), house().desk, house().lanes, bulk_limit=house().settings.bulk_limit)
    ours = build_app(api)

    async def switch(scope: Scope, receive: Receive, send: Send) -> None:
        is_metrics = scope["type"] == "http" and scope["path"] == METRICS and scope["method"] in ("GET", "HEAD")
        inside = ours if scope["type"] == "http" and not is_metrics else bento
        await inside(scope, receive, send)

    seconds = bentoml.metrics.Histogram(
        name="duecast_request_seconds",
        documentation="Time to answer",
        labelnames=["path", "status"],
        buckets=SECONDS_BUCKETS,
    )
    return Guard(
        switch,
        api_keys=house().settings.api_keys,
        body_limit=house().settings.body_limit,
        paths={e.path: e.public for e in ENDPOINTS} | {METRICS: False},
        version=lambda: version_label(house()),
        observe=lambda path, status, took: seconds.labels(path, str(status)).observe(took),
    )


class QuietService(bentoml.Service[Any]):  # type: ignore[misc]  # BentoML ships no types for it
    """A BentoML service with our front door in the place of all its middleware."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """BentoML's app, entered through our door."""
        app = super().to_asgi(is_main)
        assert isinstance(app, Starlette)
        app.user_middleware = [Middleware(front_door)]
        return app


@bentoml.service(name="duecast", workers=1, service_class=QuietService)
class Duecast:
    """One worker: loads what serves, and keeps it fresh."""

    def __init__(self) -> None:
        """Runs in the worker only, before it listens; what is heavy is imported here."""
        end_with_parent()
        settings = house().settings
        _log_plainly(settings.log_level)
        from features.lake import Lake
        from services.serving import Champion

        house().champion = Champion(settings.mlruns, Lake(settings.lake))
        self._keepers: list[asyncio.Task[None]] = []

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # BentoML ships no types for it
    async def begin(self) -> None:
        """Alive at once, ready when the model is loaded."""
        champion = house().champion
        assert champion is not None, "set by __init__"
        self._keepers = [asyncio.create_task(_keep_fresh(champion)), asyncio.create_task(_keep_watch(house()))]

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML ships no types for it
    async def finish(self) -> None:
        """Nothing new is begun; what runs may end."""
        for keeper in self._keepers:
            keeper.cancel()
        house().lanes.close()


async def _keep_fresh(champion: "Champion") -> None:
    while True:
        try:
            if await asyncio.to_thread(champion.refresh):
                _settle_garbage()
        except Exception as error:  # the keeper must outlive whatever one look runs into; the old model still serves
            logger.error("look for a new model failed error=%s at=%s", type(error).__name__, place_of(error))
        await asyncio.sleep(POLL_SECONDS)


async def _keep_watch(house: House) -> None:
    """Look whether the feeds are alive."""
    while True:
        try:
            house.stale = await asyncio.to_thread(lambda: stale(house.settings.state_url, now=_now()))
        except Exception as error:  # as above
            logger.error("look for signs of life failed error=%s at=%s", type(error).__name__, place_of(error))
        await asyncio.sleep(WATCH_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)


def _settle_garbage() -> None:
    """What was just loaded stays: the collector need not walk it again and again while requests wait."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _log_plainly(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for room in ROOMS:
        logging.getLogger(room).handlers = [handler]
        logging.getLogger(room).setLevel(level)
        logging.getLogger(room).propagate = False
    logging.getLogger("uvicorn.access").propagate = False  # no handler: the server then skips the line altogether
