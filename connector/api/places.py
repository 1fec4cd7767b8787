"""Where people meet, as it is said and answered."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from connector.domain.session import LONGEST_LOCATION, Location, LocationKind


class LocationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where two people meet: an address, a full https link, or a telephone number and who calls."""

    kind: LocationKind
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_LOCATION)]


def read_location(body: LocationBody) -> Location:
    """Return a place as it was meant.

    Raises: RuleError.
    """
    return Location(kind=body.kind, text=body.text)


def written_location(location: Location) -> LocationBody:
    """Return a place as it is answered."""
    return LocationBody(kind=location.kind, text=location.text)
