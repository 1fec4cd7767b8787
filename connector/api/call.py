"""One request to the API, and what it is answered: what every view is handed, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from connector.api.cursors import Cursor
from connector.domain.api_key import ApiKey
from connector.domain.people import Actor
from connector.errors import RequestError
from connector.language.catalogues import Language
from connector.runtime import Runtime

Body = TypeVar("Body")
Query = TypeVar("Query")

ANY_VERSION = "*"


@dataclass(slots=True, kw_only=True)
class Call(Generic[Body, Query]):
    """A request that may be made: whoever makes it is known, and what it says has been read.

    Attributes:
        runtime: The installation.
        key: By which it is made; None where the host itself makes it, in whose process we are, and may do everything.
        by: Whoever acts.
        now: Aware UTC, the same throughout.
        speak: Returns the language in which refusals are said to whoever asks.
        body: What it says, as its route declares it; None where a route takes nothing.
        query: Likewise behind the question mark.
        cursor: Where a list goes on, and what leads to its next page.
        expected: The versions named in If-Match; None if none is.
        prepared: What the route's `prepare` has returned.
        matched: Whether the version was compared.
        later: What is to be done once all is stored.
    """

    runtime: Runtime
    key: ApiKey | None
    by: Actor
    now: datetime
    speak: Callable[[], Language]
    body: Body = None  # type: ignore[assignment]  # filled in once it is read
    query: Query = None  # type: ignore[assignment]  # likewise
    cursor: Cursor
    expected: frozenset[str] | None = None
    prepared: Any = None
    matched: bool = field(default=False)
    later: list[Callable[[], None]] = field(default_factory=list)

    @property
    def language(self) -> Language:
        """In which something is said to whoever asks."""
        return self.speak()

    @property
    def within(self) -> UUID | None:
        """For which practitioner alone it is made; None for the whole installation."""
        return self.key.practitioner_id if self.key is not None else None

    def sees(self, practitioner_id: UUID) -> bool:
        """Whether what is this practitioner's exists for whoever asks: if not, answer as for an id that nothing has."""
        return self.within in (None, practitioner_id)

    def afterwards(self, do: Callable[[], None]) -> None:
        """Have something done once the transaction has ended, which no answer depends on."""
        self.later.append(do)

    def do_later(self) -> None:
        """Do what was to be done once the transaction has ended."""
        for do in self.later:
            do()

    def match(self, version: int) -> None:
        """Go on only if what is to be changed is still as whoever asks has seen it; lock it before.

        Raises: RequestError, 428 if they do not say what they have seen, 412 if it has changed since.
        """
        self.matched = True
        if self.expected is None:
            raise precondition_required()
        if ANY_VERSION not in self.expected and str(version) not in self.expected:
            raise RequestError(
                "This has changed since it was read: its version is %(version)s by now. Read it again and decide anew.",
                code="precondition_failed",
                http=412,
                field="if_match",
                version=version,
            )


def precondition_required() -> RequestError:
    """Return the refusal of an edit that does not say which version it is of."""
    return RequestError(
        "Say which version is to be changed: send the ETag that was read as If-Match, or * for any.",
        code="precondition_required",
        http=428,
        field="if_match",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered.

    Attributes:
        body: A struct that the route declares for the status; None for nothing.
        etag: What tells this state from others, without quotes; empty for the body's `version`, if it has one.
        location: The path, within the API, of what was made; empty for none.
    """

    body: msgspec.Struct | None = None
    status: int = 200
    etag: str = ""
    location: str = ""
