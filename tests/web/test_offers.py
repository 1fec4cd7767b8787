# ruff: noqa: RUF001 - pages write stretches of time with an en dash
from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from connector.domain.offer import Offer, OfferState
from connector.domain.working_hours import WorkingHours
from connector.services import working_hours
from connector.storage import offers
from tests.web.stage import Browser, Stage, add_client

THREE = {
    "date-0": "2026-03-11",
    "time-0": "09:00",
    "minutes-0": "50",
    "date-1": "2026-03-11",
    "time-1": "11:00",
    "minutes-1": "50",
    "place_kind-1": "online",
    "place_text-1": "https://meet.example.org/kim",
    "date-2": "",
    "time-2": "",
    "minutes-2": "50",
    "hours": "24",
}


def save(stage: Stage, browser: Browser, **changes: str) -> TestResponse:
    stage.clock.advance(timedelta(seconds=1))  # drafts are told apart by when they were made
    form = THREE | {name.replace("_at_", "-"): value for name, value in changes.items()}
    return browser.post(f"/sessions/{stage.session.id}/offer", form)


def newest(stage: Stage) -> Offer:
    with stage.runtime.database.read() as db:
        return offers.of_session(db, stage.session.id)[0]


def send(stage: Stage, browser: Browser, offer: Offer) -> TestResponse:
    own = f"/sessions/{stage.session.id}"
    return browser.post(f"{own}/offer/send", {"offer": str(offer.id)}, page=own)


def test_a_draft_is_saved_and_says_that_nothing_was_sent(stage: Stage) -> None:
    ada = stage.signed_in()
    before = stage.everything()
    saved = save(stage, ada, hours="48")
    assert (saved.status_code, saved.location) == (303, f"/sessions/{stage.session.id}/offer/review")
    offer = newest(stage)
    assert (offer.state, offer.window) == (OfferState.DRAFT, timedelta(hours=48))
    assert [a.when for a in offer.alternatives] == [stage.at(9, 9), stage.at(9, 11)]
    assert offer.alternatives[1].location is not None
    after = stage.everything()
    assert (after["messages"], after["occupancy"]) == (before["messages"], before["occupancy"])
    review = ada.get(saved.location).text
    assert "This is a draft. Nothing has been sent, and no time is held." in review
    assert "Kim Noor has 2 days to answer." in review
    assert "asked by e-mail to kim@example.org" in review
    assert "Send to Kim Noor" in review
    assert "Nothing has been sent, and no time is held." in ada.get(f"/sessions/{stage.session.id}").text


def test_sending_holds_every_time_and_warns_without_a_calendar(stage: Stage) -> None:
    ada = stage.signed_in()
    save(stage, ada)
    answer = send(stage, ada, newest(stage))
    assert answer.status_code == 303
    offer = newest(stage)
    assert offer.state is OfferState.OPEN
    page = ada.get(answer.location).text
    assert "The offer is sent." in page
    assert "No calendar is connected: the times are kept free here" in page
    assert "Kim Noor can answer until <time" in page
    assert ">Tuesday, 3 March 2026, 10:00 (Central European Time, Berlin)</time>." in page


def test_sending_twice_sends_once(stage: Stage) -> None:
    ada = stage.signed_in()
    save(stage, ada)
    offer = newest(stage)
    send(stage, ada, offer)
    before = stage.everything()
    again = send(stage, ada, offer)
    assert (again.status_code, again.location) == (303, f"/sessions/{stage.session.id}")
    assert stage.everything() == before


