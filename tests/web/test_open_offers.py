"""An offer while the client decides: what its practitioner sees of it, and the single times they move or take back."""

from __future__ import annotations

from uuid import uuid4

from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.entry import Disclosure
from connector.domain.offer import OfferState
from connector.domain.people import Level
from connector.domain.reconcile import Mirror, MirrorState, Put
from connector.services.sync import push
from connector.storage import calendars, mirrors
from tests.web.stage import Stage


def connected(stage: Stage, state: ConnectionState = ConnectionState.OK) -> Calendar:
    connection = Connection(
        id=uuid4(),
        practitioner_id=stage.ada.id,
        provider="caldav",
        label="Nextcloud",
        credentials=b"",
        state=state,
        created_at=stage.now,
    )
    calendar = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=stage.ada.id,
        remote_id="practice",
        name="Practice",
        disclosure=Disclosure(session_level=Level.INITIALS, hold_level=Level.INITIALS),
        lane="caldav",
    )
    with stage.runtime.database.begin() as db:
        calendars.add_connection(db, connection)
        calendars.add_calendar(db, calendar, now=stage.now)
    return calendar


def written(stage: Stage, calendar: Calendar) -> None:
    """Note that everything wanted stands in the calendar."""
    with stage.runtime.database.begin() as db:
        picture = push.picture(db, stage.runtime.policy, calendar.id, now=stage.now)
        standing = [
            Mirror(
                key=put.key,
                session_id=put.session_id,
                ref=put.ref,
                seen=put.entry.content.fingerprint,
                state=MirrorState.PRESENT,
                ends_at=put.entry.content.span.end,
            )
            for put in picture.actions
            if isinstance(put, Put)
        ]
        mirrors.intend(db, calendar.id, standing, ())


def test_a_calendar_that_lost_its_access_stops_the_sending_and_says_so_everywhere(stage: Stage) -> None:
    connected(stage, ConnectionState.ACCESS_LOST)
    draft, ada = stage.draft(stage.at(9, 9)), stage.signed_in()
    assert "no longer lets Pencilled in" in ada.get("/sessions").text
    own = f"/sessions/{stage.session.id}"
    refused = ada.post(f"{own}/offer/send", {"offer": str(draft.id)}, page=own)
    assert refused.status_code == 422
    assert "Reconnect it first" in refused.text
    assert stage.stored(draft).state is OfferState.DRAFT


def test_holds_that_do_not_stand_in_the_calendar_yet_are_named(stage: Stage) -> None:
    calendar, ada, own = connected(stage), stage.signed_in(), f"/sessions/{stage.session.id}"
    offer = stage.offer()
    assert ada.get(own).text.count("Held, but not yet in your calendar: Practice") == 3
    written(stage, calendar)
    page = ada.get(own).text
    assert page.count("Held, and in your calendar") == 3
    assert "Not yet up to date" not in page
    path = f"{own}/offer/{offer.alternatives[0].id}/move"
    form = {"date": "2026-03-12", "time": "08:00", "minutes": "50"}
    unread = ada.post(path, form)  # nobody can ask that calendar whether the time is free
    ada.post(path, form | {"despite": unread.text.partition('name="despite" value="')[2].partition('"')[0]})
    page = ada.get(own).text
    assert page.count("Held, but not yet in your calendar: Practice") == 1
    assert page.count("Held, and in your calendar") == 2


def test_one_time_can_be_moved_without_restarting_the_clock(stage: Stage) -> None:
    offer, ada = stage.offer(), stage.signed_in()
    path = f"/sessions/{stage.session.id}/offer/{offer.alternatives[0].id}/move"
    taken = ada.post(path, {"date": "2026-03-11", "time": "11:00", "minutes": "50"})
    assert taken.status_code == 422
    assert "is offered twice" in taken.text
    assert 'name="time" value="11:00"' in taken.text
    assert ada.post(path, {"date": "2026-03-12", "time": "08:00", "minutes": "50"}).status_code == 303
    offer_now = stage.stored(offer)
    assert offer_now.alternatives[0].when == stage.at(10, 8)
    assert offer_now.expires_at == offer.expires_at


def test_one_time_can_be_taken_back_and_the_last_takes_the_offer_with_it(stage: Stage) -> None:
    offer, ada, own = stage.offer(), stage.signed_in(), f"/sessions/{stage.session.id}"
    for count, one in enumerate(offer.alternatives, start=1):
        path = f"{own}/offer/{one.id}/withdraw"
        text = ada.get(path).text
        assert ("so the offer ends" in text) == (count == len(offer.alternatives))
        assert ada.post(path).status_code == 303
    assert stage.stored(offer).state is OfferState.WITHDRAWN
    ended = ada.post(f"{own}/offer/withdraw", page=own)
    assert "The offer has ended meanwhile." in ada.get(ended.location).text


def test_the_whole_offer_can_be_taken_back(stage: Stage) -> None:
    offer, ada, path = stage.offer(), stage.signed_in(), f"/sessions/{stage.session.id}/offer/withdraw"
    assert ada.get(path).status_code == 200
    assert stage.stored(offer).state is OfferState.OPEN
    assert ada.post(path).status_code == 303
    assert stage.stored(offer).state is OfferState.WITHDRAWN
