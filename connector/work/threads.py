"""Sees to it that no thread which carries due work dies unseen: a dead one is told in the log, and replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

import dramatiq
import structlog
from dramatiq.worker import ConsumerThread

EVERY = timedelta(seconds=1)

log = structlog.get_logger(__name__)


class Companion(Protocol):
    """A thread beside those that work: the pump, or what listens to the reply mailbox."""

    def start(self) -> None:
        """Start it."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it lives; only a fault of ours ends it before `stop`."""
        ...

    def restart(self) -> None:
        """Go on in a new thread, after the former one has died."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Watch:
    """A thread that looks after the others: those that take messages, those that work, and their companions.

    What can go wrong with the broker ends none of them (see `broker`); this is for everything nobody has thought of.
    """

    def __init__(self, worker: dramatiq.Worker, companions: Iterable[Companion], *, every: timedelta = EVERY) -> None:
        self._worker = worker
        self._companions = tuple(companions)
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; whatever ends from now on is meant to."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every.total_seconds()):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - the system may have a thread to spare at the next look
                log.error("thread_not_replaced", error=type(error).__name__)  # noqa: TRY400 - its words may reveal

    def _look(self) -> None:
        for queue, consumer in list(self._worker.consumers.items()):
            if not consumer.is_alive():
                log.error("thread_died", thread=f"consumer of {queue}")
                self._replace(queue, consumer)
        for thread in [thread for thread in self._worker.workers if not thread.is_alive()]:
            log.error("thread_died", thread="worker")
            self._worker.workers.remove(thread)
            self._worker._add_worker()  # noqa: SLF001 - there is no other door
        for companion in self._companions:
            if not companion.alive:
                log.error("thread_died", thread=type(companion).__name__.lower())
                companion.restart()

    def _replace(self, queue: str, dead: ConsumerThread) -> None:
        fresh = ConsumerThread(
            broker=dead.broker,
            queue_name=queue,
            prefetch=dead.prefetch,
            work_queue=dead.work_queue,
            worker_timeout=dead.worker_timeout,
        )
        fresh.consumer = dead.consumer  # what was taken from it may be confirmed before the new one has its own
        self._worker.consumers[queue] = fresh
        fresh.start()
