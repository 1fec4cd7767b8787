"""Which use case carries out which kind of due work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy.exc import SQLAlchemyError

from connector import counters
from connector.domain.connection import Calendar, Connection, ConnectionState, TroubleKind
from connector.domain.notice import PauseReason
from connector.errors import (
    AccessLostError,
    EditConflictError,
    LeaseLostError,
    MissingError,
    NotFoundError,
    RefusedError,
    StoppingError,
    TransientError,
)
from connector.ports import RemoteCalendar, asking_first
from connector.runtime import Runtime
from connector.sentence import Sentence
from connector.services import consent, fetching, handing_over, receiving, standstill, texts, upkeep
from connector.services.accounts import connect, disconnect, registrations, retarget, subscriptions
from connector.services.outcomes.delivering import Delivering
from connector.services.scheduling import absences, offers, questions
from connector.services.signing_in import links, log
from connector.services.sync import erasure, free_busy, hold_probe, pull, push, troubles
from connector.services.sync.troubles import Attempt
from connector.storage import calendars, ledger
from connector.storage.fence import fenced
from connector.storage.incoming import Door
from connector.storage.ledger import Claim, Kind
from connector.work.engine import Handler, Running

_IN_STANDSTILL = (Kind.CONVERSATION, Kind.SIGN_IN)  # which know what may leave all the same


def handler(runtime: Runtime) -> Handler:
    """Return the function that carries out a claim and says when to look at its key again."""

    def handle(claim: Claim, running: Running) -> datetime | None:
        identity = UUID(claim.key.id)
        if claim.key.kind not in _IN_STANDSTILL and standstill.stands(runtime.database):
            return runtime.clock() + standstill.LOOK
        match claim.key.kind:
            case Kind.CALENDAR | Kind.PULL | Kind.CHANNEL | Kind.BUSY | Kind.PROBE:
                return _calendar(runtime, claim, identity, running)
            case Kind.OFFER | Kind.QUESTION | Kind.ABSENCE | Kind.UPKEEP:
                return _recorded(runtime, claim.key.kind, identity, running)
            case Kind.CONVERSATION:
                with asking_first(running.keep):
                    return handing_over.converse(
                        runtime.database,
                        runtime.policy,
                        runtime.sender,
                        runtime.link_for,
                        identity,
                        code_for=runtime.code_for,
                        clock=runtime.clock,
                        fence=running,
                        subscription_for=runtime.subscription_for,
                        own_page_for=runtime.own_page_for,
                        stopped=lambda db, message, now: consent.stopped_by_gateway(
                            db, runtime.policy.media, message, now=now
                        ),
                        named=lambda db, remote_id, now: texts.note_early(db, runtime.policy, remote_id, now=now),
                    )
            case Kind.SIGN_IN:
                _mail_link(runtime, identity, running)
                return None
            case Kind.MAIL:
                _read_mail(runtime, identity, running)
                return None
            case Kind.MAILBOX:
                return fetching.look(
                    runtime.database, runtime.policy, runtime.mailbox, clock=runtime.clock, fence=running
                )
            case Kind.OUTCOME:
                return _deliver(runtime, identity, running)
            case _:
                assert_never(claim.key.kind)

    return handle


def _deliver(runtime: Runtime, queue_id: UUID, running: Running) -> datetime | None:
    if runtime.poster is None:
        raise RefusedError(Sentence("nothing posts outcomes here"))
    delivering = Delivering(
        database=runtime.database,
        policy=runtime.policy,
        seal=runtime.seal,
        poster=runtime.poster,
        clock=runtime.clock,
        fence=running,
        tells_host=runtime.tells_host,
    )
    with asking_first(running.keep):
        return delivering.carry_out(queue_id)


def _read_mail(runtime: Runtime, mail_id: UUID, running: Running) -> None:
    settings = runtime.settings
    servers = {Door.MAILBOX: settings.mail_server_id, Door.GATEWAY: settings.mail_gateway_id}
    receiving.read(
        runtime.database,
        runtime.policy,
        mail_id,
        servers=servers,
        keys=runtime.keys,
        now=runtime.clock(),
        fence=running,
    )


def _recorded(
    runtime: Runtime,
    kind: Literal[Kind.OFFER, Kind.QUESTION, Kind.ABSENCE, Kind.UPKEEP],
    identity: UUID,
    running: Running,
) -> datetime | None:
    """Carry out what is one transaction of its own."""
    now = runtime.clock()
    if kind is Kind.UPKEEP:
        texts.note_left_behind(runtime.database, runtime.policy, now=now)
    with fenced(runtime.database, running) as db:
        if kind is Kind.OFFER:
            return offers.come_due(db, runtime.policy, identity, now=now)
        if kind is Kind.QUESTION:
            return questions.come_due(db, runtime.policy, identity, now=now)
        if kind is Kind.ABSENCE:
            return absences.come_due(db, runtime.policy, identity, now=now)
        return upkeep.sweep(db, now=now)


def _mail_link(runtime: Runtime, request_id: UUID, running: Running) -> None:
    with fenced(runtime.database, running) as db:
        outcome = links.mail(db, runtime.policy, request_id, now=runtime.clock())
    if outcome is not None:
        log.note(outcome.event, outcome.person_id, role=outcome.role)


def _calendar(runtime: Runtime, claim: Claim, calendar_id: UUID, running: Running) -> datetime | None:
    try:
        with runtime.database.read() as db:
            calendar = calendars.calendar(db, calendar_id)
            connection = calendars.connection(db, calendar.connection_id)
            is_looking = claim.key.kind is Kind.PULL
            hastens = is_looking and ledger.is_refused(db, registrations.AFTER_LOOK, claim.key.id)
    except NotFoundError:
        return None  # disconnected meanwhile
    if connection.state is ConnectionState.ACCESS_LOST:
        return None  # reconnecting makes the calendar due again
    if connection.state is ConnectionState.OK and calendar.paused == PauseReason.RESTORED:
        return None  # the decision about it makes it due again
    work = _CalendarWork(runtime, claim, calendar, connection, running, runtime.clock())
    with asking_first(work.ask_first):
        again_at = work.carry_out()
    if hastens or claim.refused_at is not None:
        work.note_done()
    return again_at


@dataclass(frozen=True, slots=True)
class _CalendarWork:
    """One claim's worth of work on a calendar that can be reached, as far as we know."""

    runtime: Runtime
    claim: Claim
    calendar: Calendar
    connection: Connection
    running: Running
    now: datetime

    def ask_first(self) -> None:
        """Before every request, make sure that it may still be made.

        Raises: LeaseLostError if another worker may have the claim, or everything stands still since.
        """
        self.running.keep()
        if standstill.stands(self.runtime.database):
            raise LeaseLostError("the database was restored from a back-up")

    def carry_out(self) -> datetime | None:
        """Do it, and note what did not go through; say what that means for the work."""
        try:
            if self.connection.state is ConnectionState.DISCONNECTING:
                self._disconnect()
                return None
            self._begin_look()
            return self._with_remote(self.runtime.remote(self.calendar.id))
        except AccessLostError as error:
            if self.connection.state is ConnectionState.DISCONNECTING:
                raise
            counters.failed(self.connection.provider, TroubleKind.REFUSED)
            with fenced(self.runtime.database, self.running) as db:
                connect.note_access_lost(db, self.connection.id, now=self.runtime.clock(), why=error)
            return None
        except (LeaseLostError, StoppingError, NotFoundError, SQLAlchemyError):
            raise  # nothing of the calendar's
        except Exception as error:
            failure = _meaning(error)
            attempt = Attempt(connection=self.connection, calendar_id=self.calendar.id, claim=self.claim, error=failure)
            with fenced(self.runtime.database, self.running) as db:
                troubles.note(db, self.runtime.policy, attempt, now=self.runtime.clock())
            if failure is error:
                raise
            raise failure from error

    def note_done(self) -> None:
        """Note that it has gone through, which may help what has not; not so a look that saw nothing."""
        is_look = self.claim.key.kind is Kind.PULL
        with fenced(self.runtime.database, self.running) as db:
            looked = is_look and self._has_looked(db)
            if looked or not is_look:
                troubles.note_done(
                    db, self.connection, self.calendar.id, self.claim, looked=looked, now=self.runtime.clock()
                )

    def _has_looked(self, db: Db) -> bool:
        """Whether the calendar was read just now; not so if it was disconnected meanwhile."""
        try:
            read_at = calendars.calendar(db, self.calendar.id).read_at
        except NotFoundError:
            return False
        return read_at is not None and read_at >= self.now

    def _begin_look(self) -> None:
        """Have everything read if nothing could be for longer than usual."""
        if self.claim.key.kind is Kind.PULL and self.calendar.read_fault is not None:
            with fenced(self.runtime.database, self.running) as db:
                calendars.end_outage(db, self.calendar.id, longer_than=self.runtime.policy.poll_idle, now=self.now)

    def _with_remote(self, remote: RemoteCalendar) -> datetime | None:
        runtime, calendar_id, running, now = self.runtime, self.calendar.id, self.running, self.now
        database, policy, seal = runtime.database, runtime.policy, runtime.seal
        match self.claim.key.kind:
            case Kind.CALENDAR:
                push.converge(database, policy, calendar_id, remote, clock=runtime.clock, fence=running)
                retarget.finish_clearing(database, policy, seal, calendar_id, remote, fence=running, now=now)
                erase_again = erasure.rewrite(database, policy, calendar_id, remote, clock=runtime.clock, fence=running)
                looks = (erase_again, push.look_again_at(database, calendar_id))
                return min((at for at in looks if at is not None), default=None)
            case Kind.CHANNEL:
                url = runtime.settings.public_url
                return subscriptions.watch(database, seal, calendar_id, remote, public_url=url, fence=running, now=now)
            case Kind.BUSY:
                return free_busy.read(database, policy, calendar_id, remote, fence=running, now=now)
            case Kind.PROBE:
                return hold_probe.probe(database, policy, calendar_id, remote, fence=running, now=now)
            case _:
                return pull.pull(database, policy, calendar_id, remote, fence=running, now=now)

    def _disconnect(self) -> None:
        """Disconnect an account, under its calendar's own key alone; it is neither read nor watched any more."""
        if self.claim.key.kind is not Kind.CALENDAR:
            return
        runtime, connection = self.runtime, self.connection
        provider = runtime.load_provider(connection.provider)
        disconnect.finish(
            runtime.database,
            runtime.policy,
            runtime.seal,
            connection.id,
            provider.account(runtime.tokens(connection.id), runtime.network),
            account_key=provider.account_key,
            clock=runtime.clock,
            fence=self.running,
        )


def _meaning(error: Exception) -> Exception:
    """Return what an error of a calendar service means for the work."""
    match error:
        case MissingError():
            return RefusedError(Sentence("the calendar is no longer there"))
        case EditConflictError():
            return TransientError(error.sentence)
        case _:
            return error
