"""Pages that ask a calendar service while a person waits: not for ever, and never all threads at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore

from connector.errors import TransientError
from connector.exchange import LateError, within
from connector.sentence import Sentence

LIMIT = timedelta(seconds=30)  # of all requests of one page together
SEATS = 4  # half of the threads that serve pages: the others go on serving them, whatever the services do

_seats = BoundedSemaphore(SEATS)


@contextmanager
def calendar_service() -> Iterator[None]:
    """Ask a calendar service in the block.

    Raises: TransientError if too many pages are doing that, or it takes too long.
    """
    if not _seats.acquire(blocking=False):
        raise TransientError(Sentence("Several calendar services are being asked just now, so there is a short queue"))
    try:
        with within(LIMIT):
            yield
    except LateError as error:
        raise TransientError(Sentence("The calendar service took too long to answer")) from error
    finally:
        _seats.release()
