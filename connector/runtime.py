"""What a door is handed: the parts of a running installation, put together by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from connector.domain.notice import Notice, NoticeKind
from connector.ports import Clock, Network, Provider, RemoteCalendar, Sender
from connector.services import answering, asking, braking, clashing
from connector.services.terms import Terms
from connector.settings import Settings
from connector.storage import calendars
from connector.storage.database import Database
from connector.storage.seal import Seal
from connector.storage.tokens import StoredTokens

SIGN_IN = "sign-in"
_TO_ANSWER = (NoticeKind.OFFERED, NoticeKind.OFFER_CHANGED)


@dataclass(kw_only=True)
class Runtime:
    """A running installation. `load_provider` imports a calendar service's module on its first use."""

    settings: Settings
    database: Database
    seal: Seal
    terms: Terms
    network: Network
    sender: Sender
    clock: Clock
    load_provider: Callable[[str], Provider]
    _remotes: dict[UUID, tuple[int, RemoteCalendar]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def tokens(self, connection_id: UUID) -> StoredTokens:
        """Return the credentials of a connection, as everybody who uses it shares them."""
        return StoredTokens(self.database, self.seal, connection_id)

    def remote(self, calendar_id: UUID) -> RemoteCalendar:
        """Return a connected calendar at its service; its connections and caches are kept between calls.

        Raises: NotFoundError if there is no such calendar.
        """
        with self.database.read() as db:
            calendar = calendars.calendar(db, calendar_id)
            connection = calendars.connection(db, calendar.connection_id)
        with self._lock:
            known = self._remotes.get(calendar_id)
            if known is None or known[0] != connection.sign_ins:
                provider = self.load_provider(connection.provider)
                account = provider.account(self.tokens(connection.id), self.network)
                known = self._remotes[calendar_id] = (connection.sign_ins, account.open(calendar.remote_id))
            return known[1]

    def link_for(self, notice: Notice) -> str | None:
        """Return the address a notice asks its reader to open, or None if it asks for nothing."""
        if notice.kind is NoticeKind.SIGN_IN and notice.signin_id is not None:
            return f"{self.settings.public_url}/signin/{self.seal.token(SIGN_IN, notice.signin_id)}"
        if notice.kind in _TO_ANSWER and notice.offer_id is not None:
            return self.answer_link(notice.offer_id)
        if notice.question_id is not None:
            return self.question_link(notice.question_id)
        if notice.kind is NoticeKind.CLASH_FOUND and notice.alternative_id is not None:
            return f"{self.settings.public_url}/clash/{self.seal.token(clashing.PURPOSE, notice.alternative_id)}"
        if notice.kind is NoticeKind.CALENDAR_STOPPED and notice.calendar_id is not None:
            return self.stopped_link(notice.calendar_id)
        if notice.kind is NoticeKind.ACCESS_LOST:
            return f"{self.settings.public_url}/calendars"
        practitioner_told = notice.kind in _TO_PRACTITIONER
        return self.session_link(notice.session.id) if practitioner_told and notice.session is not None else None

    def answer_link(self, offer_id: UUID) -> str:
        """Return the address of the client's answer page."""
        return f"{self.settings.public_url}/answer/{self.seal.token(answering.PURPOSE, offer_id)}"

    def question_link(self, question_id: UUID) -> str:
        """Return the address of the page on which the practitioner answers a question."""
        return f"{self.settings.public_url}/question/{self.seal.token(asking.PURPOSE, question_id)}"

    def stopped_link(self, calendar_id: UUID) -> str:
        """Return the address of the page on which the practitioner says how a stopped calendar goes on."""
        return f"{self.settings.public_url}/stopped/{self.seal.token(braking.PURPOSE, calendar_id)}"

    def session_link(self, session_id: UUID) -> str:
        """Return the address of the practitioner's page of a session."""
        return f"{self.settings.public_url}/sessions/{session_id}"


_TO_PRACTITIONER = (
    NoticeKind.CLIENT_ACCEPTED,
    NoticeKind.CLIENT_REJECTED,
    NoticeKind.CLIENT_CANCELLED,
    NoticeKind.OFFER_LAPSED,
    NoticeKind.DRAFT_WAITING,
    NoticeKind.ENTRY_PUT_BACK,
    NoticeKind.OFFER_TAKEN_BACK,
    NoticeKind.NOT_DELIVERED,
)
