"""A practitioner who is away: every session in that time, one look at all of it, one act that sends."""

from __future__ import annotations

from itertools import combinations

from connector.domain.offer import Offer, OfferState
from connector.domain.session import Session
from connector.storage import offers
from tests.web.away import Form, days, full_day, send_form
from tests.web.stage import Stage


def open_offer(stage: Stage, session: Session) -> Offer | None:
    with stage.runtime.database.read() as db:
        return offers.in_state(db, session.id, OfferState.OPEN)


def test_a_day_with_five_sessions_is_rearranged_in_three_steps(stage: Stage) -> None:
    booked = full_day(stage)
    ada = stage.signed_in()
    before = stage.everything()
    plan = ada.get(days(stage, 3))
    reviewed = send_form(ada, "/away/review", Form(plan))
    assert (plan.status_code, reviewed.status_code) == (200, 200)
    assert stage.everything() == before
    sent = send_form(ada, "/away/send", Form(reviewed))
    assert sent.status_code == 303
    assert "5 offers are sent." in ada.get(sent.location).text
    spans = []
    for _client, session in booked:
        offer = open_offer(stage, session)
        assert offer is not None
        assert len(offer.standing) == 3
        spans += [alternative.when.span for alternative in offer.standing]
    assert not any(one.overlaps(other) for one, other in combinations(spans, 2))
