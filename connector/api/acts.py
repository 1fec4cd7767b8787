"""How a view is carried out, through whichever door it was asked for: a program's request, or the host in its process.

What reads does so from one snapshot. What writes is one transaction, which begins with whether it may be done at all,
and ends with its answer where that is kept. What was noted to be done afterwards is for the door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2s
from typing import Any

import msgspec
from sqlalchemy import Connection

from connector.api.call import Answer, Call, precondition_required
from connector.api.routes import Route
from connector.errors import RequestError
from connector.services import idempotency, standstill
from connector.services.idempotency import NamedAct

_JSON = msgspec.json.Encoder()


class _Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept for when it is asked for once more."""

    status: int
    body: str
    etag: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a view has answered, as it is sent.

    Attributes:
        body: JSON; empty for nothing.
        etag: What tells this state from others; empty where nothing does.
        location: The path, within the API, of what was made; empty for none.
        repeated: Whether it was done before, and is only told once more.
    """

    status: int
    body: bytes
    etag: str
    location: str
    repeated: bool = False

    def kept(self) -> str:
        """Return it as it is kept."""
        kept = _Kept(status=self.status, body=self.body.decode(), etag=self.etag, location=self.location)
        return msgspec.json.encode(kept).decode()

    @classmethod
    def of(cls, kept: str) -> Answered:
        """Return what was kept."""
        found = msgspec.json.decode(kept, type=_Kept)
        return cls(
            status=found.status, body=found.body.encode(), etag=found.etag, location=found.location, repeated=True
        )


def look(route: Route, call: Call[Any, Any], db: Connection, path: Mapping[str, Any]) -> Answered:
    """Return what a view that only reads answers."""
    return _answered(route, route.view(call, db, **path))


def act(
    route: Route,
    call: Call[Any, Any],
    path: Mapping[str, Any],
    *,
    named: NamedAct | None,
    let_in: Callable[[Connection], None],
) -> Answered:
    """Do what a view does, in one transaction; under a name, once.

    Args:
        route: Whose view.
        call: What it is handed.
        path: What its path names.
        named: What the act calls itself; None for nothing.
        let_in: Raises RuleError unless whoever asks is let in still: calendars may have been read meanwhile.

    Raises: RuleError, StandstillError.
    """
    runtime = call.runtime
    if route.edits and call.expected is None:
        raise precondition_required()
    if route.prepare is not None:
        standstill.refuse(runtime.database)
        if named is not None:
            with runtime.database.read() as db:
                before = idempotency.answered(db, runtime.seal, named)
            if before is not None:
                return Answered.of(before)
        call.prepared = route.prepare(call, **path)
    with runtime.database.begin() as db:
        let_in(db)
        standstill.check(db)
        if named is not None and not idempotency.begin(db, named, now=call.now):
            before = idempotency.answered(db, runtime.seal, named)
            assert before is not None  # noqa: S101 - whoever had begun has ended, or this had begun
            return Answered.of(before)
        answer = route.view(call, db, **path)
        if route.edits and not call.matched:
            raise AssertionError(f"{route.name} edits something and compares no version")
        answered = _answered(route, answer)
        if named is not None:
            idempotency.keep(db, runtime.seal, named, answered.kept(), now=call.now)
    return answered


def standing_still() -> RequestError:
    """Return the refusal of what would change something while a restored database waits."""
    return RequestError(
        "The database was set back to an earlier state, and that is being put right. Until then nothing is "
        "changed; nothing is lost. Please try again later.",
        code="standing_still",
        http=503,
    )


def busy() -> RequestError:
    """Return the refusal of what others keep from being done just now."""
    return RequestError(
        "Others are at work with the same just now. Please try again in a moment.", code="busy", http=503
    )


def _answered(route: Route, answer: Answer | msgspec.Struct) -> Answered:
    if not isinstance(answer, Answer):
        answer = Answer(body=answer)
    declared = route.answers[answer.status]
    if (type(answer.body) if answer.body is not None else None) is not declared:
        raise AssertionError(f"{route.name} answers {answer.status} with {type(answer.body).__name__}")
    body = _JSON.encode(answer.body) if answer.body is not None else b""
    etag = answer.etag or _version(answer.body)
    if not etag and route.compares:
        etag = blake2s(body, digest_size=16).hexdigest()
    return Answered(status=answer.status, body=body, etag=etag, location=answer.location)


def _version(body: msgspec.Struct | None) -> str:
    match body:
        case object(version=int(version)):
            return str(version)
        case _:
            return ""
