"""What practitioners and clients have in common: how they are sought, and what a body says of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from connector.api.call import Call
from connector.api.values import PageQuery, SoughtId, check_zone, told
from connector.services.views import people as views
from connector.services.views.people import SoughtPeople

Locale = Annotated[
    str,
    Meta(max_length=16, description="A language, such as en, de or en_GB."),
    told(pattern="^[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?$"),
]
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^@\s]+"
Address = Annotated[str, told(maxLength=320, pattern=f"^{_ADDRESS}$")]
MaybeAddress = Annotated[str, told(maxLength=320, pattern=f"^({_ADDRESS})?$")]
# What may be wrong with a person, whoever they are.
REFUSED = (
    "text_empty",
    "text_too_long",
    "text_character",
    "address_malformed",
    "address_ambiguous",
    "address_without_at",
    "address_character_before_at",
    "address_character_after_at",
    "zone_unknown",
    "locale_malformed",
    "external_id_malformed",
    "external_id_taken",
)


class PersonQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which people, and which page of them.

    Attributes:
        external_id: The one whom the host calls so.
        email: Those with this address, in upper or lower case.
        retired: Whether they are retired; left out for both.
    """

    external_id: SoughtId | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    retired: bool | None = None


def sought(call: Call[None, PersonQuery]) -> SoughtPeople:
    """Return who is asked for, as far as the key sees them."""
    query = call.query
    return views.seek(of=call.within, external_id=query.external_id, email=query.email, retired=query.retired)


def said(body: msgspec.Struct) -> dict[str, Any]:
    """Return what a body says, without what it leaves out.

    Raises: RequestError for a zone that is none.
    """
    values = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
    if "zone" in values:
        check_zone(values["zone"], at="/zone")
    return values
