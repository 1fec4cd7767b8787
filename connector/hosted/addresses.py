"""Where pages of ours are, for links in a host's templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote
from uuid import UUID

from connector import paths
from connector.domain.text import check_external_id

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
_BY_ANY_ID = {"session": "", "offer": "?offer"}


def path_of(page: str, identity: UUID | str | None = None) -> str:
    """Return the path of a page, within our application; nothing is looked up for it.

    Args:
        page: Its name.
        identity: Of the session, or connection, that it is about: a `UUID` is ours; for the practitioner's pages of a
            session, text is the host's own id of it, or ours written out. `offer` is the page of a session on which
            other times are offered for it.
    Raises: ValueError if there is no such page, or an id is missing or too many; RuleError for a text that is no id.
    """
    if page in _PAGES and identity is None:
        return _PAGES[page]
    if page in _OF_ONE and isinstance(identity, UUID):
        return _OF_ONE[page](str(identity))
    if page in _BY_ANY_ID and isinstance(identity, str):
        check_external_id(identity)
        return paths.session_called(quote(identity, safe="")) + _BY_ANY_ID[page]
    if page in _OF_ONE and identity is not None:
        return _OF_ONE[page](str(UUID(str(identity))))
    if page in _PAGES:
        raise ValueError(f"the page {page!r} is about no single thing: leave out the id")
    if page in _OF_ONE:
        raise ValueError(f"the page {page!r} is about one thing: give its id")
    raise ValueError(f"there is no page {page!r}; there are {', '.join([*_PAGES, *_OF_ONE])}")
