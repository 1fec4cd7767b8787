"""Hands letters to a mail server, and says of each failure whether trying again can help.

No message raised here holds an address, a subject or a server's own words (which quote both): they go to logs.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit

from connector.domain.people import check_address
from connector.errors import RuleError
from connector.exchange import uses, within
from connector.language.messages import marked
from connector.language.offered import Languages
from connector.ports import Letter, NotSentError, before_request
from connector.sentence import Sentence, Value

TIMEOUT = timedelta(seconds=20)  # of a whole attempt: a frozen server's attempt ends before the work's lease does

_FAREWELL = timedelta(seconds=2)
_LONGEST_REPLY = 64 * 1024  # bytes; servers say a few hundred, a line for each thing they can
_SHORTEST_WAIT = 0.001  # seconds; zero would mean not to wait at all
_ENHANCED = re.compile(rb"^([245]\.\d{1,3}\.\d{1,3})\b")  # RFC 3463
_AUTHENTICATION_REQUIRED = 530  # RFC 4954 section 6
_PERMANENT = range(500, 600)
_MISSING_FEATURE = {  # by the step that needs it
    "STARTTLS": Sentence("the mail server offers no STARTTLS: use smtps://, or smtp:// on a trusted network"),
    "AUTH": Sentence(
        "the mail server offers no login here: use smtp+starttls:// or smtps://, or leave user and password out of the "
        "URL"
    ),
}
_STEPS: Mapping[str, Value] = {"connecting": Sentence("connecting"), "sending": Sentence("sending")}


class Security(Enum):
    """How a connection is protected: the URL scheme, and the port it has by default."""

    NONE = ("smtp", 25)
    STARTTLS = ("smtp+starttls", 587)
    TLS = ("smtps", 465)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server as a URL names it."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


def parse_url(url: str) -> Server:
    """Read `smtp://`, `smtp+starttls://` or `smtps://[user:password@]host[:port]`, credentials percent-decoded.

    Raises: ValueError with what to write instead; it never quotes the URL, which may hold a password.
    """
    security = _security_of(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or security.value[1]
    except ValueError:
        raise ValueError("the mail server's port must be a number from 1 to 65535, and its host a plain name") from None
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment or any(c.isspace() for c in url):
        raise ValueError(
            "a mail server's URL is scheme://host:port or scheme://user:password@host:port and nothing more; "
            "write special characters in user and password percent-encoded, such as %40 for @ and %2F for /"
        )
    user, password = _credentials(parts)
    return Server(host=host, port=port, security=security, user=user, password=password)


def _security_of(url: str) -> Security:
    for security in Security:
        scheme, _ = security.value
        if url.lower().startswith(f"{scheme}://"):
            return security
    raise ValueError("a mail server's URL begins with smtp://, smtp+starttls:// or smtps://")


def _credentials(parts: SplitResult) -> tuple[str, str]:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise ValueError("a mail server's URL names both user and password, or neither")
    if not (user + password).isascii():
        raise ValueError("the mail server's user and password must be ASCII")
    return user, password


class SmtpSender:
    """Sends letters through one mail server, a connection each; may be used by several threads at once."""

    def __init__(
        self,
        url: str,
        *,
        from_address: str,
        brand: str,
        timeout: timedelta = TIMEOUT,
        ca_file: str | None = None,
        answers_read: bool = False,
        languages: Languages = Languages(),  # noqa: B008 - a value that never changes
    ) -> None:
        """Take the settings; reaches for nothing yet.

        Args:
            url: As for `parse_url`.
            from_address: Writes to practitioners, and to clients where a session has no organizer address of its own.
            brand: The product's name as people know it.
            timeout: For a whole attempt.
            ca_file: Trust this certificate authority (PEM) instead of the system's.
            answers_read: Somebody reads what calendar programs send back.
            languages: Those in which letters can be written.
        Raises: ValueError for a bad URL; RuleError for a bad address.
        """
        self._server = parse_url(url)
        self._from_address = check_address(from_address)
        self._brand = brand
        self._timeout = timeout
        self._ca_file = ca_file
        self._answers_read = answers_read
        self._languages = languages

    def send(self, letter: Letter) -> None:
        """Hand one letter over to be delivered to `letter.notice.to.address`.

        Raises: NotSentError.
        """
        from connector.outbox.letters import compose  # noqa: PLC0415  brings Babel: only who sends mail pays for it

        try:
            mail = compose(
                letter,
                brand=self._brand,
                from_address=self._from_address,
                answers_read=self._answers_read,
                languages=self._languages,
            )
        except (ValueError, RuleError) as error:
            kind = letter.notice.kind
            why = Sentence(
                "a letter of kind %(kind)s cannot be written (%(error)s)", kind=kind.value, error=type(error).__name__
            )
            unfit = NotSentError(why, permanent=True)
        else:
            sender = mail["From"].addresses[0].addr_spec
            self._hand_over(sender, letter.notice.to.address, mail.as_bytes())
            return
        raise unfit  # outside the block above: a chained error would carry the address into the logs

    def _hand_over(self, sender: str, recipient: str, mail: bytes) -> None:
        _attempt(
            self._server,
            lambda api: api.sendmail(sender, [recipient], mail),
            name=self._from_address.rpartition("@")[2],
            timeout=self._timeout,
            ca_file=self._ca_file,
        )


def check(url: str, *, timeout: timedelta = TIMEOUT, ca_file: str | None = None) -> None:
    """Connect, greet and log in, as a letter would; send nothing.

    Raises: ValueError for a bad URL; NotSentError naming what to fix.
    """
    _attempt(parse_url(url), smtplib.SMTP.noop, name=socket.gethostname(), timeout=timeout, ca_file=ca_file)


def _attempt(
    server: Server, use: Callable[[smtplib.SMTP], object], *, name: str, timeout: timedelta, ca_file: str | None
) -> None:
    """Open a connection and do one thing with it; let only NotSentError leave, with nothing chained to it.

    ValueError is what the library makes of a reply that is none.
    """
    steps = _Steps()
    api: _Bounded | None = None
    try:
        with within(timeout) as exchange:
            api = _open(server, name=name, timeout=timeout, ca_file=ca_file, steps=steps)
            try:
                steps.current = "sending"
                use(api)
                exchange.taken()  # whatever goes wrong from here on must not send the letter again
                _part(api)
            finally:
                api.close()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        fault = _meaning(error, steps.current, server)
        is_answered = isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused)
        fault.unknown = api is not None and api.letter_begun and not is_answered
    else:
        return
    raise fault


def _part(api: smtplib.SMTP) -> None:
    """Say goodbye, and do not wait for long to hear it."""
    with suppress(smtplib.SMTPException, OSError, ValueError), within(_FAREWELL):
        api.quit()


@dataclass(slots=True)
class _Steps:
    """Which step an attempt has come to; a refusal means something else at each."""

    current: str = "connecting"


def _open(server: Server, *, name: str, timeout: timedelta, ca_file: str | None, steps: _Steps) -> _Bounded:
    seconds = timeout.total_seconds()
    api: _Bounded
    if server.security is Security.TLS:
        context = ssl.create_default_context(cafile=ca_file)
        api = _BoundedTls(server.host, server.port, name, timeout=seconds, context=context)
    else:
        api = _Bounded(server.host, server.port, name, timeout=seconds)
    try:
        api.ehlo_or_helo_if_needed()
        if server.security is Security.STARTTLS:
            steps.current = "STARTTLS"
            api.starttls(context=ssl.create_default_context(cafile=ca_file))
            api.ehlo_or_helo_if_needed()
        if server.user:
            steps.current = "AUTH"
            api.login(server.user, server.password)
    except BaseException:
        api.close()
        raise
    return api


class _FloodError(OSError):
    """The server says more than any mail server has to say."""


class _Bounded(smtplib.SMTP):
    """Ends the whole conversation at one deadline, where the library would grant the timeout anew to every step.

    A reply has an end, too: the library would keep each of its lines, however many come.

    `letter_begun` says whether the server has perhaps been given the letter itself. Only who still may ask hands it
    over: a letter of somebody who was frozen before that, and has lost their claim, may contradict those sent since.
    """

    letter_begun = False

    def __init__(self, host: str, port: int, name: str, *, timeout: float) -> None:
        self._ends_at = time.monotonic() + timeout
        super().__init__(host, port, name, timeout=timeout)

    def send(self, s: object) -> None:
        if self.letter_begun and isinstance(s, bytes):  # the letter itself; commands are text
            before_request()
        self._limit_wait()
        super().send(s)  # type: ignore[arg-type]  # whatever the library hands to itself

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.letter_begun = True
        return super().data(msg)

    def getreply(self) -> tuple[int, bytes]:
        self._limit_wait()
        if self.sock is not None:
            if self.file is None:
                self.file = _Replies(self.sock.makefile("rb"))
            self.file.begin()
        return super().getreply()

    def _limit_wait(self) -> None:
        uses(self)
        if self.sock is not None:
            self.sock.settimeout(max(self._ends_at - time.monotonic(), _SHORTEST_WAIT))


class _Replies:
    """What a server says, one reply after another; in place of the file of which the library reads lines."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = 0

    def begin(self) -> None:
        """Expect another reply."""
        self._left = _LONGEST_REPLY

    def readline(self, most: int) -> bytes:
        """Return a line of the reply; raises OSError once there were too many, as the library expects it."""
        line = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise _FloodError
        return line

    def close(self) -> None:
        self._file.close()


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def __init__(self, host: str, port: int, name: str, *, timeout: float, context: ssl.SSLContext) -> None:
        self._ends_at = time.monotonic() + timeout
        smtplib.SMTP_SSL.__init__(self, host, port, name, timeout=timeout, context=context)


