"""Carries the ledger's due work to threads and processes; with `broker` and `threads` all that knows Dramatiq.

A message says no more than "look at this key": lost, late or doubled ones do no harm. What is due, who may do it and
when it is tried again is the ledger's to say, so no middleware that retries, limits or interrupts is wanted here.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

import dramatiq
import structlog
from dramatiq.errors import ConnectionClosed
from sqlalchemy import Connection
from structlog.contextvars import get_contextvars

from connector import counters
from connector.errors import InstallationError, LeaseLostError, RefusedError, StoppingError, TransientError
from connector.failures import describe, tell, trace, working_on
from connector.ports import Clock
from connector.storage import ledger, needs
from connector.storage.database import Database
from connector.storage.ledger import Claim, Key, Kind, Turn, Urgency
from connector.work.broker import MUTED_SECONDS, open_broker
from connector.work.counting import Counting
from connector.work.pump import Pump
from connector.work.seating import Seating
from connector.work.threads import Companion, Watch
from connector.work.wakeups import WakeUps

PRECISE = timedelta(seconds=30)  # what is due within this gets a delayed message; the pump finds the rest
WAKE = timedelta(milliseconds=250)
SHARE = 8  # after so many acts one other thing is done, however many acts wait
GLANCE = timedelta(milliseconds=200)
_RENEW_AFTER = 1 / 3  # of a lease
_QUEUES = {Urgency.ACT: ("look", "due"), Urgency.LOOK: ("look_soon", "later"), Urgency.UPKEEP: ("look_later", "later")}

log = structlog.get_logger(__name__)


class Running:
    """The claim that a handler works under: a Fence.

    Its time is the monotonic clock, which goes on while a process is frozen. Safe to share between threads.

    Args:
        database: Where the claim was made.
        claim: The claim.
        lease: Its life between renewals.
        stop: Set when this process is to stop.
        since: What the clock said before the claim was made; None for now.
        monotonic: The clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        claim: Claim,
        *,
        lease: timedelta,
        stop: threading.Event,
        since: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._claim = claim
        self._lease = lease
        self._stop = stop
        self._monotonic = monotonic
        self._renewing = threading.Lock()
        self._renewed_at = monotonic() if since is None else since

    @property
    def stopping(self) -> bool:
        """Whether this process is stopping; what is left undone stays due."""
        return self._stop.is_set()

    def renew(self) -> None:
        """Keep the claim for another lease if a third of it is gone.

        Raises: LeaseLostError; StoppingError if this process is stopping. Let both through.
        """
        if self.stopping:
            raise StoppingError("this process is stopping")
        self.keep()

    def keep(self) -> None:
        """Renew, also while this process is stopping: for requests in the middle of a batch.

        Raises: LeaseLostError.
        """
        with self._renewing:
            now = self._monotonic()
            if now - self._renewed_at < self._lease.total_seconds() * _RENEW_AFTER:
                return
            if not ledger.renew(self._database, self._claim, lease=self._lease):
                raise LeaseLostError("another worker may have the claim")
            self._renewed_at = now

    def check(self, db: Connection) -> None:
        """Make sure, in the transaction of a record, that the claim is still ours until that has ended.

        Raises: LeaseLostError.
        """
        if not ledger.check(db, self._claim):
            raise LeaseLostError("another worker may have the claim")


Handler = Callable[[Claim, Running], datetime | None]
"""Does the work of one claim and returns when to look again; None for not before the next touch.

TransientError puts the work off; RefusedError and InstallationError do so ever longer. Any other error is logged, too.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a claim has ended, as the ledger has it now.

    Attributes:
        how: done, postponed, refused, failed, lost or stopped.
        again_at: When the key is due again by what was decided here, aware UTC; None for not before the next touch.
        error: What was raised; a fault of ours if the claim has failed.
    """

    how: str
    again_at: datetime | None = None
    error: Exception | None = None


def carry_out(database: Database, claim: Claim, handle: Handler, running: Running, *, clock: Clock) -> Ending:
    """Do one claim's worth of work, and end the claim as that went; a claim that is gone is lost.

    What did not go through is told with its cause and when it is tried again.
    """
    with working_on(kind=claim.key.kind.value, id=claim.key.id, attempts=claim.attempts + 1):
        ending = _carried_out(database, claim, handle, running, clock=clock)
        if ending.how in {"postponed", "refused", "failed"} and ending.error is not None:
            tell("work_ended", ending.error, how=ending.how, again_at=ending.again_at)
        elif ending.how != "done":
            log.info("work_ended", how=ending.how, **get_contextvars())
    counters.add(counters.WORK_ENDED, kind=claim.key.kind, how=ending.how)
    return ending


