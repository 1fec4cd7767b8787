"""The reply mailbox: what has come in since, how large each mail is, and only then the mails, one at a time.

No message raised here holds an address, a folder or a server's own words: they go to logs.
"""

from __future__ import annotations

import re
import select
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from imaplib import IMAP4, Internaldate2tuple
from itertools import takewhile
from time import mktime
from typing import Any

from imap_tools import BaseMailBox, ImapToolsError, MailboxFolderSelectError, MailboxLoginError

from connector.errors import ConnectorError, InstallationError, TransientError
from connector.exchange import LateError, within
from connector.inbox.bounds import LARGEST
from connector.mailbox.client import Client, FloodError
from connector.mailbox.server import Security, Server, parse_url
from connector.ports import ListedMail, OpenMailbox
from connector.sentence import Sentence

TIMEOUT = timedelta(seconds=20)  # of one exchange; shorter than the lease of the work it is a part of
_FAREWELL = timedelta(seconds=2)
_BEAT_MS = 1000
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,12})\b")
_NUMBER = re.compile(rb"(\d{1,10}) \(")
_BODY = re.compile(rb"BODY\[\](?:<0>)? \{\d+\}$")
_PASSING = re.compile(rb"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]", re.IGNORECASE)  # RFC 5530


class ImapMailbox:
    """A mailbox on an IMAP server; reaches for nothing before it is opened.

    Args:
        url: As for `parse_url`.
        timeout: Of one exchange.
        ca_file: Trust this certificate authority (PEM) instead of the system's.
    Raises: ValueError for a bad URL.
    """

    def __init__(self, url: str, *, timeout: timedelta = TIMEOUT, ca_file: str | None = None) -> None:
        self._server = parse_url(url)
        self._timeout = timeout
        self._ca_file = ca_file
        self.identity = self._server.identity

    @contextmanager
    def open(self) -> Iterator[OpenMailbox]:
        """Connect, log in and open the folder; say goodbye at the end, and do not wait for long to hear it.

        Raises: InstallationError with what to correct; TransientError.
        """
        session: _Session | None = None
        try:
            with _speaking(self._timeout, Sentence("connecting")):
                session = _Session(self._server, timeout=self._timeout, ca_file=self._ca_file)
                _log_in(session, self._server)
                folder = _Folder(session, timeout=self._timeout)
            yield folder
            with suppress(IMAP4.error, ImapToolsError, OSError, ValueError), within(_FAREWELL):
                session.client.logout()
        finally:
            if session is not None:
                session.client.close_connection()


class _Session(BaseMailBox):
    """What the library makes of a connection of ours."""

    client: Client

    def __init__(self, server: Server, *, timeout: timedelta, ca_file: str | None) -> None:
        self._server = server
        self._seconds = timeout.total_seconds()
        self._ca_file = ca_file
        super().__init__()

    def _get_mailbox_client(self) -> Client:
        security, host, port = self._server.security, self._server.host, self._server.port
        context = ssl.create_default_context(cafile=self._ca_file)
        is_encrypted = security is Security.TLS
        client = Client(host, port, timeout=self._seconds, context=context if is_encrypted else None)
        try:
            if security is Security.STARTTLS and not client.secure(context):
                words = "the mailbox's server offers no STARTTLS: use imaps://, or imap:// on a trusted network"
                raise InstallationError(words)  # noqa: TRY301 - the connection is closed as for any failure
        except BaseException:
            client.close_connection()
            raise
        return client


