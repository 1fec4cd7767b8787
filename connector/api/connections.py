"""Connections: the accounts at calendar services that practitioners have connected, and how they fare."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.people import Locale
from connector.api.routes import Resource
from connector.api.values import ExternalId, PageQuery, SoughtId, WebAddress
from connector.domain.api_key import Scope
from connector.domain.connection import Calendar, TroubleKind
from connector.domain.people import Level, check_locale
from connector.language.catalogues import Language
from connector.services import people
from connector.services.accounts import connect, connect_links, disconnect, sign_in
from connector.services.views import connection_health
from connector.services.views.connection_health import ConnectionHealth, Health, HealthView

resource = Resource("connections", writes=(Scope.CONNECTIONS,))

LevelNumber = Annotated[int, Meta(ge=0, le=4, description="0 nothing, 1 what it is, 2 initials, 3 first name, 4 all.")]
_GONE = (
    "connection_not_found",
    "calendar_being_disconnected",
)


class HealthBody(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection fares.

    Attributes:
        state: `ok`; `troubled`: something does not go through, and is tried again; `paused`: nothing is done until
            somebody has decided; `access_lost`: its practitioner has to reconnect it; `disconnecting`.
        since: Since when; null while all is well, or where that is not known.
        what: What does not go through; null for another reason.
        ends_by: Who can end it: its practitioner (`refused`), the operator (`installation`, `ours`), time (`outage`).
        why: What went wrong last, for people, in the language asked for.
    """

    state: Health
    since: datetime | None
    what: Literal["written", "read", "compared"] | None
    ends_by: TroubleKind | None
    why: str | None


class CalendarBody(msgspec.Struct, frozen=True, kw_only=True):
    """The calendar that entries go to.

    Attributes:
        session_level: How much of a client entries of sessions show.
        hold_level: Likewise those of times that are offered.
        holds: How offered times stand there so that they are busy; null before that has been tried out.
        last_written_at: When everything was there that had to be; it does not count as a change, nor does the next.
        last_read_at: When it was last looked at.
    """

    name: str
    session_level: LevelNumber
    hold_level: LevelNumber
    holds: Literal["tentative", "busy"] | None
    last_written_at: datetime | None
    last_read_at: datetime | None


class WatchedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar that is only read.

    Attributes:
        last_read_at: When its busy times were last read.
        unreadable: Whether they cannot be read at present: nobody knows what stands there.
    """

    name: str
    last_read_at: datetime | None
    unreadable: bool


class ConnectionBody(msgspec.Struct, frozen=True, kw_only=True):
    """An account at a calendar service.

    Attributes:
        provider: The service, by its short name.
        label: What the account is called.
        watched: The calendars whose busy times count beside.
    """

    id: UUID
    external_id: str | None
    version: int
    created_at: datetime
    practitioner_id: UUID
    provider: str
    label: str
    health: HealthBody
    calendar: CalendarBody
    watched: list[WatchedBody]


class ConnectionList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of connections."""

    items: list[ConnectionBody]
    next: str | None


class ConnectionQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which connections.

    Attributes:
        practitioner_id: Whose; left out for all that the key sees.
        external_id: The one that the host calls so.
    """

    practitioner_id: UUID | None = None
    external_id: SoughtId | None = None


class ConnectionChangesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed; what is left out stays."""

    external_id: ExternalId | UnsetType | None = UNSET
    session_level: LevelNumber | UnsetType = UNSET
    hold_level: LevelNumber | UnsetType = UNSET


class DisconnectBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to disconnect.

    Attributes:
        leave_entries: Do not wait for our entries to be removed. Only where they cannot be reached: access is lost, or
            removing them has begun and does not come to an end.
    """

    leave_entries: bool = False


class NewConnectLinkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link that leads a practitioner through connecting one account, and back.

    Attributes:
        return_url: Where they are sent back to, with `status` (`connected`, `cancelled` or `failed`), and
            `connection_id` or `code`, added. Its origin must be one that the operator allows, in
            `CONNECTOR_RETURN_ORIGINS`.
        provider: The only service to offer; null for all that are set up.
        locale: In which language the pages speak; null for the practitioner's own.
        reconnect: The connection that is to be reconnected, with the same account; null for a new one.
    """

    return_url: WebAddress
    provider: Annotated[str, Meta(max_length=32)] | None = None
    locale: Locale | None = None
    reconnect: UUID | None = None


class ConnectLinkBody(msgspec.Struct, frozen=True, kw_only=True):
    """A connect link.

    Attributes:
        url: Send the practitioner's browser there; it connects one account, once.
    """

    url: str
    expires_at: datetime


@resource.get(
    "/connections",
    scope=Scope.READ,
    query=ConnectionQuery,
    answers={200: ConnectionList},
    lists=True,
    summary="List connections with their health",
)
def listed(call: Call[None, ConnectionQuery], db: Connection) -> ConnectionList:
    """The oldest first."""
    asked, own = call.query.practitioner_id, call.within
    if asked is not None and not call.sees(asked):
        return ConnectionList(items=[], next=None)
    rows = connection_health.connection_page(
        db,
        practitioner_id=asked or own,
        external_id=call.query.external_id,
        after=call.cursor.after_instant(),
        limit=call.cursor.wanted,
    )
    shown, following = call.cursor.page(rows, lambda one: (one.connection.created_at, one.connection.id))
    return ConnectionList(items=[_body(one, call.language) for one in shown], next=following)


@resource.get(
    "/connections/<uuid:connection_id>",
    scope=Scope.READ,
    answers={200: ConnectionBody},
    summary="Read a connection and its health",
    refuses=("connection_not_found",),
)
def show(call: Call[None, None], db: Connection, connection_id: UUID) -> ConnectionBody:
    """It is gone once it is disconnected."""
    return _shown(call, db, connection_id)


