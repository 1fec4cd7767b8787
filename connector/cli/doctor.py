"""`pencilled doctor`: one line for everything that has to work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import click
import sqlalchemy as sa

from connector import app
from connector.cli import WrongSettings, unreachable
from connector.cli._calendars import look
from connector.cli._lookup import short
from connector.cli._shapes import unread_json
from connector.cli._shared import (
    NOT_MIGRATED,
    as_json,
    build,
    example,
    log_as,
    missing_file,
    print_json,
    read_settings,
    refuse_strange_keys,
)
from connector.domain.answering import AnswerPolicy
from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.people import Medium
from connector.errors import ConnectorError, RuleError
from connector.runtime import Runtime
from connector.services import erasing, fetching, standstill
from connector.services.outcomes import endpoints, in_process
from connector.services.scheduling import answers, codes
from connector.services.sync import free_busy
from connector.services.views import readiness, unread
from connector.settings import Settings
from connector.storage import calendars, ledger, locks, migrations, offers, outcomes, reply_mailbox, troubles
from connector.storage import endpoints as stored_endpoints
from connector.storage.clock import TOLERATED, DatabaseClock
from connector.storage.database import read_url
from connector.storage.endpoints import Endpoint
from connector.storage.outcomes import Standing
from connector.work.pump import BATON

OVERDUE = timedelta(minutes=5)  # as long as readiness allows
WAITED = timedelta(hours=1)  # an outcome that nothing keeps from arriving
PROVED = timedelta(days=2)  # a calendar's holds are tried out daily; one day may be missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        unread_events: For programs, what of a calendar could not be read.
        receipts: For programs, the address at which the gateway of texts is to tell what becomes of them.
    """

    name: str
    ok: bool
    words: str
    unread_events: Sequence[Mapping[str, object]] = ()
    receipts: str = field(default="", repr=False)

    @property
    def json(self) -> Mapping[str, object]:
        """The same for programs."""
        always = {"name": self.name, "ok": self.ok, "words": self.words}
        more = {"unread_events": self.unread_events, "receipts": self.receipts}
        return always | {name: value for name, value in more.items() if value}


@click.command()
@as_json
@example("pencilled doctor && echo all is well")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check everything that has to work: settings, database, broker, mail, texts, every calendar, and due work.

    Mail is what is sent and, where there is one, the mailbox that clients answer to.

    Prints one line for each, `ok` or `!!`, and what to do. A calendar gets further lines where it was stopped, where
    holds must be shown as plainly busy, where that was not tried out lately, and where it cannot be looked up whether
    its practitioner is free, or not of every event. An endpoint gets one that says whether outcomes arrive there.
    Changes nothing, sends nothing.

    Exit codes: 0 all is well; 1 something is not; 2 wrong settings.
    """
    settings = read_settings()
    log_as(settings, quiet=True)
    checks = []
    for check in _checks(settings):
        checks.append(check)
        if not as_json:
            click.secho(f"{'ok' if check.ok else '!!'}  {check.name}: {check.words}", fg=None if check.ok else "red")
    failed = [check for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not failed, "checks": [check.json for check in checks]})
    context.exit(1 if failed else 0)


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check(name="settings", ok=True, words="readable, " + ("embedded" if settings.embedded else "distributed"))
    yield from _public_url(settings)
    database = _database(settings)
    yield database
    yield _broker(settings)
    yield _mail(settings)
    if not database.ok:
        return
    try:
        runtime = build(settings)
        refuse_strange_keys(runtime)
    except WrongSettings as error:
        yield Check(name="key", ok=False, words=error.message.removeprefix("Error: "))
        return
    yield from _mailbox(runtime)
    yield from _texts(runtime)
    yield from _answers(runtime)
    yield from _clock(runtime)
    if not readiness.can_be_written(runtime.database):
        yield Check(name="writing", ok=False, words=readiness.NOT_WRITABLE)
    if standstill.stands(runtime.database):
        words = "the database was restored from a back-up, and nothing goes out. Decide: pencilled restored"
        yield Check(name="restore", ok=False, words=words)
    with runtime.database.read() as db:
        connections = calendars.connections_of(db)
        doubles = calendars.doubles(db)
        back = erasing.forgotten(db, runtime.witness)
    for client_id in back:
        words = f"is back since a restore. Again: pencilled clients erase {client_id}"
        yield Check(name=f"erased client {short(client_id)}", ok=False, words=words)
    yield from _doubles(doubles)
    if not connections:
        yield Check(name="calendars", ok=True, words="none is connected yet")
    for connection in connections:
        state = look(runtime, connection)
        yield Check(name=f"calendar {short(connection.id)} “{connection.label}”", ok=state.ok, words=state.words)
        yield from _holds(runtime, connection)
        yield from _conflicts(runtime, connection)
    yield from _registrations(runtime)
    yield from _endpoints(runtime)
    yield from _work(runtime)


def _public_url(settings: Settings) -> Iterator[Check]:
    """Say where people's passwords, links and cookies would travel for everybody to read."""
    if settings.public_url.startswith("https://") or settings.for_this_machine:
        return
    words = (
        f"CONNECTOR_PUBLIC_URL is {settings.public_url}, without TLS: whoever is on the way reads links, passwords and "
        "cookies, and calendar services send no pushes there. Put a proxy in front that ends TLS, and begin the "
        "address with https://"
    )
    yield Check(name="public address", ok=False, words=words)


