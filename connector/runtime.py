"""What every door works with: the parts of a running installation, put together by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock
from typing import assert_never
from uuid import UUID

from connector import paths
from connector.counts import Counts, OwnCounts
from connector.domain.answering import AnswerPolicy
from connector.domain.connection import Calendar, Connection
from connector.domain.notice import Notice
from connector.domain.notice_table import NOTICES, Audience, Effect, Link, subject
from connector.domain.people import Medium
from connector.domain.span import When
from connector.inbox.authorship import Keys
from connector.language.offered import Languages
from connector.observed import observed
from connector.ports import (
    Account,
    Clock,
    Network,
    Poster,
    Provider,
    RemoteCalendar,
    ReplyMailbox,
    Sender,
    Signing,
    Witness,
)
from connector.services import publishing, short_links, texts
from connector.services.accounts import connect_links
from connector.services.policy import Policy
from connector.services.scheduling import absences, answers, codes, mails, questions, session_links, take_back
from connector.services.signing_in import links
from connector.services.sync import breaker, free_busy
from connector.settings import Settings
from connector.storage import calendars
from connector.storage.database import Database
from connector.storage.seal import Seal
from connector.storage.tokens import StoredTokens

_TOKENS: Mapping[Link, tuple[str, Callable[[str], str]]] = {  # whose purpose, and whose path
    Link.ANSWER: (answers.PURPOSE, paths.answer),
    Link.MINE: (session_links.PURPOSES[Medium.EMAIL], paths.mine),
    Link.QUESTION: (questions.PURPOSE, paths.question),
    Link.ABSENCE: (absences.PURPOSE, paths.absence),
    Link.MAIL: (mails.PURPOSE, paths.mail),
    Link.CONFLICT: (take_back.PURPOSE, paths.conflict),
}


@dataclass(kw_only=True)
class Runtime:
    """A running installation.

    Attributes:
        load_provider: Imports a calendar service's module on its first use.
        check_broker: Raises a ConnectorError that says what is wrong with the broker; None if it is in this process.
        observe: Called with the provider and the name of every call of a calendar; returns a context for that call.
        witness: Remembers, outside the database, how far that had come; None for nobody.
        texts: How the gateway of texts signs what it tells; None where there is no gateway.
        keys: Where the public keys of signatures on mails are looked up.
        mailbox: What clients answer to; None where there is none that we read.
        poster: Posts outcomes to hosts.
        tells_host: Whether it also tells a function of the host in this process.
        begin_work: Called when an engine of this process starts, before it carries out anything.
        counts: How often somebody has asked lately, by what all processes have counted.
    """

    settings: Settings
    database: Database
    seal: Seal
    policy: Policy
    network: Network
    sender: Sender
    clock: Clock
    load_provider: Callable[[str], Provider]
    check_broker: Callable[[], None] | None = None
    observe: Callable[[str, str], AbstractContextManager[object]] | None = None
    witness: Witness | None = None
    texts: Signing | None = None
    keys: Keys = lambda _name: None
    mailbox: ReplyMailbox | None = None
    poster: Poster | None = None
    tells_host: bool = False
    begin_work: Callable[[], None] = lambda: None
    counts: Counts = field(default_factory=OwnCounts)
    _remotes: dict[UUID, tuple[int, RemoteCalendar]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def languages(self) -> Languages:
        """Those in which people are told things."""
        return self.policy.languages

    def tokens(self, connection_id: UUID) -> StoredTokens:
        """Return the credentials of a connection, as everybody who uses it shares them."""
        return StoredTokens(self.database, self.seal, connection_id)

    def account(self, connection: Connection) -> Account:
        """Return a connected account at its service."""
        return self.load_provider(connection.provider).account(self.tokens(connection.id), self.network)

    def remote(self, calendar_id: UUID) -> RemoteCalendar:
        """Return a connected calendar at its service; its connections and caches are kept between calls.

        Raises: NotFoundError if there is no such calendar.
        """
        with self.database.read() as db:
            calendar = calendars.calendar(db, calendar_id)
            connection = calendars.connection(db, calendar.connection_id)
        with self._lock:
            sign_ins, remote = self._remotes.get(calendar_id, (None, None))
            if remote is None or sign_ins != connection.sign_ins:
                remote = self._open(connection, calendar)
                self._remotes[calendar_id] = (connection.sign_ins, remote)
            return remote

    def _open(self, connection: Connection, calendar: Calendar) -> RemoteCalendar:
        remote = self.account(connection).open(calendar.remote_id)
        return observed(remote, partial(self.observe, connection.provider)) if self.observe else remote

    def read_busy(self, practitioner_id: UUID, times: Iterable[When]) -> None:
        """Have a practitioner's calendars read before somebody saves these times; bounded, outside any transaction."""
        ends = [when.span.end for when in times]
        if ends:
            free_busy.read_now(self.database, self.policy, self.remote, practitioner_id, max(ends), clock=self.clock)

    def link_for(self, notice: Notice, medium: Medium = Medium.EMAIL) -> str | None:
        """Return the address a notice asks its reader to open, or None if it asks for none; short in a text."""
        link = NOTICES[notice.kind].link
        if link is None:
            return None
        if link is Link.CALENDARS:
            return self._address(paths.CALENDARS)
        if link is Link.MINE:
            return self.page_for(notice) if medium is Medium.EMAIL else None  # a text has no room for it
        identity = subject(link, notice)
        if medium is Medium.SMS and link is Link.ANSWER and identity is not None and notice.expires_at is not None:
            ends_at = notice.expires_at + answers.LINKS_SHOW
            return self._short_link(answers.PURPOSE, identity, reader=notice.to.address, ends_at=ends_at)
        reader = notice.to.address
        return self.link(link, identity, since=notice.paused_at, reader=reader) if identity is not None else None

    def subscription_for(self, notice: Notice) -> str | None:
        """Return the address of the page on which a client subscribes to their sessions; None where no letter says it.

        Whoever is told by mail of a session that stands.
        """
        row, session = NOTICES[notice.kind], notice.session
        if row.effect is not Effect.SESSION_STANDS or session is None:
            return None
        return self._address(paths.subscription(publishing.link_token(self.seal, session.id, notice.to.address)))

    def own_page_for(self, notice: Notice) -> str | None:
        """Return the address of the client's own page for a letter that leads to an offer; None for every other."""
        return self.page_for(notice) if NOTICES[notice.kind].link is Link.ANSWER else None

    @property
    def support_address(self) -> str:
        """Where support signs in."""
        return self._address(paths.SUPPORT)

    def page_for(self, notice: Notice) -> str | None:
        """Return the address of the client's own page of the session that a letter is about; None for none.

        A code is told alone. Where a host in another process says who its clients are, it says so of an offer: the
        page of that one leads there.
        """
        row, session = NOTICES[notice.kind], notice.session
        if row.to is not Audience.CLIENT or row.tells_code or session is None or self._is_vouched_for_elsewhere:
            return None
        return self.link(Link.MINE, session.id, reader=notice.to.address)

    @property
    def _is_vouched_for_elsewhere(self) -> bool:
        return self.policy.answers is AnswerPolicy.HOST and bool(self.settings.assertion_keys)

    def published_address(self, token: str) -> str:
        """Return the address at which programs fetch a published calendar."""
        return self._address(paths.published(token))

    def connect_address(self, link_id: UUID) -> str:
        """Return the address by which a practitioner whom their host sends connects an account."""
        return self._address(paths.connect(self.seal.token(connect_links.PURPOSE, link_id)))

    def deliveries_address(self, token: str) -> str:
        """Return the address at which deliveries are looked at."""
        return self._address(paths.deliveries(token))

    def code_for(self, notice: Notice) -> str:
        """Return the code that a notice tells; empty if it tells none, or none that is good any more."""
        if notice.code_id is None:
            return ""
        with self.database.read() as db:
            return codes.written(db, self.seal, notice.code_id) or ""

    @property
    def texts_address(self) -> str:
        """Where the gateway of texts tells what becomes of them, and what people answer; it holds a secret."""
        return self._address(texts.path(self.seal))

    def link(self, link: Link, identity: UUID, *, since: datetime | None = None, reader: str = "") -> str:
        """Return the address of a page.

        Args:
            link: Which.
            identity: Of what it is about, such as an offer.
            since: When a calendar was paused, for the page that says how it goes on.
            reader: The address to which it is sent: it lets in nobody by a former one. Empty for whoever asks now.
        """
        match link:
            case Link.ANSWER | Link.MINE | Link.QUESTION | Link.ABSENCE | Link.MAIL | Link.CONFLICT:
                purpose, path_of = _TOKENS[link]
                path = path_of(self.seal.token(purpose, identity, reader=reader))
            case Link.PAUSED:
                path = paths.paused(self.seal.token(breaker.PURPOSE, identity, since=since, reader=reader))
            case Link.SIGN_IN | Link.SUPPORT_SIGN_IN:
                path = self._sign_in_path(link, identity)
            case Link.SUBSCRIPTION:
                path = paths.subscription(publishing.link_token(self.seal, identity, reader))
            case Link.SESSION:
                path = paths.session(str(identity))
            case Link.CALENDARS:
                path = paths.CALENDARS
            case _:
                assert_never(link)
        return self._address(path)

    def _sign_in_path(self, link: Link, identity: UUID) -> str:
        if link is Link.SUPPORT_SIGN_IN:
            return paths.support_sign_in(self.seal.token(links.SUPPORT_PURPOSE, identity))
        return paths.sign_in(self.seal.token(links.PURPOSE, identity))

    def _short_link(self, purpose: str, identity: UUID, *, reader: str, ends_at: datetime) -> str:
        with self.database.begin() as db:
            token = short_links.lend(db, self.seal, purpose, identity, reader=reader, ends_at=ends_at)
        return self._address(paths.short(token))

    def _address(self, path: str) -> str:
        return self.settings.public_url + path
