"""Browsers in which practitioners are signed in: kept here, so that signing out ends it wherever the cookie went.

It ends after a while without use, and after so long however much it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from connector.services.signing_in import links
from connector.services.signing_in.log import Event, note
from connector.storage import browsers, signins
from connector.storage.browsers import Browser
from connector.storage.database import Database, is_busy
from connector.storage.seal import Seal

__all__ = [
    "IDLE",
    "LONGEST",
    "Browser",
    "end_all",
    "every",
    "find",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "sweep",
]

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=5)  # how exactly it is known when a browser was last seen


def sign_in(database: Database, seal: Seal, link: str, *, now: datetime) -> str | None:
    """Use up a mailed link, and return the token that the browser is to hold; None if the link lets nobody in any more.

    Raises: NotFoundError if it is none of ours.
    """
    token = browsers.new_token()
    with database.begin() as db:
        practitioner_id = links.use(db, seal, link, now=now)
        if practitioner_id is not None:
            browsers.add(db, token, practitioner_id, now=now)
    if practitioner_id is None:
        note(Event.REFUSED, what="link")
        return None
    note(Event.SIGNED_IN, practitioner_id)
    return token


def find(database: Database, token: str, *, now: datetime) -> Browser | None:
    """Return the browser that holds a token, and note that it was seen; None if nobody is signed in there any more."""
    with database.read() as db:
        browser = browsers.find(db, token, since=now - LONGEST, seen_since=now - IDLE)
    if browser is not None and now - browser.seen_at >= SEEN_EVERY:
        _note_seen(database, browser, now)
    return browser


def every(database: Database, practitioner_id: UUID, *, now: datetime) -> Sequence[Browser]:
    """Return every browser in which a practitioner is signed in, the last seen first."""
    with database.read() as db:
        return browsers.of_practitioner(db, practitioner_id, since=now - LONGEST, seen_since=now - IDLE)


def sign_out(database: Database, token: str) -> None:
    """Sign out where this token is, and wherever it was copied to."""
    with database.begin() as db:
        practitioner_id = browsers.remove(db, token)
    if practitioner_id is not None:
        note(Event.SIGNED_OUT, practitioner_id)


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
    browsers.sweep(db, since=now - LONGEST, seen_since=now - IDLE)


def _note_seen(database: Database, browser: Browser, now: datetime) -> None:
    try:
        with database.begin() as db:
            browsers.note_seen(db, browser, now=now)
    except DBAPIError as error:
        if not is_busy(error):  # its next page notes it: who only reads fails for nobody who writes
            raise
