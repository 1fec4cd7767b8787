"""How gateways say in an answer of success that they took nothing, by whatever name they say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_DEEPEST = 8  # how far down in an answer it is looked
_MOST_VALUES = 1_000
_HTTP_ERRORS = range(400, 600)

# What things are called, and what stands there, compared without regard to case and to what parts the words.
_ERRORS = frozenset(
    (
        *("error", "errors", "err", "fault", "faults", "exception", "errorcode", "errorcodes", "errcode", "errortext"),
        *("errormessage", "errormsg", "errordescription", "failurereason", "failurecode", "rejectreason"),
    )
)
_SUCCESSES = frozenset(("ok", "success", "successful", "succeeded", "accepted", "sent", "queued", "taken", "valid"))
_STATES = frozenset(
    (
        *("status", "state", "result", "outcome", "type", "code"),
        *("statuscode", "responsecode", "resultcode", "statustext"),
    )
)
_NO = frozenset(("false", "no", "none", "n", "0"))
_NOTHING_WRONG = frozenset(("", "none", "null", "false", "no", "ok", "noerror", "success"))  # beside zeros
_BAD = (
    *("error", "fail", "reject", "refus", "invalid", "denied", "forbidden", "unauthori", "undeliver", "notdeliver"),
    *("notsent", "notaccept", "expired", "blocked", "barred", "cancel", "exception", "insufficient", "unknown"),
)
_BAD_WORDS = frozenset(("nok", "ko", "no", "false", "bad", "nack", "err"))


def speaks_of_error(body: Any) -> bool:
    """Whether anything in an answer says that something went wrong, by whatever name."""
    return any(_is_error(name, value) for name, value in _said(body))


def _said(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield each name in an answer with what stands there, as far as it is looked at."""
    waiting, count = [("", body, 0)], 0
    while waiting and count < _MOST_VALUES:
        count += 1
        name, value, depth = waiting.pop()
        if isinstance(value, dict | list) and depth < _DEEPEST:
            inner = value.items() if isinstance(value, dict) else ((name, one) for one in value)
            waiting += [(_plain(key), one, depth + 1) for key, one in inner]
        yield name, value


def _plain(word: Any) -> str:
    """Return a word in small letters and digits alone."""
    return "".join(filter(str.isalnum, str(word).lower()))


def _is_error(name: str, value: Any) -> bool:
    if isinstance(value, dict | list):
        return name in _ERRORS and bool(value) and not all(map(_is_nothing, _inner(value)))
    word = _plain(value)
    if name in _ERRORS:
        return not _is_nothing(value)
    if name in _SUCCESSES:
        return word in _NO or value is None or _is_bad(word)
    return name in _STATES and (_is_bad(word) or word in _BAD_WORDS or (word.isdecimal() and _is_http_error(word)))


def _inner(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values() if isinstance(value, dict) else value)


def _is_nothing(value: Any) -> bool:
    """Whether what stands where an error would says that there is none."""
    word = _plain("" if value is None else value)
    return value in (None, [], {}) or word in _NOTHING_WRONG or not word.strip("0")


def _is_bad(word: str) -> bool:
    return any(one in word for one in _BAD)


def _is_http_error(digits: str) -> bool:
    return int(digits[:4]) in _HTTP_ERRORS
