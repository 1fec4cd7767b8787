"""What a host in another process says of who answers an offer: signed, for one offer and one client, and used once.

It is a JSON Web Token (RFC 7519) under a key that both sides have. Whoever it lets in gets a mark of our own, which
their browser keeps for one offer, for as long as they go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import jwt
import msgspec
from sqlalchemy import Connection

from connector.domain.answering import Present, who_is_present
from connector.domain.offer import Offer
from connector.domain.people import Client, Medium
from connector.errors import AssertionRefusedError, NotFoundError
from connector.services.scheduling import answers
from connector.storage import offers, people, sessions, spent_tokens
from connector.storage.seal import Seal

PURPOSE = "present"
ALGORITHM = "HS256"
LONGEST = 4096  # characters
GOOD_FOR = timedelta(seconds=60)
AHEAD = timedelta(seconds=10)  # so far a host's clock may be ahead of ours
UNUSED = timedelta(minutes=15)  # after so long without a look a mark is good for nothing

_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_HOSTS = "assertion"  # what makes the ids of assertions others than those of mails


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a host has signed.

    Attributes:
        id: The host's, another for each.
        offer_id: The offer that is to be answered.
        client: The host's own id of the client who is signed in there.
        ends_at: From then on it says nothing, aware UTC.
    """

    id: str
    offer_id: UUID
    client: str
    ends_at: datetime


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What has to stand in it; whatever else stands there is passed over."""

    aud: str | list[str]
    offer: UUID
    sub: _Word
    iat: float
    exp: float
    jti: _Word


def read(text: str, *, keys: Sequence[str], audience: str, now: datetime) -> Assertion:
    """Return what a host has signed for this installation, and just now.

    Raises: AssertionRefusedError, whose code says what is wrong with it.
    """
    claims = _claims(text, keys)
    meant = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if audience.rstrip("/") not in [one.rstrip("/") for one in meant]:
        raise AssertionRefusedError(
            "Your sign-in is meant for another place. Nothing was changed. Please tell whoever you have booked with.",
            code="assertion_audience_wrong",
        )
    seconds = now.timestamp()
    if not claims.iat <= seconds + AHEAD.total_seconds():
        raise AssertionRefusedError(
            "Your sign-in begins in the future: a clock is wrong. Nothing was changed. Please tell whoever you have "
            "booked with.",
            code="assertion_from_future",
        )
    if not claims.exp - claims.iat <= GOOD_FOR.total_seconds():
        raise AssertionRefusedError(
            "Your sign-in would be good for too long. Nothing was changed. Please tell whoever you have booked with.",
            code="assertion_lasts_too_long",
        )
    if not seconds < claims.exp:
        raise AssertionRefusedError(
            "Your way from the sign-in to here has taken too long. Nothing was changed. Open the link in your message "
            "once more.",
            code="assertion_expired",
        )
    return Assertion(
        id=claims.jti, offer_id=claims.offer, client=claims.sub, ends_at=datetime.fromtimestamp(claims.exp, UTC)
    )


def take(db: Connection, seal: Seal, said: Assertion, *, now: datetime) -> tuple[str, str]:
    """Use up what a host has said; return the token of the client's answer link, and a mark for their browser.

    Raises: AssertionRefusedError if it was used before, or names no offer of ours, or not its client.
    """
    try:
        offer = offers.get(db, said.offer_id)
        client = people.client(db, sessions.get(db, offer.session_id).client_id)
        token = _link(db, seal, offer, client, now=now)
    except NotFoundError as error:
        raise AssertionRefusedError(
            "What you were to answer is not there, or not any more. To reach the person you have booked with, use the "
            "way that you know from them.",
            code="assertion_offer_unknown",
        ) from error
    if who_is_present(said.client, client=client.external_id) is not Present.THE_CLIENT:
        raise AssertionRefusedError(
            "You are signed in as somebody to whom this message was not sent. Sign in as the person it was sent to, "
            "and open its link once more.",
            code="assertion_other_client",
        )
    use = str(uuid4())
    if not spent_tokens.spend(db, f"{_HOSTS}:{said.id}", identity=use, ends_at=said.ends_at):
        raise AssertionRefusedError(
            "This sign-in has been used already. Nothing was changed. Open the link in your message once more.",
            code="assertion_used",
        )
    return token, mark(seal, offer.id, client.id, now=now)


def mark(seal: Seal, offer_id: UUID, client_id: UUID, *, now: datetime) -> str:
    """Return what a browser keeps of having been let in to an offer, or of having been there just now."""
    return seal.token(PURPOSE, offer_id, since=now, reader=str(client_id))


def is_marked(seal: Seal, kept: str, offer_id: UUID, client_id: UUID, *, now: datetime) -> bool:
    """Whether what a browser keeps lets it in to this offer, as this client."""
    try:
        seal.check_reader(PURPOSE, kept, str(client_id))
        marked, since = seal.subject(PURPOSE, kept)
    except NotFoundError:
        return False
    return marked == offer_id and since is not None and since <= now < since + UNUSED


def _link(db: Connection, seal: Seal, offer: Offer, client: Client, *, now: datetime) -> str:
    """Return the token of an answer link of this client's, who may have come from no link at all."""
    medium = Medium.EMAIL if client.email else Medium.SMS
    token = seal.token(answers.PURPOSES[medium], offer.id, reader=client.address(medium))
    answers.find(db, seal, token, now=now)
    return token


def _claims(text: str, keys: Sequence[str]) -> _Claims:
    if len(text) > LONGEST:
        raise AssertionRefusedError(
            "Your sign-in is too long to be read here. Nothing was changed. Please tell whoever you have booked with.",
            code="assertion_too_long",
        )
    try:
        algorithm = jwt.get_unverified_header(text).get("alg")
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise AssertionRefusedError(
            "Your sign-in did not arrive here whole. Nothing was changed. Open the link in your message once more.",
            code="assertion_malformed",
        ) from error
    if algorithm != ALGORITHM:
        raise AssertionRefusedError(
            "Your sign-in is signed in a way that is not taken here. Nothing was changed. Please tell whoever you have "
            "booked with.",
            code="assertion_algorithm_refused",
        )
    signed = next((payload for key in keys if (payload := _signed(text, key)) is not None), None)
    if signed is None:
        raise AssertionRefusedError(
            "Nobody known here has signed your sign-in. Nothing was changed. Please tell whoever you have booked with.",
            code="assertion_signature_wrong",
        )
    try:
        return msgspec.json.decode(signed, type=_Claims)
    except msgspec.MsgspecError as error:
        raise AssertionRefusedError(
            "Your sign-in says less than is needed. Nothing was changed. Please tell whoever you have booked with.",
            code="assertion_claims_malformed",
        ) from error


def _signed(text: str, key: str) -> bytes | None:
    """Return what was signed with this key; None if it was signed with another, or cannot be read."""
    try:
        payload: bytes = jwt.PyJWS().decode(text, key, algorithms=[ALGORITHM])
    except (jwt.PyJWTError, ValueError):
        return None
    return payload
