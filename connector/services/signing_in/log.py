"""One line in the log for each thing that happens as people sign in, by their id at most."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import structlog

from connector.domain.people import Role

log = structlog.get_logger(__name__)


class Event(StrEnum):
    """What has happened."""

    LINK_MAILED = "sign_in_link_mailed"  # somebody has asked for a link, and it is on its way
    LINK_NOT_OURS = "sign_in_link_unknown"  # somebody has asked for one, and nobody here has that address
    LIMITED = "sign_in_limited"  # too often, from one place or for one address
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    REFUSED = "sign_in_refused"  # a link or a cookie that lets nobody in, or not any more
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a word: a link of a letter that is none of ours
    ASSERTED = "client_asserted"  # a host has said that the client is signed in there
    ASSERTION_REFUSED = "assertion_refused"  # what a host says proves nothing
    OTHER_CLIENT = "other_client"  # the host says that somebody else is signed in, and they were shown nothing
    LIMITED_ELSEWHERE = "limited"  # too often, where nobody signs in


def note(event: Event, person_id: UUID | None = None, *, role: Role = Role.PRACTITIONER, **about: str | int) -> None:
    """Log it; `about` says which page or kind of token. Never a name, an address or a token."""
    who = {role.value: str(person_id)} if person_id else {}
    log.info(event.value, **who, **about)
