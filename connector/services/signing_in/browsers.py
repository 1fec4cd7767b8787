"""Browsers in which people are signed in: kept here, so that signing out ends it wherever the cookie went.

It ends after a while without use, unless its owner trusts that browser, and after so long however much it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from connector.domain.device import Device
from connector.domain.people import Role, Signing
from connector.services.signing_in import links
from connector.services.signing_in.log import Event, note
from connector.storage import browsers, signins
from connector.storage.browsers import Browser, Since
from connector.storage.database import Database, is_busy
from connector.storage.seal import Seal

__all__ = [
    "IDLE",
    "LONGEST",
    "Browser",
    "Entered",
    "end_all",
    "ends_at",
    "every",
    "find",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "sign_out_one",
    "sweep",
]

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=5)  # how exactly it is known when a browser was last seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody has signed in: the token that the browser is to hold, and the page that they had wanted, if any."""

    token: str
    wanted: str | None


def sign_in(
    database: Database,
    seal: Seal,
    link: str,
    *,
    now: datetime,
    role: Signing = Role.PRACTITIONER,
    trusted: bool = False,
    device: Device = Device(),  # noqa: B008 - a value that never changes
) -> Entered | None:
    """Use up a mailed link, and return what the browser is to hold; None if the link lets nobody in any more.

    `trusted`: whoever signs in says that it is a browser of theirs alone.

    Raises: NotFoundError if it is none of ours.
    """
    token = browsers.new_token()
    with database.begin() as db:
        used = links.use(db, seal, link, role=role, now=now)
        if used is not None:
            browsers.add(db, token, used.person_id, role=role, trusted=trusted, device=device, now=now)
    if used is None:
        note(Event.REFUSED, what="link")
        return None
    note(Event.SIGNED_IN, used.person_id, role=role)
    return Entered(token=token, wanted=used.wanted)


def find(database: Database, token: str, *, now: datetime, role: Signing = Role.PRACTITIONER) -> Browser | None:
    """Return the browser that holds a token, and note that it was seen; None if nobody is signed in there any more."""
    with database.read() as db:
        browser = browsers.find(db, token, role=role, since=_since(now))
    if browser is not None and now - browser.seen_at >= SEEN_EVERY:
        _note_seen(database, browser, now)
    return browser


def every(database: Database, practitioner_id: UUID, *, now: datetime) -> Sequence[Browser]:
    """Return every browser in which a practitioner is signed in, the last seen first."""
    with database.read() as db:
        return browsers.of_practitioner(db, practitioner_id, since=_since(now))


def ends_at(browser: Browser) -> datetime:
    """Return when somebody is signed out of a browser by itself, if it is not used until then."""
    longest = browser.signed_in_at + LONGEST
    return longest if browser.trusted else min(longest, browser.seen_at + IDLE)


def sign_out(database: Database, token: str, *, role: Signing = Role.PRACTITIONER) -> None:
    """Sign out where this token is, and wherever it was copied to."""
    with database.begin() as db:
        person_id = browsers.remove(db, token, role=role)
    if person_id is not None:
        note(Event.SIGNED_OUT, person_id, role=role)


def sign_out_one(database: Database, practitioner_id: UUID, digest: bytes) -> bool:
    """Sign a practitioner out of one of their browsers; False if it is none of theirs, or not any more."""
    with database.begin() as db:
        is_out = browsers.remove_one(db, practitioner_id, digest)
    if is_out:
        note(Event.SIGNED_OUT, practitioner_id)
    return is_out


def sign_out_everywhere(database: Database, practitioner_id: UUID, *, now: datetime) -> int:
    """Sign a practitioner out of every browser, void every link that was mailed to them, and return of how many."""
    with database.begin() as db:
        count = end_all(db, practitioner_id, now=now)
    note(Event.SIGNED_OUT_EVERYWHERE, practitioner_id, browsers=count)
    return count


def end_all(db: Connection, practitioner_id: UUID, *, now: datetime) -> int:
    """Do the same in the transaction of what makes it needed, such as another mail address; noted by whoever asks."""
    signins.void_unused(db, practitioner_id, now=now)
    return browsers.remove_all(db, practitioner_id)


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those in which nobody is signed in any more."""
    browsers.sweep(db, since=_since(now))


def _since(now: datetime) -> Since:
    return Since(signed_in=now - LONGEST, seen=now - IDLE)


def _note_seen(database: Database, browser: Browser, now: datetime) -> None:
    try:
        with database.begin() as db:
            browsers.note_seen(db, browser, now=now)
    except DBAPIError as error:
        if not is_busy(error):  # its next page notes it: who only reads fails for nobody who writes
            raise
