"""What the header of a mail says: who wrote it, what it is called, what it is about."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr

from connector.domain.people import check_address
from connector.errors import RuleError
from connector.inbox.bounds import one_ending

_LONGEST = 4_000  # characters of a value that are looked at
_MOST_IDS = 20
_DEEPEST_COMMENT = 3  # comments inside one another
_ID = re.compile(r"<([^<>]{1,450})>")
_WHOLE_ID = re.compile(r"([^@\s]{1,200}@)([^@\s]{1,200})")
_FROM = re.compile(rb"^from[ \t]*:", re.IGNORECASE | re.MULTILINE)  # with a blank some parsers take it for one, too
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ENCODED = re.compile(r"=\?[^?\s]{1,40}\?[bqBQ]\?[^?\s]*\?=")  # a person's name (RFC 2047); it may hold commas
_COMMENT = re.compile(r"\([^()]*\)")
_ANGLED = re.compile(r"[^<>]*<([^<>]*)>\s*")


def values(message: Message, name: str) -> list[str]:
    """Return every value of a header, on one line each, in the order they stand in."""
    return [" ".join(str(value)[:_LONGEST].split()) for value in message.get_all(name, [])]


def value(message: Message, name: str) -> str:
    """Return the first value of a header; empty if there is none."""
    return next(iter(values(message, name)), "")


def author(data: bytes, message: Message) -> str:
    """Return the one address that a mail says it is from, in small letters; empty if it names none, or several."""
    header = one_ending(data).partition(b"\n\n")[0]
    froms = values(message, "from")
    if len(froms) != 1 or len(_FROM.findall(header)) != 1:
        return ""
    bare = _ENCODED.sub(" ", _QUOTED.sub(" ", froms[0]))
    for _ in range(_DEEPEST_COMMENT):
        bare = _COMMENT.sub(" ", bare)
    if "," in bare or ";" in bare:
        return ""
    angled = _ANGLED.fullmatch(bare)
    return address(angled[1] if angled else bare)


def name(message: Message) -> str:
    """Return what whoever wrote a mail is called there; empty if it does not say, or nobody can read it."""
    try:
        plain = str(make_header(decode_header(value(message, "from"))))
    except (HeaderParseError, LookupError, ValueError):
        return ""
    return parseaddr(plain)[0]


def address(text: str) -> str:
    """Return an address in small letters, with or without its `mailto:`; empty if it is none."""
    plain = text.strip()
    if plain[:7].lower() == "mailto:":
        plain = plain[7:]
    try:
        return check_address(plain).lower()
    except RuleError:
        return ""


def ids(*texts: str) -> tuple[str, ...]:
    """Return the Message-IDs in header values, the last one first, and each once.

    Long ones are folded by some servers, and a domain is the same in any case (RFC 5322 sections 2.2.3 and 3.6.4).
    """
    inside = ("".join(one.split()) for text in texts for one in _ID.findall(text))
    found = [f"<{whole[1]}{whole[2].lower()}>" for one in inside if (whole := _WHOLE_ID.fullmatch(one))]
    return tuple(dict.fromkeys(reversed(found)))[:_MOST_IDS]