def _carried_out(database: Database, claim: Claim, handle: Handler, running: Running, *, clock: Clock) -> Ending:
    try:
        again_at = handle(claim, running)
    except LeaseLostError as error:
        return Ending(how="lost", error=error)
    except StoppingError as error:
        return _ending(Ending(how="stopped", error=error), still_ours=ledger.release(database, claim))
    except (RefusedError, InstallationError) as error:
        return _put_off(database, claim, "refused", error, clock=clock)
    except TransientError as error:
        return _put_off(database, claim, "postponed", error, clock=clock)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the work for good
        fault = {"error": describe(error), "trace": trace(error)}
        log.error("work_failed", kind=claim.key.kind, id=claim.key.id, **fault)  # noqa: TRY400 - its words may reveal
        return _put_off(database, claim, "failed", error, clock=clock)
    still_ours = ledger.finish(database, claim, again_at=again_at)
    return _ending(Ending(how="done", again_at=again_at), still_ours=still_ours)


def _put_off(database: Database, claim: Claim, how: str, error: Exception, *, clock: Clock) -> Ending:
    retry_after = error.retry_after if isinstance(error, TransientError | InstallationError) else None
    put_off = ledger.refuse if how == "refused" else ledger.postpone
    again_at = put_off(database, claim, now=clock(), retry_after=retry_after, error=describe(error))
    return _ending(Ending(how=how, again_at=again_at, error=error), still_ours=again_at is not None)


def _ending(ending: Ending, *, still_ours: bool) -> Ending:
    return ending if still_ours else Ending(how="lost", error=ending.error)