def _registrations(runtime: Runtime) -> Iterator[Check]:
    """Name the services that refuse this installation itself."""
    with runtime.database.read() as db:
        faults = troubles.every_registration_fault(db)
    for fault in faults:
        words = f"this installation is refused since {fault.since:%d %b %Y, %H:%M} UTC: {fault.cause}"
        yield Check(name=f"registration {fault.provider}", ok=False, words=words)


def _endpoints(runtime: Runtime) -> Iterator[Check]:
    """Say of each address of a host whether outcomes arrive there."""
    with runtime.database.read() as db:
        every, standings, now = stored_endpoints.every(db), outcomes.standings(db), runtime.clock()
    for endpoint in every:
        name = f"endpoint {short(endpoint.id)} {endpoint.host}"
        ok, words = _told(endpoint, standings.get(endpoint.id, Standing()), now)
        yield Check(name=name, ok=ok, words=words)


def _told(endpoint: Endpoint, standing: Standing, now: datetime) -> tuple[bool, str]:
    """Return whether outcomes arrive at an endpoint, and how it stands."""
    waiting, why = _many(standing.waiting), f": {standing.error}" if standing.error is not None else ""
    if not endpoint.is_enabled:
        return endpoint.disabled_why in {endpoints.BY_HAND, in_process.TAKEN_AWAY}, _disabled(endpoint, waiting)
    if endpoint.failing_since is not None and now - endpoint.failing_since > OVERDUE:
        since = f"nothing has arrived there since {_at(endpoint.failing_since)}{why}; {waiting}"
        goes_on = "It is tried again by itself, and disabled after three days. See each attempt"
        return False, f"{since}. {goes_on}: pencilled deliveries page"
    if standing.waits_since is not None and now - standing.waits_since > WAITED:
        since = f"the oldest since {_at(standing.waits_since)}"
        return False, f"{waiting}, {since}{why}. See which: pencilled deliveries page"
    last = f"the last arrived on {_at(standing.arrived_at)}" if standing.arrived_at else "none has arrived yet"
    given_up = "; some were given up: pencilled deliveries list --state failed" if standing.given_up else ""
    return True, f"takes outcomes, {last}; {waiting}{given_up}"


def _disabled(endpoint: Endpoint, waiting: str) -> str:
    since = f"disabled since {_at(endpoint.disabled_at)}" if endpoint.disabled_at else "disabled"
    enable = f"`pencilled endpoints enable {endpoint.id}` sends what waits, of the last thirty days"
    match endpoint.disabled_why:
        case endpoints.BY_HAND:
            return f"{since}, by hand; {waiting}. {enable}"
        case in_process.TAKEN_AWAY:
            return (
                f"{since}: the host's program has no on_outcome any more; {waiting}. With it again, all of that is told"
            )
        case _ if endpoint.is_in_process:
            return f"{since}: on_outcome has raised for three days; {waiting}. Restart the host once it is put right"
        case endpoints.KEY_LOST:
            renew = f"`pencilled endpoints rotate-secret {endpoint.id}` makes a new one, for its host; then {enable}"
            return f"{since}: its secret is lost with the key that sealed it; {waiting}. {renew}"
        case endpoints.GONE:
            why = "it answered that it is gone (410)"
        case _:
            why = "nothing arrived there for three days"
    remove = f"Nobody needs it any more? `pencilled endpoints remove {endpoint.id}`"
    return f"{since}: {why}; {waiting}. Once its host has put that right, {enable}. {remove}"


def _at(instant: datetime) -> str:
    return f"{instant:%d %b %Y, %H:%M} UTC"


def _many(waiting: int) -> str:
    return {0: "nothing waits", 1: "1 outcome waits"}.get(waiting, f"{waiting} outcomes wait")


def _doubles(doubles: Sequence[Sequence[Calendar]]) -> Iterator[Check]:
    """Name the calendars that several connections write to, which older versions allowed: everything stands twice."""
    for first, *others in doubles:
        ids = [short(calendar.connection_id) for calendar in others]
        commands = " and ".join(f"`pencilled connections disconnect {one}`" for one in ids)
        words = f"connected more than once, by {short(first.connection_id)} and {', '.join(ids)}. Keep one: {commands}"
        yield Check(name=f"calendar “{first.name}”", ok=False, words=words)


