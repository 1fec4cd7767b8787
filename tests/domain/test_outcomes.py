"""Of each fact it is known whether a host is told, and by which outcome."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

from connector.domain.facts import AnyFact, MoveReason, NoticeSent, OfferAccepted, SessionMoved
from connector.domain.outcomes import ROWS, SILENT, OutcomeType, outcomes
from tests.domain.examples import ALEX, NOW, when


def test_every_fact_is_told_or_left_out_on_purpose_and_every_type_has_a_fact() -> None:
    assert ROWS.keys() | SILENT == set(get_args(AnyFact))
    assert not ROWS.keys() & SILENT
    assert {row.type for row in ROWS.values()} == set(OutcomeType) - {OutcomeType.ENDPOINT_TEST}


def test_what_an_act_brings_about_names_what_has_brought_it_about() -> None:
    session, offer = UUID(int=1), UUID(int=2)
    chosen = OfferAccepted(
        at=NOW, by=ALEX, session_id=session, offer_id=offer, alternative_id=UUID(int=3), chosen=when(72)
    )
    moved = SessionMoved(at=NOW, by=ALEX, session_id=session, old=when(48), new=when(72), reason=MoveReason.ACCEPTED)
    first, second = outcomes([chosen, moved])
    assert (first.type, first.cause) == (OutcomeType.OFFER_ACCEPTED, None)
    assert (second.type, second.cause, second.reason) == (
        OutcomeType.SESSION_MOVED,
        OutcomeType.OFFER_ACCEPTED,
        "accepted",
    )


def test_a_letter_about_no_session_is_nobodys_business() -> None:
    assert list(outcomes([NoticeSent(at=NOW, by=ALEX, kind="sign_in", medium="email")])) == []