@resource.patch(
    "/connections/<uuid:connection_id>",
    scope=Scope.CONNECTIONS,
    body=ConnectionChangesBody,
    edits=True,
    answers={200: ConnectionBody},
    summary="Change how much of clients a calendar shows",
    refuses=(*_GONE, "external_id_taken"),
    example=ConnectionChangesBody(session_level=2, hold_level=1),
)
def change(call: Call[ConnectionChangesBody, None], db: Connection, connection_id: UUID) -> ConnectionBody:
    """Its entries are rewritten after that."""
    connection = connect.locked(db, connection_id, sees=call.sees)
    call.match(connection.version)
    connect.check_not_disconnecting(connection)
    wanted = call.body
    if wanted.external_id is not UNSET:
        connect.call(db, connection_id, wanted.external_id)
    if wanted.session_level is not UNSET or wanted.hold_level is not UNSET:
        now = connection_health.connection_health(db, connection).target.disclosure
        connect.set_levels(
            db,
            connection_id,
            session_level=now.session_level if wanted.session_level is UNSET else Level(wanted.session_level),
            hold_level=now.hold_level if wanted.hold_level is UNSET else Level(wanted.hold_level),
            now=call.now,
        )
    return _shown(call, db, connection_id)


@resource.post(
    "/connections/<uuid:connection_id>/disconnect",
    scope=Scope.CONNECTIONS,
    body=DisconnectBody,
    edits=True,
    answers={202: ConnectionBody, 204: None},
    summary="Disconnect an account",
    refuses=("connection_not_found", "entries_left_behind"),
    example=DisconnectBody(),
)
def leave(call: Call[DisconnectBody, None], db: Connection, connection_id: UUID) -> Answer:
    """Entries to come are removed first, in the background (202); where that cannot be, it is gone at once (204)."""
    connection = connect.locked(db, connection_id, sees=call.sees)
    call.match(connection.version)
    gone = disconnect.ask(
        db,
        call.runtime.policy,
        connection,
        leaves_entries=call.body.leave_entries,
        by=call.by,
        now=call.now,
    )
    return Answer(status=204) if gone else Answer(body=_shown(call, db, connection_id), status=202)


@resource.post(
    "/practitioners/<uuid:practitioner_id>/connect-links",
    scope=Scope.CONNECTIONS,
    body=NewConnectLinkBody,
    answers={201: ConnectLinkBody},
    summary="Make a connect link",
    refuses=(
        "practitioner_not_found",
        "connection_not_found",
        "return_url_not_allowed",
        "return_url_malformed",
        "return_url_taken",
        "locale_malformed",
        "reconnect_elsewhere",
        "calendar_service_not_offered",
        "calendar_being_disconnected",
    ),
    fields={"return_url": "/return_url"},
    example=NewConnectLinkBody(return_url="https://app.example.org/calendars"),
)
def make_link(call: Call[NewConnectLinkBody, None], db: Connection, practitioner_id: UUID) -> Answer:
    """Whoever opens it within the hour connects an account for this practitioner: hand it to them alone."""
    runtime, wanted = call.runtime, call.body
    practitioner = people.practitioner(db, practitioner_id, sees=call.sees)
    services = sign_in.offered(runtime.settings.providers, runtime.network, runtime.load_provider)
    link = connect_links.make(
        db,
        runtime.policy,
        practitioner.id,
        return_url=wanted.return_url,
        services=[one.slug for one in services],
        provider=wanted.provider or "",
        reconnects=wanted.reconnect,
        locale=_locale(wanted.locale),
        made_by=call.key.id if call.key else None,
        now=call.now,
    )
    body = ConnectLinkBody(url=runtime.connect_address(link.id), expires_at=link.expires_at)
    return Answer(body=body, status=201)


def _shown(call: Call[Any, Any], db: Connection, connection_id: UUID) -> ConnectionBody:
    connection = connection_health.seen(db, connection_id, sees=call.sees)
    return _body(connection_health.connection_health(db, connection), call.language)


def _body(one: ConnectionHealth, language: Language) -> ConnectionBody:
    connection = one.connection
    return ConnectionBody(
        id=connection.id,
        external_id=connection.external_id,
        version=connection.version,
        created_at=connection.created_at,
        practitioner_id=connection.practitioner_id,
        provider=connection.provider,
        label=connection.label,
        health=_health(one.health, language),
        calendar=_calendar(one.target),
        watched=[
            WatchedBody(name=own.name, last_read_at=own.busy_at, unreadable=own.busy_trouble is not None)
            for own in one.watched
        ],
    )


def _health(view: HealthView, language: Language) -> HealthBody:
    why = language.sentence(view.why) if view.why is not None else ""
    then = language.sentence(view.then) if view.then is not None else ""
    return HealthBody(
        state=view.health,
        since=view.since,
        what=view.what or None,  # type: ignore[arg-type]  # one of the three
        ends_by=view.kind,
        why=f"{why}. {then}".removeprefix(". ").strip() or None,
    )


def _calendar(target: Calendar) -> CalendarBody:
    shown = target.disclosure
    holds: Literal["tentative", "busy"] | None = None
    if target.probed_at is not None:
        holds = "busy" if shown.firm_holds else "tentative"
    return CalendarBody(
        name=target.name,
        session_level=int(shown.session_level),
        hold_level=int(shown.hold_level),
        holds=holds,
        last_written_at=target.written_at,
        last_read_at=target.read_at,
    )


def _locale(given: str | None) -> str:
    if given is not None:
        check_locale(given)
    return given or ""
