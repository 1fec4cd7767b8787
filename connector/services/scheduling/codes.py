"""Codes by which clients prove who answers: sent on request, tried a few times, and good for minutes.

A code is six digits. It is made from its row under a key of the installation, again whenever its letter is written; the
row holds what a typed code is compared with, which is of no use without that key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.answering import MOST_TRIES, AnswerCode, CodeBy, proof_of
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.notice_table import Audience
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Medium
from connector.errors import CodeRefusedError
from connector.services import notices, standstill
from connector.services.policy import Policy
from connector.storage import answer_codes, conversations, ledger, offers, people, sessions
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

PURPOSE = "code"
GOOD_FOR = timedelta(minutes=10)
MOST, WITHIN = 5, timedelta(hours=1)  # so many are sent for an offer
MOST_EVER = 15  # and so many for as long as it is open: 75 guesses among a million
PAUSE = timedelta(seconds=30)  # within which a second one is not sent: the first is on its way
KEPT = timedelta(days=31)  # an offer is open for 30 days at most, and all of its codes count


def needed(db: Connection, policy: Policy, offer: Offer, came_by: Medium) -> CodeBy | None:
    """Return the code that whoever came by a link of this medium has to show besides; None for none."""
    client = people.client(db, sessions.get(db, offer.session_id).client_id)
    proof = proof_of(policy.answers, came_by=came_by, reachable=client.reachable & policy.media)
    return proof if isinstance(proof, CodeBy) else None


def current(db: Connection, offer_id: UUID, medium: Medium, *, now: datetime) -> AnswerCode | None:
    """Return the code that can be typed now; None if a new one has to be sent."""
    newest = answer_codes.newest(db, offer_id, medium)
    return newest if newest is not None and newest.is_good(now) else None


def send(db: Connection, policy: Policy, seal: Seal, offer_id: UUID, came_by: Medium, *, now: datetime) -> None:
    """Send a code to the client of an open offer; none that was sent before can be used any more.

    Raises: CodeRefusedError where too many were sent, or none can be.
    """
    practitioner = standstill.lock(db, offers.get(db, offer_id).practitioner_id)  # of two at once, one sees the other
    offer = offers.get(db, offer_id)
    proof = needed(db, policy, offer, came_by)
    if proof is None or offer.state is not OfferState.OPEN or offer.expires_at is None or offer.expires_at <= now:
        return
    former = answer_codes.of_offer(db, offer_id)
    if any(code.medium is proof.medium and now < code.made_at + PAUSE and code.is_good(now) for code in former):
        return
    if len(former) >= MOST_EVER or sum(now < code.made_at + WITHIN for code in former) >= MOST:
        raise CodeRefusedError(
            "So many codes have been sent for this offer that no further one is, for now. Please try again in an "
            "hour. To reach your practitioner, use the way that you know from them.",
            code="answer_codes_used_up",
        )
    session = sessions.get(db, offer.session_id)
    client = people.client(db, session.client_id)
    address = client.address(proof.medium)
    if not address:
        raise CodeRefusedError(
            "No code can be sent to you. To reach your practitioner, use the way that you know from them.",
            code="answer_code_unsendable",
        )
    identity = uuid4()
    told = conversations.about(db, practitioner.id, None, Audience.CLIENT, proof.medium, address=address)
    code = AnswerCode(
        id=identity,
        offer_id=offer_id,
        number=former[0].number + 1 if former else 1,
        medium=proof.medium,
        conversation_id=told.id,
        proof=seal.proof(PURPOSE, identity, seal.code(PURPOSE, identity)),
        made_at=now,
        expires_at=min(now + GOOD_FOR, offer.expires_at),
    )
    answer_codes.add(db, code, swept_at=now + KEPT)
    notice = Notice(
        kind=NoticeKind.ANSWER_CODE,
        to=Recipient.of(client, proof.medium),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
        offer_id=offer_id,
        code_id=identity,
        expires_at=code.expires_at,
    )
    conversations.add_notice(db, told.id, notice, key=f"{notice.kind}:{identity}", now=now)
    ledger.touch(db, Key(Kind.CONVERSATION, str(told.id)), due_at=now, lane=notices.lane(proof.medium))


def check(
    database: Database, policy: Policy, seal: Seal, offer_id: UUID, came_by: Medium, typed: str, *, now: datetime
) -> None:
    """Let nobody through who does not show what they have to; what was tried is stored whatever comes of it.

    Raises: CodeRefusedError.
    """
    refusal: CodeRefusedError | None = None
    with database.begin() as db:
        proof = needed(db, policy, offers.get(db, offer_id), came_by)
        if proof is not None:
            refusal = _refusal(db, seal, offer_id, proof.medium, typed, now)
    if refusal is not None:
        raise refusal


def _refusal(
    db: Connection, seal: Seal, offer_id: UUID, medium: Medium, typed: str, now: datetime
) -> CodeRefusedError | None:
    code = answer_codes.newest(db, offer_id, medium, lock=True)
    if code is None or not code.is_good(now):
        return CodeRefusedError(
            "This code cannot be used, or not any more. Have a new one sent to you. Nothing has been changed.",
            code="answer_code_over",
            field="code",
        )
    digits = "".join(typed.split())
    if not digits:
        return CodeRefusedError(
            "Type the code that was sent to you. Nothing has been changed.", code="answer_code_missing", field="code"
        )
    if seal.proves(PURPOSE, code.id, digits, code.proof):
        return None
    answer_codes.count_try(db, code.id)
    left = MOST_TRIES - code.tries - 1
    if not left:
        return CodeRefusedError(
            "That is not the code that was sent to you, and it was the last try. Have a new one sent to you. Nothing "
            "has been changed.",
            code="answer_code_tried_out",
            field="code",
        )
    return CodeRefusedError(
        "That is not the code that was sent to you. Look at the newest message, and type its code once more: one try "
        "is left. Nothing has been changed.",
        plural="That is not the code that was sent to you. Look at the newest message, and type its code once more: "
        "%(n)s tries are left. Nothing has been changed.",
        n=left,
        code="answer_code_wrong",
        field="code",
    )


def written(db: Connection, seal: Seal, code_id: UUID) -> str | None:
    """Return the code for its letter; None if it is there no more, or under no key of ours."""
    code = answer_codes.get(db, code_id)
    if code is None:
        return None
    made = (one for one in seal.codes(PURPOSE, code_id) if seal.proves(PURPOSE, code_id, one, code.proof))
    return next(made, None)


def by_one_medium(db: Connection, policy: Policy, *, now: datetime) -> tuple[int, int]:
    """Return how many clients have a session to come, and how many of those can be reached by one medium alone."""
    clients = people.with_sessions(db, since=now)
    return len(clients), sum(len(client.reachable & policy.media) == 1 for client in clients)
