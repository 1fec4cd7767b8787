"""Collections as a CalDAV server keeps them: events, their numbered history, and what it makes of a sync token."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

import recurring_ical_events
from icalendar import Calendar

Saved = dict[str, "Collection"]


class Kind(StrEnum):
    """How a server takes a sync token that it has not given, or gave in a history that it has lost."""

    HONEST = "honest"  # refuses it (RFC 6578 section 3.2), as Radicale does
    SABRE = "sabre"  # tells nothing and gives its own token, as sabre and SOGo do with one from the future
    DAVICAL = "davical"  # tells everything there is, and no deletion, as DAViCal does


@dataclass(frozen=True)
class Stored:
    """An event; `number` is that of the change that made it so."""

    body: bytes
    etag: str
    number: int


@dataclass
class Collection:
    """One collection.

    Attributes:
        number: Of its last change. It begins again in a collection that is made again, and goes back with a back-up.
        eras: The histories in which it gave tokens, each with the last number of it that it knows of.
    """

    name: str
    component: str = "VEVENT"
    zone: str = ""
    number: int = 1
    events: dict[str, Stored] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    eras: dict[str, int] = field(default_factory=dict)
    era: str = field(default_factory=lambda: uuid4().hex[:8])

    def put(self, path: str, body: bytes, *, counted: bool) -> Stored:
        """Keep an event; with `counted` its ETag is the number of the change, which may come again."""
        self.number += 1
        etag = f'"{self.number}"' if counted else f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        self.events[path] = Stored(body, etag, self.number)
        self.gone.pop(path, None)
        return self.events[path]

    def delete(self, path: str) -> None:
        del self.events[path]
        self.number += 1
        self.gone[path] = self.number

    def token(self, kind: Kind) -> str:
        era = "" if kind is Kind.SABRE else f"-{self.era}"  # sabre's is a number alone
        return f"http://calendar.example/ns/sync/{self.number}{era}"

    def changes(self, token: str, kind: Kind) -> tuple[list[str], list[str]] | None:
        """Return what has changed since a token, and what is gone; None where the token is refused."""
        since = self._known(token, kind)
        if since is None and token:
            return {Kind.HONEST: None, Kind.SABRE: ([], []), Kind.DAVICAL: (list(self.events), [])}[kind]
        changed = [path for path, event in self.events.items() if event.number > (since or 0)]
        return changed, [path for path, number in self.gone.items() if since and number > since]

    def restored(self) -> Collection:
        """Return it as a back-up brings it back: what was given since is of a history that it does not know."""
        copy = deepcopy(self)
        copy.eras[copy.era] = copy.number
        copy.era = uuid4().hex[:8]
        return copy

    def _known(self, token: str, kind: Kind) -> int | None:
        number, _, era = token.rpartition("/")[2].partition("-")
        if not number.isdecimal() or not token.startswith("http://calendar.example/ns/sync/"):
            return None
        known = self.number if kind is Kind.SABRE or era == self.era else self.eras.get(era, 0)
        return int(number) if int(number) <= known else None


def touching(collection: Collection, start: datetime | None, end: datetime | None) -> Iterable[tuple[str, Stored]]:
    """Yield the events that touch a time; those that make no sense always do."""
    for path, event in list(collection.events.items()):
        if _touches(event.body, start, end):
            yield path, event


def _touches(body: bytes, start: datetime | None, end: datetime | None) -> bool:
    if start is None:
        return True
    try:
        events: Any = recurring_ical_events.of(Calendar.from_ical(body))
        return any(True for _ in (events.between(start, end) if end else events.after(start)))
    except Exception:  # noqa: BLE001 - whatever a parser says of nonsense
        return True