class Engine:
    """Threads that carry out what is due, and the wake-ups that reach them through the broker.

    Args:
        broker_url: `memory://` for threads of this process alone, `redis://` for many processes.
        threads: How many claims to carry out at a time, two at least.
        lane_limit: Live claims a lane across all processes; never so many that one takes more than half of the threads.
        wake: How often an idle thread looks whether it has to stop, so how long a stop takes.
        lease: The life of a claim between renewals.
        tick: The pump's longest sleep.
        look: Called before anything is carried out, and again at each tick by the one process that pumps.
        begin: Called once, when it starts.
        companions: Threads that are started and stopped with those that work.
        glance: How often the pump notices what other processes commit, where that is a SQLite file; None for never.
    """

    def __init__(
        self,
        database: Database,
        handle: Handler,
        *,
        broker_url: str,
        clock: Clock,
        threads: int = 8,
        lane_limit: int = ledger.SEATS,
        wake: timedelta = WAKE,
        lease: timedelta = ledger.LEASE,
        tick: timedelta = timedelta(seconds=1),
        look: Callable[[], None] = lambda: None,
        begin: Callable[[], None] = lambda: None,
        companions: Iterable[Companion] = (),
        glance: timedelta | None = None,
    ) -> None:
        self._database = database
        self._handle = handle
        self._clock = clock
        self._lease = lease
        self._threads = max(2, threads)
        self._seats = max(1, min(lane_limit, self._threads // 2))
        self._seating = Seating(threads=self._threads, seats=self._seats)
        self._acts = 0
        self._stop = threading.Event()
        self._counts_lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._is_shared = broker_url != "memory://"
        self._broker, self._wakeups = open_broker(broker_url), WakeUps(shared=self._is_shared)
        self._wake = wake
        self._muted_until = -inf
        self._actors = {
            urgency: dramatiq.actor(actor_name=name, queue_name=queue, broker=self._broker, priority=urgency.value)(
                self._look
            )
            for urgency, (name, queue) in _QUEUES.items()
        }
        self._worker: dramatiq.Worker | None = None
        self._watch: Watch | None = None
        self._look_first, self._begin = look, begin
        self._counting = Counting(database)
        self._pump = Pump(
            database,
            self.wake_again,
            clock,
            tick=tick,
            seats=self._seats,
            closed=self._seating.closed,
            silence=lease / 2,
            look=look,
            glance=glance,
        )
        self._companions = (self._pump, *companions)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often a claim ended as done, postponed, refused, failed, lost or stopped; failed is a fault of ours."""
        with self._counts_lock:
            return dict(self._counts)

    def attach(self) -> None:
        """Have wake-ups sent after every commit, and counts stored, without carrying out anything in this process.

        Wake-ups within this process would reach nobody; what it commits is noticed by whoever carries out due work.
        """
        if self._is_shared:
            self._database.on_touched = self.wake
        self._counting.start()

    def start(self) -> None:
        """Start the threads. On SQLite the caller holds the file lock: leases left by a killed process end here."""
        if self._database.embedded:
            ledger.clear_leases(self._database)
        self._look_first()
        self._begin()
        with self._database.begin() as db:
            missing = needs.make_missing_due(db, now=self._clock())
        if missing:
            log.warning("work_was_missing", keys=missing)
        self._database.on_touched = self.wake
        self._counting.start()
        milliseconds = round(self._wake / timedelta(milliseconds=1))
        self._worker = dramatiq.Worker(self._broker, worker_threads=self._threads, worker_timeout=milliseconds)
        self._worker.start()
        for companion in self._companions:
            companion.start()
        self._watch = Watch(self._worker, self._companions)
        self._watch.start()

    def stop(self, timeout: timedelta = timedelta(seconds=15)) -> None:
        """Let handlers come to their next batch and give their leases back, then end the threads."""
        self._stop.set()
        if self._watch is not None:
            self._watch.stop()
        for companion in self._companions:
            companion.stop()
        if self._worker is not None:
            self._worker.stop(timeout=round(timeout / timedelta(milliseconds=1)))
        self._counting.stop()
        self._broker.close()

    def wake(self, due: Mapping[Key, Turn]) -> None:
        """Send wake-ups for keys that have become due, or will within half a minute; the pump, if Redis is lost now."""
        self._send(due.items(), again=False)

    def wake_again(self, keys: Mapping[Key, Urgency]) -> None:
        """Send wake-ups for due keys, but for those whose wake-up is still on its way."""
        now = self._clock()
        self._send(((key, Turn(now, urgency)) for key, urgency in keys.items()), again=True)

    def _send(self, due: Iterable[tuple[Key, Turn]], *, again: bool) -> None:
        if self._stop.is_set() or time.monotonic() < self._muted_until:
            return
        now = self._clock()
        for key, turn in due:
            delay = max(timedelta(), turn.due_at - now)
            if delay > PRECISE or not self._wakeups.may_wake(key, turn.urgency, delay.total_seconds(), again=again):
                continue
            message = self._actors[turn.urgency].message(key.kind.value, key.id)
            try:
                self._broker.enqueue(message, delay=round(delay / timedelta(milliseconds=1)) if delay else None)
            except ConnectionClosed:  # told once by the broker; the pump sends wake-ups in our place
                self._wakeups.forget(key)
                self._muted_until = time.monotonic() + MUTED_SECONDS
                return

    def _look(self, kind: str, identity: str) -> None:
        """Carry out what a message asks to look at; never raises, for the broker could do nothing about it."""
        try:
            self._carry_on(Key(Kind(kind), identity))
            if self._is_turn_of_others():
                self._carry_out_longest_waiting()
        except Exception as error:  # noqa: BLE001 - the key stays due, or its lease ends; the pump wakes again
            self._count("failed")
            log.error("look_failed", kind=kind, id=identity, error=describe(error))  # noqa: TRY400 - words may reveal

    def _carry_on(self, first: Key) -> None:
        """Carry out a key for as long as it is due again at once, and send the wake-up for what follows in its lane."""
        following: tuple[Key, Urgency] | None = (first, first.kind.urgency)
        while following is not None and following[0] == first and not self._stop.is_set():
            self._wakeups.forget(first)
            following = self._carry_out(first)
        if following is not None:
            key, urgency = following
            self.wake({key: Turn(self._clock(), urgency)})

    def _carry_out(self, key: Key) -> tuple[Key, Urgency] | None:
        """Do one claim's worth and return the key to go on with."""
        since, closed = time.monotonic(), self._seating.closed()
        claim = ledger.claim(
            self._database, key, now=self._clock(), lease=self._lease, seats=self._seats, closed=closed
        )
        if claim is None:
            return None
        if not self._seating.take(claim):
            ledger.release(self._database, claim)  # another thread was quicker to take of its lane
            return None
        running = Running(self._database, claim, lease=self._lease, stop=self._stop, since=since)
        how = "failed"
        try:
            ending = carry_out(self._database, claim, self._handle, running, clock=self._clock)
            how = ending.how
        finally:
            self._seating.leave(claim, how)
        return self._ended(claim, ending)

    def _ended(self, claim: Claim, ending: Ending) -> tuple[Key, Urgency] | None:
        """Count how a claim has ended, send the wake-up for its next time, and return the key to go on with."""
        self._count(ending.how, urgency=claim.urgency)
        if ending.how == "lost" or self._stop.is_set():
            return None
        if ending.again_at is not None:
            urgency = claim.key.kind.urgency if ending.how == "done" else claim.urgency
            self.wake({claim.key: Turn(ending.again_at, urgency)})
        return ledger.follower(self._database, claim, self._clock())

    def _is_turn_of_others(self) -> bool:
        """Whether enough acts have gone first; then counting begins anew."""
        with self._counts_lock:
            is_theirs = self._acts >= SHARE
            self._acts = 0 if is_theirs else self._acts
            return is_theirs

    def _carry_out_longest_waiting(self) -> None:
        """Carry out what has waited longest of all that is no act: acts go first, and nothing waits for ever."""
        closed = self._seating.closed()
        key = ledger.longest_waiting(self._database, self._clock(), seats=self._seats, closed=closed)
        if key is not None:
            self._carry_on(key)

    def _count(self, how: str, *, urgency: Urgency | None = None) -> None:
        with self._counts_lock:
            self._counts[how] += 1
            self._acts += urgency is Urgency.ACT
