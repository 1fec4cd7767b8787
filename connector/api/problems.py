"""What went wrong, as a problem document (RFC 9457) in the language that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from flask import Response

from connector.errors import ExistsError, RuleError, WallTimeError
from connector.language.catalogues import Language
from connector.language.messages import marked

MIMETYPE = "application/problem+json"
Extra = Callable[[Any], msgspec.Struct]


class ProblemPart(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        pointer: A JSON pointer into the body, or behind the question mark; empty where it is about neither.
        code: What is wrong, for programs.
        detail: The same for people.
    """

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not done. More fields may stand beside these, as the code says."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemPart]
    request_id: str


TITLES: Mapping[int, str] = {
    400: marked("This request cannot be read"),
    401: marked("No key that lets anybody in"),
    403: marked("This key may not do that"),
    404: marked("There is nothing of that name"),
    405: marked("That cannot be done here"),
    409: marked("Something else stands in the way"),
    412: marked("It has changed meanwhile"),
    413: marked("That is too large"),
    415: marked("Only JSON is read here"),
    422: marked("This request was refused"),
    428: marked("Which version is meant?"),
    429: marked("Too often"),
    500: marked("Something went wrong here"),
    503: marked("Not just now"),
}


class ReadingsPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Beside a time that comes twice.

    Attributes:
        choices: What it could mean.
    """

    choices: tuple[str, ...] = ()


class KnownPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Beside what there is already.

    Attributes:
        known: The id of what there is already.
    """

    known: str | None = None


_EXTRAS: dict[type[RuleError], tuple[type[msgspec.Struct], Extra]] = {
    WallTimeError: (ReadingsPart, lambda error: ReadingsPart(choices=error.choices)),
    ExistsError: (KnownPart, lambda error: KnownPart(known=error.known)),
}


def tells(kind: type[RuleError], part: type[msgspec.Struct], extra: Extra) -> None:
    """Have problems of a kind of refusal tell more.

    Args:
        kind: Of the refusal.
        part: The fields that stand beside the usual ones then; each may be left out.
        extra: Returns them.
    """
    _EXTRAS[kind] = part, extra


def parts() -> tuple[type[msgspec.Struct], ...]:
    """Return which fields may stand beside those of every problem."""
    return tuple(dict.fromkeys(part for part, _ in _EXTRAS.values()))


def of(error: RuleError, language: Language, *, address: str, request_id: str, pointers: Mapping[str, str]) -> Response:
    """Return the problem document of a refusal.

    Args:
        error: What was refused.
        language: In which to say it.
        address: Under which the pages of errors are.
        request_id: Of the request.
        pointers: Where in the body the inputs are that refusals are about, by `field`.
    """
    pointer = error.pointer or pointers.get(error.field or "", "")
    detail = language.refusal(error)
    problem = Problem(
        type=f"{address}/{error.code}",
        title=language.say(TITLES[error.status]),
        status=error.status,
        detail=detail,
        code=error.code,
        errors=[ProblemPart(pointer=pointer, code=error.code, detail=detail)] if pointer else [],
        request_id=request_id,
    )
    shown: dict[str, Any] = msgspec.to_builtins(problem)
    for kind, (_, extra) in _EXTRAS.items():
        if isinstance(error, kind):
            shown |= msgspec.to_builtins(extra(error))
    response = Response(msgspec.json.encode(shown), status=error.status, mimetype=MIMETYPE)
    response.headers["Content-Language"] = language.tag.replace("_", "-")
    response.vary.add("Accept-Language")
    return response
