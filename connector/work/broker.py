"""The broker that carries wake-ups, and consumers whose threads outlive whatever becomes of it.

Dramatiq ends a consumer's thread for good when putting messages back fails, which a frozen or restarting Redis makes
it do. So no error of Redis leaves a consumer but as a lost connection, after which Dramatiq begins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.worker import CONSUMER_RESTART_DELAY_SECS
from redis.backoff import NoBackoff
from redis.retry import Retry

from connector.errors import SettingsError
from connector.work.outage import Outage

MUTED_SECONDS = 2.0  # after a failed wake-up nobody waits for the broker again for so long
_RETOLD = "Consumer encountered a connection error"
_FULL_SECONDS = 0.02  # a consumer whose threads have enough to do looks again after this
_WAKEUPS_KEPT = 64

log = structlog.get_logger(__name__)


def open_broker(url: str) -> dramatiq.Broker:
    """Return the broker that a setting names.

    Raises: SettingsError.
    """
    if url == "memory://":
        return StubBroker(middleware=[])
    if url.startswith(("redis://", "rediss://", "unix://")):
        # A request waits until its wake-ups are sent: give up soon, for the pump sends them as well.
        api = redis.Redis.from_url(
            url, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 1), health_check_interval=30
        )
        _hear_dramatiq()
        return _Redis(client=api, middleware=[], namespace="pencilled")
    raise SettingsError(["CONNECTOR_BROKER_URL: use memory:// for a single process or redis:// for many"])


class _Redis(RedisBroker):
    """Wakes a consumer with every message, so that idle ones wait instead of asking Redis fifty times a second.

    When Redis is lost is told once by `outage`, as is its return.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.outage = Outage(self.client.ping)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Send a message.

        Raises: ConnectionClosed, whatever Redis fails with.
        """
        with _lost_connection(self.outage, again_seconds=MUTED_SECONDS):
            sent: dramatiq.Message[Any] = super().enqueue(message, delay=delay)
            if delay is None:
                with self.client.pipeline(transaction=False) as pipeline:
                    pipeline.rpush(self.wakeup_list(message.queue_name), 1)
                    pipeline.ltrim(self.wakeup_list(message.queue_name), -_WAKEUPS_KEPT, -1)
                    pipeline.execute()
        return sent

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:
        if queue_name not in self.delay_queues:
            return _WaitingConsumer(self, queue_name, prefetch, timeout)
        with _lost_connection(self.outage):
            self._put_back(queue_name)
        return _Consumer(self, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]

    def wakeup_list(self, queue_name: str) -> str:
        """Return the name of the list that holds one item for each wake-up nobody has taken yet."""
        return f"{self.namespace}:{queue_name}.wakeups"

    def _put_back(self, queue_name: str) -> None:
        """Put back the delayed messages that a former consumer of this process has taken, and nobody waits for now."""
        taken = self.client.smembers(f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}")
        if taken:
            self.do_requeue(queue_name, *taken)


class _Consumer(_RedisConsumer):
    """Fetches as its parent does; a message that cannot be confirmed or put back now is left for later."""

    def __next__(self) -> dramatiq.MessageProxy | None:
        with _lost_connection(self.broker.outage):
            message: dramatiq.MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        return message

    def ack(self, message: dramatiq.MessageProxy) -> None:
        with _left(self.broker.outage, self.queue_name):
            super().ack(message)  # type: ignore[no-untyped-call]

    def nack(self, message: dramatiq.MessageProxy) -> None:
        with _left(self.broker.outage, self.queue_name):
            super().nack(message)  # type: ignore[no-untyped-call]

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        with _left(self.broker.outage, self.queue_name):
            super().requeue(messages)  # type: ignore[no-untyped-call]


class _WaitingConsumer(_Consumer):
    """Waits for a wake-up when there is nothing."""

    def __init__(self, broker: _Redis, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout=1)  # type: ignore[no-untyped-call]
        self._wakeup_list = broker.wakeup_list(queue_name)
        self._wait_seconds = timeout / 1000

    def __next__(self) -> dramatiq.MessageProxy | None:
        message = super().__next__()
        if message is None and self.outstanding_message_count >= self.prefetch:
            time.sleep(_FULL_SECONDS)  # wake-ups are for consumers that have room
        elif message is None:
            with _lost_connection(self.broker.outage):
                self.broker.client.blpop(self._wakeup_list, timeout=self._wait_seconds)
        return message


@contextmanager
def _lost_connection(outage: Outage, *, again_seconds: float = CONSUMER_RESTART_DELAY_SECS) -> Iterator[None]:
    """Call whatever Redis fails with a lost connection: a consumer then begins anew."""
    try:
        with outage.watching(redis.RedisError, ConnectionClosed, again_seconds=again_seconds):
            yield
    except redis.RedisError as error:
        raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]


class _Hearing(logging.Handler):
    """Logs what Dramatiq has to say as everything else is; each lost connection is told by the outage."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING and not str(record.msg).startswith(_RETOLD):
            error = type(record.exc_info[1]).__name__ if record.exc_info and record.exc_info[1] else None
            log.warning("dramatiq_said", what=str(record.msg), error=error)


def _hear_dramatiq() -> None:
    """Keep Dramatiq from printing lines of its own for each attempt to reach a broker that is lost."""
    logger = logging.getLogger("dramatiq")
    if not any(isinstance(handler, _Hearing) for handler in logger.handlers):
        logger.addHandler(_Hearing())
        logger.propagate = False


@contextmanager
def _left(outage: Outage, queue_name: str) -> Iterator[None]:
    """Go on although Redis fails: an unconfirmed message comes once more later, and does no harm."""
    try:
        with outage.watching(redis.RedisError, ConnectionClosed, again_seconds=CONSUMER_RESTART_DELAY_SECS):
            yield
    except (redis.RedisError, ConnectionClosed):
        log.info("message_left", queue=queue_name)  # why is told by the outage