def test_a_draft_that_was_changed_meanwhile_is_not_sent(stage: Stage) -> None:
    ada = stage.signed_in()
    save(stage, ada)
    looked_over = newest(stage)
    save(stage, ada, time_at_0="10:00")
    refused = send(stage, ada, looked_over)
    assert refused.status_code == 422
    assert "The draft has changed since you opened this page." in refused.text
    assert newest(stage).state is OfferState.DRAFT


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"date-0": "2026-03-01"}, 422, "has already passed"),
        ({"date-0": "2026-03-29", "time-0": "02:30"}, 422, "does not exist"),
        ({"date-0": "2026-10-25", "time-0": "02:30"}, 422, "comes twice"),
        ({"time-0": ""}, 422, "Give both a date and a time."),
        ({"minutes-0": "0"}, 422, "between 1 minute and 24 hours"),
        ({"date-0": "2026-03-11", "time-0": "11:00"}, 422, "is offered twice"),
        ({"date-0": "2026-03-09", "time-0": "15:00"}, 422, "the session&#39;s own time"),
        ({"date-0": "2026-03-19", "time-0": "09:30"}, 409, "overlaps another session"),
        ({"date-0": "2026-03-20", "time-0": "09:30"}, 409, "overlaps another session, or a time that is kept free"),
        ({"place_kind-0": "online", "place_text-0": "nowhere"}, 422, "https://"),
        ({"hours": "0"}, 422, "whole hours, from 1 to 720"),
        ({"hours": "99999999999999"}, 422, "whole hours, from 1 to 720"),
        ({"date-0": "", "time-0": "", "date-1": "", "time-1": "", "place_text-1": ""}, 422, "Offer at least one time"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    stage: Stage, changes: Mapping[str, str], status: int, told: str
) -> None:
    other = stage.book(stage.at(17, 9))
    stage.offer(stage.at(18, 9), session=other)
    ada = stage.signed_in()
    before = stage.everything()
    form = {**THREE, **changes}
    refused = ada.post(f"/sessions/{stage.session.id}/offer", form)
    assert refused.status_code == status
    assert told in refused.text
    assert stage.everything() == before
    for name in ("date-0", "time-0", "minutes-0", "date-1", "time-1", "place_text-1", "hours"):
        assert f'name="{name}" value="{form[name]}"' in refused.text


def test_a_time_that_comes_twice_is_asked_about_in_its_own_row(stage: Stage) -> None:
    ada = stage.signed_in()
    answer = save(stage, ada, date_at_1="2026-10-25", time_at_1="02:30")
    assert 'name="which-1" value="later"' in answer.text
    assert 'name="which-0"' not in answer.text
    assert save(stage, ada, date_at_1="2026-10-25", time_at_1="02:30", which_at_1="earlier").status_code == 303
    assert newest(stage).alternatives[1].when.span.start.isoformat() == "2026-10-25T00:30:00+00:00"


def test_more_rows_keep_what_was_typed_up_to_ten(stage: Stage) -> None:
    ada = stage.signed_in()
    form, path = dict(THREE), f"/sessions/{stage.session.id}/offer"
    for rows in (6, 9, 10):
        answer = ada.post(path, form | {"more": "yes"})
        assert answer.status_code == 200
        assert answer.text.count("<legend>Time ") == rows
        assert 'name="time-1" value="11:00"' in answer.text
        assert ("More times" in answer.text) == (rows < 10)
        form |= {f"date-{n}": "" for n in range(rows)} | {"date-0": "2026-03-11", "date-1": "2026-03-11"}


def test_a_draft_comes_back_as_it_was_saved(stage: Stage) -> None:
    ada = stage.signed_in()
    save(stage, ada)
    text = ada.get(f"/sessions/{stage.session.id}/offer").text
    for field in (
        'name="at" value="2026-03-11T08:00Z" checked',
        'name="time-0" value="11:00"',
        'name="place_text-0" value="https://meet.example.org/kim"',
        'name="hours" value="24"',
    ):
        assert field in text


def test_a_draft_can_be_thrown_away(stage: Stage) -> None:
    ada = stage.signed_in()
    save(stage, ada)
    own = f"/sessions/{stage.session.id}"
    ada.post(f"{own}/offer/discard", page=own)
    assert newest(stage).state is OfferState.DISCARDED
    assert ada.get(f"{own}/offer/review").location == own


