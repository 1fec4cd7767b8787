"""Who wrote a mail, as far as that can be proved: by the mail server that took it in, or by the signature it bears.

A mail is proved to be of the one address in its From, or not at all: whatever is wrong with it, it is *not proved*, and
whoever forged it learns nothing. What is not proved is shown to a person and never applied.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum

from connector.inbox.bounds import BoundedMail
from connector.inbox.headers import author

Keys = Callable[[str], bytes | None]
"""Returns the DKIM record at a name in the DNS, None if there is none; TransientError where nobody can tell now."""

_LONGEST = 4_000  # characters of an Authentication-Results that are read
_MOST_SIGNATURES = 5
_ALGORITHMS = frozenset({b"rsa-sha256", b"ed25519-sha256"})  # not rsa-sha1: RFC 8301
_RESULT = re.compile(r"([a-z0-9-]+)(?:/\d+)?=([a-z]+)")
_EQUALS = re.compile(r"\s*=\s*")
_STRUCTURE = re.compile(r"[;=\s]")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_TESTING = re.compile(rb"(?:^|;)\s*t\s*=[^;]*\by\b")

_SILENT = logging.getLogger(f"{__name__}.dkim")  # the library would log addresses
_SILENT.disabled = True


class Proof(StrEnum):
    """By what a mail is proved to be of its author; the value is a stored word."""

    SERVER = "server"  # Authentication-Results of our own mail server (RFC 8601)
    SIGNATURE = "signature"  # a DKIM signature of the author's domain (RFC 6376)
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    method: str
    verdict: str
    properties: Mapping[str, str]


def prove(mail: BoundedMail, *, server: str, keys: Keys) -> Proof:
    """Return by what a mail is proved to be of the address in its From.

    Args:
        mail: With exactly one From, or nothing can be proved of it.
        server: The authserv-id of the mail server that takes our mail in; empty if there is none whose word counts. It
            must remove what others have written under its name (RFC 8601 section 5).
        keys: Where public keys are found. It is asked only where the server says nothing.
    Raises: TransientError where nobody can tell now.
    """
    domain = author(mail.data, mail.message).rpartition("@")[2]
    if not domain:
        return Proof.NONE
    results = list(_of_server(mail.message, server.lower())) if server else []
    if results:
        return Proof.SERVER if _vouches(results, domain) else Proof.NONE
    return Proof.SIGNATURE if _is_signed(mail, domain, keys) else Proof.NONE


def _of_server(message: Message, server: str) -> Iterator[_Result]:
    """Yield what a server has found, from the top: below the first header of anybody else may stand anything."""
    for value in message.get_all("authentication-results", []):
        text = str(value)
        plain = _plain(text) if len(text) <= _LONGEST else ""
        head, *sections = plain.split(";")
        if (head.split() or [""])[0] != server:
            return
        results = [result for section in sections if (result := _result(section))]
        yield from results or [_Result(method="", verdict="none", properties={})]


def _plain(text: str) -> str:
    """Return a structured value in small letters without its comments; what is quoted has no structure."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text.lower():
        if escaped:
            escaped = False
        elif character == "\\" and (depth or quoted):
            escaped = True
            continue
        elif character == '"' and not depth:
            quoted = not quoted
            continue
        elif not quoted and character in "()":
            depth = max(depth + (1 if character == "(" else -1), 0)
            kept.append(" ")
            continue
        if not depth:
            kept.append(_STRUCTURE.sub("_", character) if quoted else character)
    return "".join(kept)


def _result(section: str) -> _Result | None:
    words = _EQUALS.sub("=", section).split()
    found = _RESULT.fullmatch(words[0]) if words else None
    if found is None:
        return None
    pairs = (word.partition("=") for word in words[1:])
    return _Result(method=found[1], verdict=found[2], properties={name: value for name, _, value in pairs})


def _vouches(results: list[_Result], domain: str) -> bool:
    """Whether a server has found a mail to be of a domain: by the domain's own policy, or else by a signature of it."""
    policies = [result for result in results if result.method == "dmarc" and result.verdict != "none"]
    if policies:
        return all(
            result.verdict == "pass" and _domain(result.properties.get("header.from", "")) == domain
            for result in policies
        )
    return any(
        result.method == "dkim"
        and result.verdict == "pass"
        and _is_aligned(_domain(result.properties.get("header.d") or result.properties.get("header.i", "")), domain)
        for result in results
    )


def _domain(value: str) -> str:
    return value.rpartition("@")[2].rstrip(".")


def _is_aligned(signer: str, domain: str) -> bool:
    """Whether a domain signs for another: for itself, and for what is below it; nobody signs for what is above."""
    return bool(signer) and (domain == signer or domain.endswith(f".{signer}"))


def _is_signed(mail: BoundedMail, domain: str, keys: Keys) -> bool:
    if len(mail.message.get_all("content-type", [])) > 1:
        return False  # who knows which of them was signed
    values = [str(value).encode(errors="replace") for value in mail.message.get_all("dkim-signature", [])]
    return any(
        _is_fit(value, domain) and _verifies(mail.data, place, keys)
        for place, value in enumerate(values[:_MOST_SIGNATURES])
    )


def _is_fit(value: bytes, domain: str) -> bool:
    """Whether a signature would prove anything: of the whole body, by a sound algorithm, over From, of the domain."""
    from dkim.util import InvalidTagValueList, parse_tag_value  # noqa: PLC0415  only who reads mail pays for it

    try:
        tags = parse_tag_value(_FOLD.sub(b"", value))
    except InvalidTagValueList:
        return False
    signed = {name.strip().lower() for name in tags.get(b"h", b"").split(b":")}
    signer = tags.get(b"d", b"").decode(errors="replace").strip().lower().rstrip(".")
    is_whole = b"l" not in tags  # else anything may have been appended, such as a calendar part
    return is_whole and tags.get(b"a") in _ALGORITHMS and b"from" in signed and _is_aligned(signer, domain)


def _verifies(data: bytes, place: int, keys: Keys) -> bool:
    """Whether the signature at a place verifies, by a key that its domain does not merely try out."""
    import dkim  # noqa: PLC0415

    records: list[bytes] = []

    def look_up(name: bytes, timeout: float = 5) -> bytes | None:  # noqa: ARG001 - what the library hands over
        record = keys(name.decode(errors="replace"))
        records.append(record or b"")
        return record

    try:
        verified = bool(dkim.DKIM(data, logger=_SILENT).verify(idx=place, dnsfunc=look_up))
    except (dkim.DKIMException, ValueError, LookupError, TypeError, ArithmeticError):
        return False  # whatever is wrong with it, it proves nothing
    return verified and not any(_TESTING.search(record) for record in records)