def _log_in(session: _Session, server: Server) -> None:
    """Show our credentials and open the folder.

    Raises: InstallationError; whatever the library raises where the server does not answer.
    """
    try:
        session.login(server.user, server.password, initial_folder=None)
        try:
            session.folder.set(server.folder)
        except IMAP4.readonly:
            session.folder.set(server.folder, readonly=True)  # nothing can be marked as read there
    except MailboxLoginError as error:
        for_now = Sentence("the mailbox's server refuses to let us log in for now")
        for_good = Sentence(
            "the mailbox's server refuses to let us log in: check user and password in CONNECTOR_MAILBOX_URL"
        )
        raise _refused(error, for_now, for_good) from None
    except MailboxFolderSelectError as error:
        for_now = Sentence("the mailbox does not let us open its folder for now")
        for_good = Sentence(
            "the mailbox has no such folder, or does not let us open it: check the folder in CONNECTOR_MAILBOX_URL"
        )
        raise _refused(error, for_now, for_good) from None


def _refused(
    error: MailboxLoginError | MailboxFolderSelectError, for_now: Sentence, for_good: Sentence
) -> ConnectorError:
    """Say what a refusal means; a server that is merely busy says so by a word of its own."""
    said = b" ".join(part for part in error.command_result[1] if isinstance(part, bytes))
    return TransientError(for_now) if _PASSING.search(said) else InstallationError(for_good)


class _Folder:
    """The folder of a mailbox that is open."""

    def __init__(self, session: _Session, *, timeout: timedelta) -> None:
        self._session = session
        self._client = session.client
        self._timeout = timeout
        self._count = self._number("EXISTS")
        self.validity = self._number("UIDVALIDITY")
        self.tells = "IDLE" in self._client.capabilities

    def after(self, uid: int, *, most: int) -> Sequence[ListedMail]:
        """Return the oldest mails of a higher UID, in the order they came in."""
        with _speaking(self._timeout, Sentence("listing")):
            low, high = 1, self._count + 1  # the numbers of mails rise with their UIDs
            while low < high:
                middle = (low + high) // 2
                if self._uid_of(middle) > uid:
                    high = middle
                else:
                    low = middle + 1
            last = min(low + most - 1, self._count)
            listed = self._listed(low, last) if low <= last else ()
            uids = [uid, *(mail.uid for mail in listed)]
            if sorted(set(uids)) != uids:
                raise TransientError(Sentence("the mailbox's server numbers its mails so that it makes no sense"))
            return listed

    def fetch(self, uid: int) -> bytes:
        """Return a mail as it came; of one that is too large, one byte more than the bound."""
        with _speaking(self._timeout, Sentence("fetching a mail")):
            status, answer = self._client.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{LARGEST + 1}>)")
            bodies = [part[1] for part in answer if isinstance(part, tuple) and _BODY.search(part[0])]
            if status != "OK" or len(bodies) != 1:
                raise TransientError(Sentence("the mailbox's server does not hand a mail over that it has listed"))
            return bytes(bodies[0])

    def mark(self, uids: Sequence[int]) -> bool:
        """Mark mails as read; False if the server does not let us."""
        with _speaking(self._timeout, Sentence("marking")):
            names = ",".join(map(str, uids))
            status, _ = self._client.uid("STORE", names, "+FLAGS.SILENT", r"(\Seen)")
            return bool(status == "OK")

    def wait(self, limit: timedelta, *, beat: Callable[[], bool]) -> None:
        """Return once the server says anything, `limit` is over, or `beat` returns False.

        It is called once the server listens, and each second from then on.
        """
        with _speaking(self._timeout, Sentence("beginning to wait")):
            tag = self._client._command("IDLE")  # noqa: SLF001 - the library's own way mistakes news for an answer
            while self._client._get_response():  # noqa: SLF001 - as above
                if self._client.tagged_commands[tag]:
                    raise TransientError(Sentence("the mailbox's server does not tell what comes in"))
        goes_on = self._await_word(limit, beat)
        with _speaking(self._timeout if goes_on else _FAREWELL, Sentence("waiting")):
            self._client.send(b"DONE\r\n")
            self._session.consume_until_tagged_response(tag)

    def _await_word(self, limit: timedelta, beat: Callable[[], bool]) -> bool:
        """Wait; return whether anybody still wants to."""
        words = select.poll()
        words.register(self._client.sock, select.POLLIN)
        for _ in range(max(1, round(limit.total_seconds() * 1000 / _BEAT_MS))):
            if not beat():
                return False
            if words.poll(_BEAT_MS):
                break
        return True

    def _number(self, name: str) -> int:
        """Return a number that the server has told of the folder, when it was opened."""
        told = self._client.response(name)[1][-1]
        if not isinstance(told, bytes) or not told.isdigit():
            raise TransientError(Sentence("the mailbox's server tells no %(name)s", name=name))
        return int(told)

    def _uid_of(self, number: int) -> int:
        for line in self._lines(f"{number}", "(UID)"):
            if (uid := _UID.search(line)) and line.startswith(b"%d (" % number):
                return int(uid[1])
        raise TransientError(Sentence("the mailbox changes while it is looked through"))

    def _listed(self, first: int, last: int) -> Sequence[ListedMail]:
        """Return mails up to the first that the server leaves out; that one by its UID alone where it comes first.

        What is not told of is not passed over: it is fetched within the bound, or its turn comes again.
        """
        entries = dict(self._entries(first, last))
        if first not in entries:
            return (ListedMail(uid=self._uid_of(first), size=0, came_at=None),)
        told = takewhile(lambda number: number in entries, range(first, last + 1))
        return tuple(entries[number] for number in told)

    def _entries(self, first: int, last: int) -> Iterator[tuple[int, ListedMail]]:
        """Yield mails by their numbers; what the server tells beside what it was asked for is passed over."""
        for line in self._lines(f"{first}:{last}", "(UID RFC822.SIZE INTERNALDATE)"):
            number, uid, size = _NUMBER.match(line), _UID.search(line), _SIZE.search(line)
            if number and uid and size and first <= int(number[1]) <= last:
                yield int(number[1]), ListedMail(uid=int(uid[1]), size=int(size[1]), came_at=_came_at(line))

    def _lines(self, numbers: str, what: str) -> Iterator[bytes]:
        status, answer = self._client.fetch(numbers, what)
        if status != "OK":
            raise TransientError(Sentence("the mailbox's server does not tell which mails there are"))
        yield from (line for line in answer if isinstance(line, bytes))