def _holds(runtime: Runtime, connection: Connection) -> Iterator[Check]:
    """Say how holds must be shown where that is not as usual, or was not tried out lately."""
    if connection.state is not ConnectionState.OK:
        return
    with runtime.database.read() as db:
        target, now = calendars.target(db, connection.id), runtime.clock()
    name = f"holds {short(connection.id)} “{target.name}”"
    if target.disclosure.firm_holds:
        words = "shown as plainly busy: this calendar reads tentative entries as free"
        yield Check(name=name, ok=True, words=words)
    since = target.probed_at or target.created_at
    if target.paused is None and since is not None and since < now - PROVED:
        last_try = f"not since {since:%d %b %Y, %H:%M} UTC" if target.probed_at else "never"
        words = f"tried out {last_try}, whether tentative holds keep their time busy, which is done daily"
        yield Check(name=name, ok=False, words=words)


def _conflicts(runtime: Runtime, connection: Connection) -> Iterator[Check]:
    """Name the calendars of which it is not known whether their practitioner is free, where somebody relies on it."""
    if connection.state is not ConnectionState.OK:
        return
    with runtime.database.read() as db:
        owned = calendars.in_connection(db, connection.id)
        not_read = {view.calendar.id: view for view in unread.of_calendars(db, owned)}
        open_offers = offers.open_of_practitioner(db, connection.practitioner_id)
        held = [alternative for offer in open_offers for alternative in offer.held]
        spots = free_busy.blind_spots(db, runtime.policy, connection.practitioner_id, held, now=runtime.clock())
    blind = {spot.calendar for spot in spots if spot.stale}
    for calendar in owned:
        name = f"conflicts {short(connection.id)} “{calendar.name}”"
        if calendar.busy_trouble is not None:
            words = f"a blind spot, {_last_reading(calendar)}: {calendar.busy_trouble}"
            yield Check(name=name, ok=False, words=words)
        elif open_offers and calendar.name in blind:
            words = f"a blind spot while an offer is open, {_last_reading(calendar)}"
            yield Check(name=name, ok=False, words=words)
        if calendar.id in not_read:
            view = not_read[calendar.id]
            yield Check(name=name, ok=False, words=view.sentence, unread_events=unread_json(view))


def _last_reading(calendar: Calendar) -> str:
    return f"last read on {calendar.busy_at:%d %b %Y, %H:%M} UTC" if calendar.busy_at else "never read yet"


def _database(settings: Settings) -> Check:
    url = read_url(settings.database_url)
    if words := missing_file(settings):
        return Check(name="database", ok=False, words=words)
    try:
        if migrations.pending(settings.database_url):
            return Check(name="database", ok=False, words=NOT_MIGRATED)
    except RuleError as error:
        return Check(name="database", ok=False, words=str(error))
    except sa.exc.OperationalError as error:
        return Check(name="database", ok=False, words=unreachable(error))
    return Check(name="database", ok=True, words=f"reached and up to date, {url.get_backend_name()}")


def _clock(runtime: Runtime) -> Iterator[Check]:
    """Say how far this machine's clock is off the database's, which decides; a file is on this machine."""
    if not isinstance(runtime.clock, DatabaseClock):
        return
    offset = runtime.clock.offset
    seconds = f"{abs(offset.total_seconds()):.1f} s"
    if abs(offset) <= TOLERATED:
        yield Check(name="clock", ok=True, words=f"this machine's is {seconds} off the database's, which decides")
        return
    side = "behind" if offset > timedelta() else "ahead of"
    words = f"this machine's is {seconds} {side} the database's, which decides. Have it set, by NTP for example"
    yield Check(name="clock", ok=False, words=words)


def _broker(settings: Settings) -> Check:
    if settings.embedded:
        return Check(name="broker", ok=True, words="none is needed with SQLite")
    try:
        app.check_broker(settings)
    except ConnectorError as error:
        return Check(name="broker", ok=False, words=str(error))
    return Check(name="broker", ok=True, words="reached")


def _mail(settings: Settings) -> Check:
    try:
        app.check_mail(settings)
    except ConnectorError as error:
        return Check(name="mail", ok=False, words=str(error))
    return Check(name="mail", ok=True, words="the mail server is reached and lets us in; nothing was sent")


