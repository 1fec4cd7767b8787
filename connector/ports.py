"""What the core asks of the world. Adapters raise ProviderError and its kinds, nothing else.

What not every provider, account or calendar can do is an ability: a small Protocol of its own, asked by `isinstance`.

    of a provider   SignIn, Reauthorizes, NamesServices, KnowsForms
    of an account   CreatesCalendars, Revocable
    of a calendar   ListsBusy, Watchable
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum, StrEnum, auto
from typing import Protocol, runtime_checkable
from uuid import UUID

from connector.domain.entry import EntryKey
from connector.domain.notice import Notice
from connector.domain.people import Medium
from connector.domain.reconcile import Action, Ref, Sighting
from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.domain.text import visible
from connector.domain.unreadable import Unreadable
from connector.errors import ProviderError
from connector.sentence import Sentence

HTTP_TIMEOUT = timedelta(seconds=20)  # less than half of a lease: a frozen worker's request ends before its claim does


_first: ContextVar[Callable[[], None] | None] = ContextVar("first", default=None)


@contextmanager
def asking_first(may_ask: Callable[[], None]) -> Iterator[None]:
    """Have `may_ask` called before every request that adapters make in this context.

    What it raises goes through to whoever uses the adapter, and the request is not made.
    """
    token = _first.set(may_ask)
    try:
        yield
    finally:
        _first.reset(token)


def before_request() -> None:
    """Make sure that a request may be made; every adapter calls it right before each.

    Whatever a write is conditional on has been read before that: then nobody who has lost a claim writes over what its
    successor has written. A thread of an adapter's own runs in a copy of the context (`contextvars.copy_context`).
    """
    may_ask = _first.get()
    if may_ask is not None:
        may_ask()


class Clock(Protocol):
    """Tells the time; only doors ask it."""

    def __call__(self) -> datetime:
        """Return now, aware UTC, whole seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A put was done: the remote event now has this ref, href and etag filled in; etag None where none was given.

    `seen` is the fingerprint of what stands there now, which is the entry's own.
    """

    key: EntryKey
    ref: Ref
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A removal was done: the event is confirmed not to be there."""

    key: EntryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An action was not done, or nobody knows whether it was; it stays wanted."""

    key: EntryKey
    error: ProviderError


Outcome = Written | Removed | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One event that is new or has changed; `sighting` is set where the feed brought the event along."""

    href: str
    etag: str | None
    sighting: Sighting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a change feed told, foreign events included.

    In an incremental answer (`full` False) an href that is not named is unchanged, and `gone` names those that were
    removed. In a full listing `gone` is empty: what is not in `changed` is not there.
    """

    changed: tuple[Changed, ...]
    gone: tuple[str, ...]
    token: str
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An event of ours as a listing of the whole calendar found it: the original, or a copy somebody has made.

    Attributes:
        name: The remote name it was made under, as its mark tells, or its UID; None if neither does.
        marked: Whether it bears our mark; else only its UID is of the form of our names.
    """

    sighting: Sighting
    name: str | None
    marked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A stretch in which a calendar is not free.

    Attributes:
        href: Which event it is; None where the service does not tell.
        name: The remote name under which an event of ours was made, as its mark or its UID tells: of one that bears our
            mark and tells none it is empty.
        nature: Whether it may mean that the calendar's owner is away.
        in_series: Whether it is an occurrence of a series.
        occurrence: Which one: when the series has it, aware UTC, wherever it was moved to; None for what is no series.
    """

    span: Span
    href: str | None = None
    name: str | None = None
    nature: Nature = Nature.ORDINARY
    in_series: bool = False
    occurrence: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadEvent:
    """An event that could not be read, or not all of it: whatever time it may take is not known.

    `href` is empty where the service does not tell which event it is, or not so that it can be understood; `starts_at`
    is when it begins, aware UTC, where that could be read. What it is about is never read.
    """

    href: str
    reason: Unreadable
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyReading:
    """When a calendar is not free, and what of it nobody could read: that is never free."""

    times: Sequence[Busy]
    unreadable: Sequence[UnreadEvent] = ()


class RemoteCalendar(Protocol):
    """One calendar of a connected account."""

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Do the actions and yield one outcome for each as it lands, in any order.

        The caller never mixes puts and removes in one call. Whatever goes wrong with one action is its `Failed` (with
        EditConflictError where a put would write over what it did not expect: see `Put.over`), and
        the others go on, unless the whole calendar cannot be reached or the credentials are refused: then the rest
        fail alike without being tried. Repeating an action that was done is harmless.
        """
        ...

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        """Return what stands at each ref's `name`, as a direct read finds it; None is a confirmed absence."""
        ...

    def changes(self, token: str | None) -> Changes:
        """Read the change feed from a sync token, or everything from None.

        Raises: SyncTokenExpiredError, MissingError if the calendar itself is not there, or another ProviderError.
        """
        ...

    def listing(self, since: datetime) -> Sequence[Listed]:
        """Return every event that bears our mark, or a UID of the form of our names, and ends after `since`.

        It is read from the calendar itself, with what each event shows, in as few requests as the service allows; no
        feed and no cache is believed. An event that cannot be understood is listed with its content None.

        Raises: MissingError if the calendar itself is not there; another ProviderError. Never half a listing.
        """
        ...

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return when the calendar is not free in `span`, our own entries included, recurrences expanded.

        Args:
            span: What is asked about.
            zone: The practitioner's: days and times are meant there where the calendar does not tell its own.
        """
        ...


@runtime_checkable
class ListsBusy(Protocol):
    """A calendar whose `busy` does not tell which event it speaks of, but that can list its events one by one."""

    def list_busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return each event in `span` that is not free, our own entries included, each with its href.

        Recurrences are expanded; `zone` is as for `busy`.

        Raises: RefusedError where only free and busy may be seen; another ProviderError.
        """
        ...