def _came_at(line: bytes) -> datetime | None:
    """Return when a mail came in, as far as its server tells."""
    with suppress(ValueError, OverflowError, KeyError):  # of a month that is none
        told: Any = Internaldate2tuple(line)
        return datetime.fromtimestamp(mktime(told), UTC) if told else None
    return None


@contextmanager
def _speaking(limit: timedelta, step: Sentence) -> Iterator[None]:
    """Carry out one exchange; let only our own errors leave it, and nothing that a server has said."""
    fault: ConnectorError
    try:
        with within(limit):
            yield
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises anything over an answer that makes no sense
        fault = _meaning(error, step)
    else:
        return
    raise fault


def _meaning(error: Exception, step: Sentence) -> ConnectorError:
    match error:
        case ssl.SSLCertVerificationError():
            return InstallationError(
                Sentence(
                    "the certificate of the mailbox's server cannot be trusted (%(reason)s): check the host name in "
                    "CONNECTOR_MAILBOX_URL, or its certificate",
                    reason=error.verify_message,
                )
            )
        case ssl.SSLError():
            return TransientError(
                Sentence(
                    "no encrypted connection to the mailbox's server: check scheme and port in CONNECTOR_MAILBOX_URL"
                )
            )
        case LateError() | TimeoutError():
            return TransientError(Sentence("the mailbox's server took too long while %(step)s", step=step))
        case FloodError():
            return TransientError(
                Sentence("the mailbox's server said more than it was asked for while %(step)s", step=step)
            )
        case _:
            return TransientError(
                Sentence(
                    "the connection to the mailbox's server failed while %(step)s (%(kind)s)",
                    step=step,
                    kind=type(error).__name__,
                )
            )