def test_a_client_nobody_can_reach_is_not_sent_to(stage: Stage) -> None:
    silent = add_client(stage, email="")
    session = stage.book(stage.at(12, 9), client=silent)
    draft = stage.draft(stage.at(13, 9), session=session)
    ada, own = stage.signed_in(), f"/sessions/{session.id}"
    assert '<button class="send" disabled>' in ada.get(f"{own}/offer/review").text
    refused = ada.post(f"{own}/offer/send", {"offer": str(draft.id)}, page=own)
    assert refused.status_code == 422
    assert "No time is held." in refused.text
    assert stage.stored(draft).state is OfferState.DRAFT


def test_a_new_offer_replaces_the_open_one(stage: Stage) -> None:
    offer, ada = stage.offer(), stage.signed_in()
    save(stage, ada, date_at_0="2026-03-20")
    draft = newest(stage)
    assert "The offer that is open now is replaced" in ada.get(f"/sessions/{stage.session.id}/offer/review").text
    send(stage, ada, draft)
    assert stage.stored(offer).state is OfferState.REPLACED
    assert stage.stored(draft).state is OfferState.OPEN


def test_a_client_elsewhere_is_shown_on_their_own_clock_too(stage: Stage) -> None:
    far = add_client(stage, name="Noa Levi", zone="America/New_York")
    session = stage.book(stage.at(12, 16), client=far)
    stage.draft(stage.at(13, 16), session=session)
    review = stage.signed_in().get(f"/sessions/{session.id}/offer/review").text
    assert "16:00–16:50" in review
    assert "For Noa Levi: 11:00–11:50 (Eastern Time, New York)" in review


def test_ticked_times_are_offered_in_order_with_those_typed_in(stage: Stage) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    page = ada.get(path).text
    assert not re.search(r"<input[^>]* checked", page), "nothing is ticked beforehand"
    boxes = re.findall(r'name="at" value="([^"]+)"', page)
    assert boxes[:9] == sorted(boxes[:9])
    form = {"at": ["2026-03-12T14:00Z", "2026-03-05T14:00Z", "2026-03-05T14:00Z"], "date-0": "2026-03-11"}
    assert set(form["at"]) <= set(boxes[:9])
    typed = {"time-0": "07:30", "minutes-0": "50"}
    assert ada.post(path, form | typed, page=path).status_code == 303  # type: ignore[arg-type]
    assert [a.when for a in newest(stage).alternatives] == [stage.at(3, 15), stage.at(9, 7, 30), stage.at(10, 15)]


def test_all_that_is_wrong_is_said_at_once_each_at_its_field_and_the_first_is_gone_to(stage: Stage) -> None:
    stage.book(stage.at(17, 9))
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    form = {"at": ["2026-03-01T09:00Z", "2026-03-05T14:00Z", "2026-03-19T08:00Z"], "hours": "many"}
    form |= {"date-0": "2026-03-29", "time-0": "02:30", "minutes-0": "50"}
    form |= {"date-1": "2026-03-11", "time-1": "09:30", "minutes-1": "none"}
    form |= {"date-2": "2026-03-12", "time-2": "09:00", "place_kind-2": "online", "place_text-2": "nowhere"}
    form |= {"minutes-2": "50"}
    refused = ada.post(path, form, page=path)  # type: ignore[arg-type]
    assert refused.status_code == 422
    for told in (
        "has already passed",
        "overlaps another session",
        "does not exist",
        "how many minutes",
        "https://",
        "whole hours, from 1 to 720",
    ):
        assert told in refused.text, told
    assert "Please correct what is marked. Nothing has been saved yet." in refused.text
    marked = re.findall(r'<input[^>]* aria-invalid="true"[^>]*>', refused.text)
    assert [re.findall(r'name="([^"]+)"', field)[0] for field in marked] == [
        "at",
        "at",
        "date-0",
        "time-0",
        "minutes-1",
        "place_text-2",
        "hours",
    ]
    assert [field for field in marked if "autofocus" in field] == marked[:1]
    named = re.findall(r'aria-describedby="([^"]+)"', refused.text)
    assert all(f'id="{name}"' in refused.text for name in named)
    assert refused.text.count('value="2026-03-05T14:00Z" checked') == 1, "what was right stays ticked"


