"""Where the reply mailbox is, as a URL names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from urllib.parse import SplitResult, unquote, urlsplit

_FOLDER = "INBOX"
_PARTS = (
    "a mailbox's URL is imaps://user:password@host, with :port and /folder if need be, and nothing more; write special "
    "characters in user, password and folder percent-encoded, such as %40 for @ and %2F for /"
)


class Security(Enum):
    """How a connection is protected: the URL scheme, and the port it has by default."""

    NONE = ("imap", 143)
    STARTTLS = ("imap+starttls", 143)
    TLS = ("imaps", 993)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mailbox as a URL names it."""

    host: str
    port: int
    security: Security
    user: str = field(repr=False)
    password: str = field(repr=False)
    folder: str = _FOLDER

    @property
    def identity(self) -> str:
        """What tells this mailbox from every other one; it reveals nothing, and a new password changes nothing."""
        return sha256(f"{self.host}:{self.port}\n{self.user}\n{self.folder}".encode()).hexdigest()


def parse_url(url: str) -> Server:
    """Read `imaps://`, `imap+starttls://` or `imap://user:password@host[:port][/folder]`, percent-decoded.

    Raises: ValueError with what to write instead; it never quotes the URL, which holds a password.
    """
    security = _security_of(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or security.value[1]
    except ValueError:
        raise ValueError("the mailbox's port must be a number from 1 to 65535, and its host a plain name") from None
    folder = unquote(parts.path.removeprefix("/")) or _FOLDER
    user, password = _credentials(parts)
    if not host or parts.query or parts.fragment or any(c.isspace() for c in url) or not folder.isprintable():
        raise ValueError(_PARTS)
    return Server(host=host, port=port, security=security, user=user, password=password, folder=folder)


def _security_of(url: str) -> Security:
    for security in Security:
        scheme, _ = security.value
        if url.lower().startswith(f"{scheme}://"):
            return security
    raise ValueError("a mailbox's URL begins with imaps://, imap+starttls:// or imap://")


def _credentials(parts: SplitResult) -> tuple[str, str]:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user or not password:
        raise ValueError(_PARTS)
    if not (user + password).isascii() or not (user + password).isprintable():
        raise ValueError("the mailbox's user and password must be printable ASCII")
    return user, password
