"""Metrics for Prometheus, for who may read them; to everybody else there is no such page."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import metadata
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import SQLAlchemyError

from connector import paths
from connector.runtime import Runtime
from connector.services.views import metrics
from connector.services.views.metrics import Metric

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

PREFIX = "pencilled_"
KEPT_SECONDS = 5.0  # however often somebody asks, the database is asked no oftener

_PATIENCE_SECONDS = 1.0

log = structlog.get_logger(__name__)


def blueprint(runtime: Runtime) -> Blueprint:
    """Return the route of one installation."""
    routes = Blueprint("metrics", __name__)
    kept = Kept(lambda: _measured(runtime))

    @routes.get(paths.METRICS)
    def show() -> Response:
        """Show everything that is measured, in the format that is asked for."""
        if not _may_read(runtime):
            abort(404)
        measured = kept.metrics()
        if measured is None:
            return Response(status=503)
        return _answer(measured)

    return routes


def _answer(measured: Sequence[Metric]) -> Response:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - most processes are never asked
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - as above

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(measured))
    try:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    except TypeError:  # a version that is no number
        encode, content_type = choose_encoder("")
    return Response(encode(registry), content_type=content_type)


def _may_read(runtime: Runtime) -> bool:
    """Whether who asks shows the token; without one, whether they are on this machine, which nobody else can reach."""
    settings = runtime.settings
    if settings.metrics_token:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        shown = token.strip().encode(errors="replace")
        if scheme.lower() == "bearer" and hmac.compare_digest(shown, settings.metrics_token.encode()):
            return True
        if token:
            log.info("metrics_refused")  # anybody can have this said
        return False
    is_own_machine = settings.trusted_proxies == 0 and settings.for_this_machine
    return is_own_machine and _is_loopback(request.remote_addr)


def _is_loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _measured(runtime: Runtime) -> Sequence[Metric]:
    """Return every metric; only those that are known without it if the database cannot be read."""
    meaning = "1 if the database could be read; if not, what is read from it is missing."
    try:
        read = metrics.read(runtime.database, runtime.settings.providers, now=runtime.clock())
    except SQLAlchemyError as error:
        log.warning("metrics_not_read", error=type(error).__name__)
        read = []
    build = Metric(name="build_info", meaning="The version.", labels=("version",), samples=[((_version(),), 1)])
    readable = Metric(name="database_readable", meaning=meaning, samples=[((), float(bool(read)))])
    return [build, readable, *read]


@cache
def _version() -> str:
    return metadata.version("pencilled")


class Kept:
    """What was measured last, for a few seconds; who asks meanwhile waits for the same answer, but not for long.

    So a database that does not answer keeps one thread waiting, and not all that serve pages.
    """

    def __init__(
        self, measure: Callable[[], Sequence[Metric]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._measure = measure
        self._monotonic = monotonic
        self._lock = Lock()
        self._kept: tuple[float, Sequence[Metric]] | None = None

    def metrics(self) -> Sequence[Metric] | None:
        """Return it, measured anew if it is old; None if somebody is still measuring."""
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            return None
        try:
            now = self._monotonic()
            if self._kept is None or now - self._kept[0] >= KEPT_SECONDS:
                self._kept = (now, self._measure())
            return self._kept[1]
        finally:
            self._lock.release()


class _Collector:
    """What the library asks for the metrics."""

    def __init__(self, measured: Sequence[Metric]) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Family]:
        """Yield each metric as the library has it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - as above

        for metric in self._measured:
            kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
            family = kind(PREFIX + metric.name, metric.meaning, labels=metric.labels)
            for words, value in metric.samples:
                family.add_metric(words, value)
            yield family
