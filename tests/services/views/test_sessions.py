from __future__ import annotations

import msgspec

from connector.services.views.sessions import session_list, session_page
from tests.services.practice import Practice


def test_what_is_shown_can_be_written_as_json(practice: Practice) -> None:
    booked = practice.book()
    practice.offer(booked)
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, booked.id, now=practice.now)
        session_rows = session_list(db, practice.kim.id, now=practice.now)
    assert practice.alex.name.encode() in msgspec.json.encode(page)
    assert practice.alex.name.encode() in msgspec.json.encode(session_rows)


def test_sessions_that_need_their_practitioner_come_first_and_past_ones_last(practice: Practice) -> None:
    later, soon, rejected = practice.book(72), practice.book(48), practice.book(96)
    practice.reject(practice.offer(rejected, 120))
    practice.wait(hours=60)
    with practice.database.read() as db:
        page = session_list(db, practice.kim.id, now=practice.now)
    assert [row.session.id for row in page.flagged] == [rejected.id]
    assert [row.session.id for row in page.upcoming] == [later.id]
    assert [row.session.id for row in page.past] == [soon.id]


def test_an_offer_past_its_deadline_is_no_open_one_before_that_is_recorded(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    assert offer.expires_at is not None
    practice.now = offer.expires_at
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, booked.id, now=practice.now)
        [row] = session_list(db, practice.kim.id, now=practice.now).upcoming
    assert page.open is None
    assert [past.id for past in page.past] == [offer.id]
    assert (row.deadline, row.offered) == (None, 0)