def test_a_ticked_time_that_somebody_else_has_by_now_is_said_at_its_box(stage: Stage) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    ada.get(path)
    stage.book(stage.at(3, 15))
    refused = ada.post(path, {"at": "2026-03-05T14:00Z"}, page=path)
    assert refused.status_code == 409
    assert (
        'value="2026-03-05T14:00Z" checked aria-invalid="true" aria-describedby="at-error-0" autofocus' in refused.text
    )


def test_a_box_that_is_none_of_ours_is_refused(stage: Stage) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    for forged in ("", "tomorrow", "2026-03-05T14:00:00+01:00", "0000-03-05T14:00Z", "9999-12-31T23:59Z"):
        refused = ada.post(path, {"at": forged}, page=path)
        assert refused.status_code == 422, forged


@pytest.mark.parametrize("free", [True, False])
def test_enter_continues_and_never_means_anything_else(stage: Stage, *, free: bool) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    if not free:
        with stage.runtime.database.begin() as db:
            never = WorkingHours(weekly=((),) * 7)
            working_hours.change(db, stage.ada.id, never, by=stage.by, now=stage.now)
    assert ("Nothing is free within your hours" in ada.get(path).text) is not free
    for page in (ada.get(path), ada.post(path, {"more": "yes"}, page=path)):
        form = page.text.partition('id="offering"')[2]
        assert re.search(r"<button[^>]*>([^<]+)", form)[0] == "<button>Continue"  # type: ignore[index]
        assert "More times" in form


def test_other_days_are_shown_with_what_is_ticked_and_nothing_is_saved(stage: Stage) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    shown = ada.get(path).text
    later = re.findall(r'name="show" value="([^"]+)"', shown)[-1]
    before = stage.everything()
    page = ada.post(path, {"at": "2026-03-05T14:00Z", "show": later, "hours": "12"}, page=path)
    assert page.status_code == 200
    assert f'name="shown" value="{later}"' in page.text
    assert 'value="2026-03-05T14:00Z" checked' in page.text
    assert 'name="hours" value="12"' in page.text
    assert stage.everything() == before


def test_hours_that_were_learnt_are_confirmed_once_and_ticks_stay(stage: Stage) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/offer"
    shown = re.findall(r'name="confirm" value="([^"]+)"', ada.get(path).text)[0]
    stale = ada.post(path, {"confirm": shown.replace("1020", "1080"), "at": "2026-03-05T14:00Z"}, page=path)
    assert stale.status_code == 422
    assert "Your hours are others by now" in stale.text
    page = ada.post(path, {"confirm": shown, "at": "2026-03-05T14:00Z"}, page=path)
    assert page.status_code == 200
    assert "Thank you." in page.text
    assert 'value="2026-03-05T14:00Z" checked' in page.text
    assert 'href="/account/hours"' in stale.text
    assert "Are these your hours?" not in ada.get(path).text
    again = ada.post(path, {"confirm": shown}, page=path)
    assert again.status_code == 422, "they were confirmed before"


def test_a_full_fortnight_of_a_client_elsewhere_stays_a_light_page(stage: Stage) -> None:
    far = add_client(stage, name="Noa Levi", zone="America/New_York")
    session = stage.book(stage.at(12, 16), client=far)
    for day in range(2, 14):
        for hour in (9, 12, 14):
            stage.book(stage.at(day, hour))
    page = stage.signed_in().get(f"/sessions/{session.id}/offer").text
    assert len(page.encode()) < 50_000
    assert "10:00 for Noa Levi" in page
    assert "Session with Kim Noor" in page
    assert "This session" in page
    assert "4:00 for Noa Levi, at night" in page
