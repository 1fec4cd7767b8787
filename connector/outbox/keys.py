"""The public keys of mail signatures, out of the DNS."""

from __future__ import annotations

from datetime import timedelta

from connector.errors import TransientError
from connector.sentence import Sentence

TIMEOUT = timedelta(seconds=5)
_LONGEST = 8 * 1024  # bytes of a record


class DnsKeys:
    """Looks keys up, one after another; may be used by several threads at once."""

    def __init__(self, servers: tuple[str, ...] = (), *, port: int = 53, timeout: timedelta = TIMEOUT) -> None:
        """Take the servers to ask; none for those of this machine. Asks nobody yet."""
        self._servers = servers
        self._port = port
        self._timeout = timeout

    def __call__(self, name: str) -> bytes | None:
        """Return the text record at a name; None if there is none.

        Raises: TransientError where nobody can tell now.
        """
        import dns.exception  # noqa: PLC0415  only who reads mail pays for it
        import dns.name  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        try:
            place = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return None  # whoever wrote it, nothing can stand there
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers, resolver.port = list(self._servers), self._port
        try:
            answer = resolver.resolve(place, "TXT", lifetime=self._timeout.total_seconds(), search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
            return None
        except dns.exception.DNSException as error:
            kind = type(error).__name__
        else:
            text = b"".join(next(iter(answer)).strings)
            return text if len(text) <= _LONGEST else None
        raise TransientError(Sentence("the DNS does not tell the key of a mail's signature now (%(kind)s)", kind=kind))