def _meaning(error: smtplib.SMTPException | OSError | ValueError, step: str, server: Server) -> NotSentError:
    """Say what a failure means for this letter, in words fit for a log."""
    match error:
        case smtplib.SMTPResponseException() | smtplib.SMTPRecipientsRefused():
            return _reply_meaning(error, step)
        case smtplib.SMTPNotSupportedError() if step in _MISSING_FEATURE:
            return NotSentError(_MISSING_FEATURE[step], permanent=False)
        case ssl.SSLCertVerificationError():
            return NotSentError(
                Sentence(
                    "the mail server's certificate cannot be trusted (%(reason)s): check the host name in its URL, or "
                    "its certificate",
                    reason=error.verify_message,
                ),
                permanent=False,
            )
        case ssl.SSLError():
            return NotSentError(
                Sentence("no encrypted connection to the mail server: check scheme and port in its URL"),
                permanent=False,
            )
    return NotSentError(_broken(error, step, server), permanent=False)


def _broken(error: Exception, step: str, server: Server) -> Sentence:
    """Say how a connection ended."""
    place: Mapping[str, Value] = {"server": f"{server.host}:{server.port}", "step": _STEPS.get(step, step)}
    if isinstance(error.__context__, _FloodError):
        words = marked(
            "the connection to the mail server at %(server)s was ended, since one reply had more than %(most)s bytes, "
            "while %(step)s"
        )
        return Sentence.of(words, {**place, "most": _LONGEST_REPLY})
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return Sentence.of(
            marked("the connection to the mail server at %(server)s took too long while %(step)s"), place
        )
    words = marked("the connection to the mail server at %(server)s failed (%(kind)s) while %(step)s")
    return Sentence.of(words, {**place, "kind": type(error).__name__})