def _mailbox(runtime: Runtime) -> Iterator[Check]:
    """Say whether the mailbox that clients answer to can be read, if there is one, and whether all of it could be."""
    if not runtime.settings.mailbox_url:
        return
    with runtime.database.read() as db:
        standing = reply_mailbox.standing(db)
    try:
        tells = app.check_mailbox(runtime.settings)
    except ConnectorError as error:
        yield Check(name="mailbox", ok=False, words=str(error))
        return
    if standing is not None and standing.fault is not None:
        since = f"{standing.fault_since:%d %b %Y, %H:%M} UTC"
        if standing.fault == fetching.FICKLE:
            words = f"reached, and read late since {since}: {standing.fault}"
        else:
            words = f"reached just now, but not read since {since}, and tried again by itself: {standing.fault}"
        yield Check(name="mailbox", ok=False, words=words)
    elif standing is not None and standing.left_behind:
        mails = "1 mail" if standing.left_behind == 1 else f"{standing.left_behind} mails"
        words = f"its server does not hand over {mails}, though it lists them; tried again every hour, for a week"
        yield Check(name="mailbox", ok=False, words=words)
    else:
        how = "tells at once what comes in" if tells else "is looked into every minute"
        yield Check(name="mailbox", ok=True, words=f"reached and opened, and {how}; nothing was read")


_UNDESCRIBED = (
    ". Its URL does not say what its answer to a text that was taken holds, so only what names an id counts as taken: "
    "set ok= in CONNECTOR_SMS_URL, such as ok=status:queued"
)


def _texts(runtime: Runtime) -> Iterator[Check]:
    """Say whether the gateway of texts can be reached, if there is one; the address it tells at is for JSON alone."""
    if not runtime.settings.sms_url:
        return
    ok, words = True, "the gateway is reached and lets us in; nothing was sent"
    try:
        is_described = app.check_texts(runtime.settings)
    except ConnectorError as error:
        ok, words = False, str(error)
    else:
        words += "" if is_described else _UNDESCRIBED
    yield Check(name="texts", ok=ok, words=words, receipts=runtime.texts_address)


def _answers(runtime: Runtime) -> Iterator[Check]:
    """Say what proves who answers, where it is more than the link."""
    if runtime.policy.answers is AnswerPolicy.HOST:
        yield _signed_in(runtime)
    if runtime.policy.answers is not AnswerPolicy.CODE:
        return
    with runtime.database.read() as db:
        total, alone = codes.by_one_medium(db, runtime.policy, now=runtime.clock())
    if Medium.SMS not in runtime.policy.media:
        words = (
            "a code is needed besides the link. It goes by the same mail, so it proves only the mailbox: where that is "
            "not enough, name a gateway of texts in CONNECTOR_SMS_URL"
        )
    elif alone:
        words = (
            f"a code is needed besides the link. Of {total} with sessions to come {alone} can be reached by one medium "
            "alone, so theirs proves only that they read what arrives there"
        )
    else:
        words = "a code is needed besides the link, and goes by the other medium to everybody with sessions to come"
    yield Check(name="answers", ok=True, words=words)


def _signed_in(runtime: Runtime) -> Check:
    """Say who cannot answer where the host says who is present: whom it knows by no id of its own."""
    with runtime.database.read() as db:
        total, unknown = answers.unknown_to_the_host(db, now=runtime.clock())
    where = runtime.settings.host_sign_in_url or "the host in whose process Pencilled runs"
    words = f"clients answer who are signed in at {where}, and nobody else sees their offers"
    if unknown:
        words += (
            f". Of {total} with sessions to come {unknown} have no external id, so nobody can say that they are there: "
            "the API gives them one (PATCH /clients/ID)"
        )
    return Check(name="answers", ok=not unknown, words=words)


def _work(runtime: Runtime) -> Iterator[Check]:
    refused = ledger.refused(runtime.database)
    for row in refused:
        name = f"refused {row.key.kind.value} {row.key.id[:8]}"
        again = f", tried again on {row.again_at:%d %b %Y, %H:%M} UTC" if row.again_at else ""
        yield Check(name=name, ok=False, words=f"since {row.since:%d %b %Y, %H:%M} UTC{again}: {row.error}")
    delay = ledger.oldest_overdue(runtime.database, runtime.clock())
    if delay > OVERDUE:
        words = f"waiting for {int(delay.total_seconds() // 60)} minutes{_carried_out(runtime, is_overdue=True)}"
        yield Check(name="due work", ok=False, words=words)
    elif not refused:
        words = f"nothing waits longer than it should{_carried_out(runtime, is_overdue=False)}"
        yield Check(name="due work", ok=True, words=words)


def _carried_out(runtime: Runtime, *, is_overdue: bool) -> str:
    """Say who carries out due work, where one process does, and how somebody does."""
    if not runtime.settings.embedded:
        watch = runtime.database.baton_holder(BATON)
        if watch is None:
            return "; nobody keeps watch for it" + (". Is `pencilled worker` running?" if is_overdue else " now")
        return f"; process {watch} keeps watch for it"
    holder = locks.holder(runtime.settings.database_url)
    if holder is None:
        return "; nobody carries it out" + (". Is `pencilled serve` running, or your host?" if is_overdue else " now")
    process = f"process {holder.process}" if holder.process else "another process"
    return f"; {process} carries it out"