LONGEST_NAME = 200  # characters of what a service calls a calendar or an account


def service_name(text: str) -> str:
    """Return what a service calls something of its own, as it can be shown anywhere."""
    return visible(text, longest=LONGEST_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCalendarInfo:
    """A calendar an account offers for choice.

    Attributes:
        remote_id: Its URL or id at the service.
        name: What its service calls it, cleaned of what cannot be seen; its address where nothing is left.
        identity: What tells it from every other calendar at every service of its kind, however its address is spelled
            and whoever is signed in, as far as the service lets us know; empty if it does not.
        host: The server it is on, where those of a service are many; empty where all its accounts have one.
    """

    remote_id: str
    name: str
    writable: bool
    identity: str = ""
    host: str = ""

    def __post_init__(self) -> None:
        """Clean the name: whoever may write it there is no friend of whoever reads it here."""
        name = service_name(self.name) or service_name(self.remote_id)
        object.__setattr__(self, "name", name)  # for everybody else the class is frozen


class Account(Protocol):
    """One connected account at a calendar service."""

    def calendars(self) -> Sequence[RemoteCalendarInfo]:
        """Return the account's calendars that can hold events."""
        ...

    def open(self, remote_id: str) -> RemoteCalendar:
        """Return one calendar; asks nothing of the service yet."""
        ...


@runtime_checkable
class CreatesCalendars(Protocol):
    """An account in which a calendar can be made."""

    def create_calendar(self, name: str) -> RemoteCalendarInfo:
        """Make a calendar.

        Raises: RefusedError if the permission was not given; another ProviderError.
        """
        ...


@runtime_checkable
class Revocable(Protocol):
    """An account whose permission can be given back at its service."""

    def revoke(self) -> None:
        """Give back what was allowed: to every connection of this account, so look first whether there are others.

        Raises: RefusedError if the service does not take it back; another ProviderError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthApp:
    """Our registration at a calendar service people sign in to.

    `redirect_uri` is where the service sends them back to; `urls` are the service's own addresses by name, each with
    its public default in the provider's module when it is not given here.
    """

    client_id: str
    client_secret: str
    redirect_uri: str
    urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What an operator has set about one registration; empty texts where nothing is."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The settings by which an operator registers an installation with a service that people sign in to.

    The variables are `CONNECTOR_<prefix>_CLIENT_ID`, `…_CLIENT_SECRET` and `…_URLS`. A provider whose service wants
    other rules for them overrides `faults`.

    Attributes:
        prefix: Capitals; the slug's, or those of whoever keeps the registrations, if that is somebody else.
        service: The name of whoever keeps the registrations.
        client_id: What is to be set as the client id: a sentence for the table of settings.
    """

    prefix: str
    service: str
    client_id: str

    def faults(self, registered: Registered) -> Sequence[str]:
        """Return what is wrong with a registration, each beginning with the variables to look at."""
        if bool(registered.client_id) == bool(registered.client_secret):
            return ()
        names = f"CONNECTOR_{self.prefix}_CLIENT_ID, CONNECTOR_{self.prefix}_CLIENT_SECRET"
        return (f"{names}: set both or none",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a provider says of itself before it is imported.

    Attributes:
        slug: The provider's own.
        by_default: Whether it is in use where the operator does not say which are.
        registration: None if nobody signs in to it: its accounts are connected by what is typed in.
    """

    slug: str
    by_default: bool = True
    registration: Registration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The rules for reaching out.

    `inner_hosts` may be inside an inner network, because the operator named them; `apps` are our registrations by slug.
    `clock` is the one that several machines share; None where this machine's own will do.
    """

    inner_hosts: frozenset[str] = frozenset()
    apps: Mapping[str, OAuthApp] = field(default_factory=dict)
    clock: Clock | None = None


class TokenStore(Protocol):
    """The credentials of one connected account, shared by every thread and process that uses it."""

    def load(self) -> Mapping[str, str]:
        """Return the credentials as they stand now."""
        ...

    def renew(
        self, former: Mapping[str, str], refresh: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> Mapping[str, str]:
        """Replace credentials that are no longer good, one caller at a time across all processes.

        If somebody has replaced `former` meanwhile, theirs are returned and `refresh` is not called. What `refresh`
        returns is stored before anybody else gets in; what it raises goes through and changes nothing.
        """
        ...


class UnsavedTokens:
    """Credentials that are kept nowhere yet: those of an account that is just being connected."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.credentials = credentials

    def load(self) -> Mapping[str, str]:
        """Return them."""
        return self.credentials

    def renew(
        self, former: Mapping[str, str], refresh: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> Mapping[str, str]:
        """Replace them in place."""
        if dict(self.credentials) == dict(former):
            self.credentials = refresh(former)
        return self.credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInBegun:
    """A sign-in under way: send the person to `url`, and keep `memory`, the attempt's secrets, until they return."""

    url: str
    memory: Mapping[str, str]


@runtime_checkable
class SignIn(Protocol):
    """A provider whose accounts are connected by an authorization code with PKCE (RFC 6749, RFC 7636)."""

    def begin(self, network: Network, state: str) -> SignInBegun:
        """Start a sign-in; `state` comes back with the answer and is checked by the caller."""
        ...

    def complete(self, network: Network, memory: Mapping[str, str], answer: Mapping[str, str]) -> Mapping[str, str]:
        """Exchange the answer's query for the credentials to keep.

        Raises: RuleError with words for the person if they said no or left a needed permission out.
        """
        ...


@runtime_checkable
class Reauthorizes(Protocol):
    """A provider that says what of the former credentials stays good after a new sign-in."""

    def reauthorized(self, kept: Mapping[str, str], fresh: Mapping[str, str]) -> Mapping[str, str]:
        """Return what to keep after a sign-in; `kept` is what the connection had before, empty for a new one.

        Raises: RuleError in words for the person if the two do not go together, or are not enough to stay connected.
        """
        ...


@runtime_checkable
class NamesServices(Protocol):
    """A provider that leads to many services, and words how they are chosen on the page of calendars."""

    @property
    def button(self) -> str:
        """What the button that connects one says."""
        ...

    @property
    def services(self) -> str:
        """Some of the services, as the beginning of a sentence about how they are connected."""
        ...


@runtime_checkable
class KnowsForms(Protocol):
    """A provider to which people type in how to get into their account, and that can tell what of it stays the same."""

    def form_of(self, credentials: Mapping[str, str]) -> Mapping[str, str]:
        """Return what `connect` could be given once more beside a new password: no secret is in it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One subscription to pushes about a calendar.

    `id` is ours, `remote_id` whatever the service needs to end it; `secret` proves a notification genuine;
    `expires_at` is aware UTC.
    """

    id: str
    remote_id: str
    secret: str
    expires_at: datetime


class Lifecycle(Enum):
    """What a service says of a push channel itself rather than of its calendar."""

    EXPIRING = auto()  # it ends soon unless it is renewed now
    MISSED = auto()  # it goes on, but not every change was pushed
    REMOVED = auto()  # it is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One push as it came in, not yet believed: which channel it claims to be, and the secret it shows.

    `lifecycle` is None for an ordinary one, and where a service says something we have no word for.
    """

    channel_id: str
    secret: str
    lifecycle: Lifecycle | None = None


@runtime_checkable
class Watchable(Protocol):
    """A calendar that can notify us when something in it changes."""

    def watch(self, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
        """Open a channel that notifies `address` (our public https URL for this provider).

        A first notification may come before this returns. Raises: RefusedError if this calendar can send none at all.
        """
        ...

    def renew(self, channel: Channel, *, address: str, now: datetime) -> Channel:
        """Make a channel last longer, or open its successor; both may notify us until the old one is unwatched."""
        ...

    def unwatch(self, channel: Channel) -> None:
        """Close a channel; closing one that is gone is harmless."""
        ...


class Provider(Protocol):
    """A kind of calendar service, found by its slug."""

    @property
    def slug(self) -> str:
        """The module's own name, such as `caldav`."""
        ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    def account_key(self, credentials: Mapping[str, str]) -> str | None:
        """Return what tells an account from others at this service; None if the credentials do not tell."""
        ...

    def connect(self, form: Mapping[str, str], network: Network) -> Mapping[str, str]:
        """Try what a person typed in and return the credentials to keep (sealed by the caller).

        Raises: AccessLostError if they are refused; RuleError or another ProviderError with a message for the person.
        """
        ...

    def account(self, tokens: TokenStore, network: Network) -> Account:
        """Open the account these credentials belong to; asks nothing of the service yet."""
        ...


class NotSentError(Exception):
    """A message did not leave. `permanent`: it is not tried again; `unknown`: perhaps it did leave.

    `sentence` says why, as a part of a sentence, and names nobody. `stopped`: its reader has told the gateway of texts
    that they want no more of them.
    """

    def __init__(self, sentence: Sentence, *, permanent: bool, unknown: bool = False, stopped: bool = False) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.permanent = permanent
        self.unknown = unknown
        self.stopped = stopped


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Seen:
    """How far an installation's database had come: the epoch, and in it the id of the last thing that happened."""

    epoch: int
    fact: int


class Witness(Protocol):
    """Remembers, outside the database, how far that had come, by which a restored one is known, and who was erased.

    It may lose its memory at any time: a witness that knows nothing proves nothing.
    """

    def recall(self, installation_id: UUID) -> Seen | None:
        """Return how far the database of this installation had come; None if that is not known."""
        ...

    def remember(self, installation_id: UUID, seen: Seen) -> None:
        """Remember how far it has come."""
        ...

    def erased(self, installation_id: UUID) -> frozenset[UUID]:
        """Return the clients that are known to have been erased, by their ids alone."""
        ...

    def note_erased(self, installation_id: UUID, client_id: UUID) -> None:
        """Remember that a client was erased, so that a restore does not bring them back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One notice on its way to one person by one medium.

    Args:
        notice: What to tell, as it stood when it was queued.
        link: The absolute URL the person is to open, if the notice has one.
        message_id: Fixed Message-ID, angle brackets included: the same at every attempt.
        thread: Message-IDs of the letters that it goes on from, oldest first; none if it begins a thread.
        date: The Date header, aware UTC.
        medium: By which it goes; as a text it has neither threads nor a date.
        subscription: The absolute URL of the client's page of calendar subscriptions, where the letter leads there.
        own_page: The absolute URL of the client's own page of the session, where `link` leads elsewhere.
        code: What it has its reader type; empty where it tells none.
    """

    notice: Notice
    link: str | None
    message_id: str
    thread: tuple[str, ...]
    date: datetime
    medium: Medium = Medium.EMAIL
    subscription: str | None = None
    own_page: str | None = None
    code: str = field(default="", repr=False)


class Fate(StrEnum):
    """What became of a text that was handed to a gateway."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # it has not left, and trying again cannot help
    PUT_OFF = "put_off"  # it has not left, and may later
    UNKNOWN = "unknown"  # it may have left: it is never sent again, and by no other way


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """One text to one phone.

    Attributes:
        number: In the form of E.164, with its plus.
        reference: Ours, for the gateway to repeat in what it tells about this text; empty for none.
        receipts: The URL at which it is to tell what becomes of it; empty for nowhere.
    """

    number: str = field(repr=False)
    text: str = field(repr=False)
    reference: str = ""
    receipts: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsOutcome:
    """What became of a text; `remote_id` is the gateway's for it, `reason` names and quotes nobody.

    `stopped`: it was refused because the owner of the number has told the gateway that they want no more texts.
    """

    fate: Fate
    remote_id: str = ""
    reason: Sentence = Sentence("")
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a gateway tells of a text: `state` is delivered or failed.

    `stopped`: it failed because the owner of the number wants no more texts.
    """

    remote_id: str
    state: str
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What somebody has written to our number.

    Attributes:
        stops: The gateway itself takes it for the end of an agreement.
        remote_id: The gateway's for it, the same whenever it tells it again; empty where it names none.
    """

    number: str = field(repr=False)
    text: str = field(default="", repr=False)
    stops: bool = False
    remote_id: str = ""


Told = Receipt | Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a gateway signs what it tells: `secret` is empty for one that does not, `method` the name of a digest."""

    slug: str
    secret: str = field(default="", repr=False)
    method: str = ""


class SmsGateway(Protocol):
    """Takes texts to phones."""

    def hand_over(self, sms: Sms) -> SmsOutcome:
        """Hand one text over, once, and say what is certain of it.

        Raises: what `before_request` raises.
        """
        ...


class Sender(Protocol):
    """Renders letters and hands them to a mail server, or to a gateway of texts."""

    def send(self, letter: Letter) -> str | None:
        """Hand one letter over to be delivered to `letter.notice.to.address`; return what its gateway calls it.

        Calls `before_request` right before it gives the letter itself away, which is the same bytes each time.

        Raises: NotSentError; what `before_request` raises.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """An outcome as it is posted to a host: `secrets` sign it, `at` is when."""

    url: str = field(repr=False)
    id: str
    at: datetime
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a host has answered; `retry_after` if it asks us to wait."""

    status: int
    retry_after: timedelta | None = None


class NotPostedError(Exception):
    """Nobody knows that an outcome has arrived; `sentence` says why, `late` whether there was no answer in time."""

    def __init__(self, sentence: Sentence, *, late: bool = False) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.late = late


IN_PROCESS = "python:"  # how the URL of an endpoint begins that is a function of the host in this process


class Poster(Protocol):
    """Posts outcomes to hosts, signed."""

    def post(self, posting: Posting) -> Posted:
        """Post one, once, and return how it was answered; a redirect is an answer like others.

        Raises: NotPostedError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMail:
    """A mail in the reply mailbox that nobody has fetched yet.

    Attributes:
        uid: Its number there: higher than that of every mail before, for as long as the mailbox's validity lasts.
        size: In bytes, as the server tells; zero if it does not.
        came_at: When it came in, aware UTC; None if the server does not tell so that it makes sense.
    """

    uid: int
    size: int
    came_at: datetime | None


class OpenMailbox(Protocol):
    """The reply mailbox while a connection to it stands. Everything raises TransientError where that fails.

    Attributes:
        validity: UIDs mean something else once this is another number.
        tells: Whether the server can tell at once that something has come in.
    """

    validity: int
    tells: bool

    def after(self, uid: int, *, most: int) -> Sequence[ListedMail]:
        """Return the oldest mails of a higher UID, in the order they came in."""
        ...

    def fetch(self, uid: int) -> bytes:
        """Return a mail as it came; of one that is too large, one byte more than the bound."""
        ...

    def mark(self, uids: Sequence[int]) -> bool:
        """Mark mails as read, for people who look into the mailbox; False if the server does not let us."""
        ...

    def wait(self, limit: timedelta, *, beat: Callable[[], bool]) -> None:
        """Return once the server says anything, `limit` is over, or `beat` returns False.

        `beat` is called once the server listens, and each second from then on.
        """
        ...


class ReplyMailbox(Protocol):
    """The mailbox that clients answer to; `identity` tells it from every other one, and reveals nothing."""

    identity: str

    def open(self) -> AbstractContextManager[OpenMailbox]:
        """Connect, log in and open it.

        Raises: InstallationError with what to correct; TransientError.
        """
        ...