def _reply_meaning(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused, step: str) -> NotSentError:
    """Say what a server's own refusal means: only of this recipient or message, or of everything we send."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, reply = next(iter(error.recipients.values()))
            return _refusal(marked("the mail server refused the recipient (%(code)s)"), code, reply)
        case smtplib.SMTPDataError():
            words = marked("the mail server refused the message (%(code)s)")
            return _refusal(words, error.smtp_code, error.smtp_error)
        case smtplib.SMTPSenderRefused():
            words = marked(
                "the mail server refused the sender (%(code)s): check that it may send from the configured address, "
                "and the credentials in the mail server's URL"
            )
        case smtplib.SMTPAuthenticationError():
            words = marked(
                "the mail server refused to let us log in (%(code)s): check user and password in the mail server's URL"
            )
        case _:
            words = marked(
                "the mail server turned us away while %(step)s (%(code)s): check scheme, host and port in the mail "
                "server's URL"
            )
    values: dict[str, Value] = {"code": _numbers(error.smtp_code, error.smtp_error)}
    if "%(step)s" in words:
        values["step"] = _STEPS.get(step, step)
    return NotSentError(Sentence.of(words, values), permanent=False)


def _refusal(why: str, code: int, reply: bytes | str) -> NotSentError:
    if code == _AUTHENTICATION_REQUIRED:
        wanted = marked("the mail server wants us to log in (%(code)s): put user and password into its URL")
        return NotSentError(Sentence.of(wanted, {"code": str(code)}), permanent=False)
    return NotSentError(Sentence.of(why, {"code": _numbers(code, reply)}), permanent=code in _PERMANENT)


def _numbers(code: int, reply: bytes | str) -> str:
    """Return the reply's numbers alone: its text may quote the address."""
    enhanced = _ENHANCED.match(reply if isinstance(reply, bytes) else reply.encode(errors="replace"))
    return f"{code} {enhanced[1].decode()}" if enhanced else str(code)
