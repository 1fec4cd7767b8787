"""Where pages of ours are, for links in a host's templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from connector import paths

_PAGES: Mapping[str, str] = {
    "sessions": paths.SESSIONS,
    "calendars": paths.CALENDARS,
    "account": paths.ACCOUNT,
    "subscription": paths.SUBSCRIPTION,
    "support": paths.SUPPORT,
}
_OF_ONE: Mapping[str, Callable[[str], str]] = {
    "session": paths.session,
    "offer": paths.offer,
    "connection": paths.connection,
    "support_session": paths.support_session,
}


def path_of(page: str, identity: UUID | str | None = None) -> str:
    """Return the path of a page, within our application.

    Args:
        page: Its name.
        identity: Our id of the session, or connection, that it is about; `offer` is the page of a session on which
            other times are offered for it.
    Raises: ValueError if there is no such page, or an id is missing or too many.
    """
    if page in _PAGES and identity is None:
        return _PAGES[page]
    if page in _OF_ONE and identity is not None:
        return _OF_ONE[page](str(identity if isinstance(identity, UUID) else UUID(identity)))
    if page in _PAGES:
        raise ValueError(f"the page {page!r} is about no single thing: leave out the id")
    if page in _OF_ONE:
        raise ValueError(f"the page {page!r} is about one thing: give its id")
    raise ValueError(f"there is no page {page!r}; there are {', '.join([*_PAGES, *_OF_ONE])}")
