"""The practitioner's week, what waits for them, their sessions a page at a time, and booking another one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from connector.domain.span import When
from connector.services import people
from connector.services.scheduling import answers, offers
from connector.storage import sessions as stored
from connector.storage import tables
from connector.storage.database import Database
from tests.conftest import Clock
from tests.counting import statements
from tests.web.stage import BERLIN, Browser, NotedMail, Stage, add_client, stage_of


def shown(browser: Browser, path: str = "/") -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def day_of(text: str, name: str) -> str:
    """Return what stands on the day whose heading begins so."""
    return text.partition(f">{name}")[2].partition("<h3")[0]


def book(browser: Browser, stage: Stage, **form: str) -> TestResponse:
    day = stage.at(3, 9).local
    typed = {
        "client": str(stage.kim.id),
        "date": day.date().isoformat(),
        "time": "09:00",
        "minutes": "50",
        "place_kind": "in_person",
        "place_text": "Lindenstraße 7, Berlin",
        "kind": "followup",
    }
    return browser.post("/sessions/new", typed | form, page=f"/sessions/new?client={stage.kim.id}")


def test_a_week_shows_what_is_booked_and_held_and_for_whom(stage: Stage) -> None:
    stage.book(stage.at(1, 9))
    stage.offer(stage.at(1, 11), stage.at(2, 14))
    ada = stage.signed_in()
    week = shown(ada)
    tomorrow = day_of(week, stage.at(1, 9).local.strftime("%a"))
    assert tomorrow.index("Kim Noor") < tomorrow.index("Offered to Kim Noor")
    assert ">held for 24 hours more</time>" in tomorrow
    assert 'data-deadline="86400" data-left="held for {} more"' in tomorrow, "where scripts run, it goes on by itself"
    assert "Lou Secret" not in week, "another practitioner's"


def test_today_comes_first_and_the_days_that_are_over_last(stage: Stage) -> None:
    stage.clock.advance(timedelta(days=2))
    week = shown(stage.signed_in())
    assert week.index('aria-current="date"') < week.index('class="day c1 over"')
    other = shown(stage.signed_in(), f"/?day={stage.at(30, 9).local.date()}")
    assert "This week" in other
    assert 'aria-current="date"' not in other


@pytest.mark.parametrize("day", ["yesterday", "0001-01-01", "9999-12-31", "2026-02-30"])
def test_a_day_that_is_none_is_refused_in_words(stage: Stage, day: str) -> None:
    refused = stage.signed_in().get(f"/?week={day}")
    assert (refused.status_code, "Write the day as 2026-03-31." in refused.text) == (422, True)


def test_a_letter_that_did_not_arrive_comes_first_with_what_can_be_done(stage: Stage) -> None:
    offer, ada = stage.offer(), stage.signed_in()
    with stage.runtime.database.begin() as db:
        answers.reject(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)
    stage.mail()
    noa = add_client(stage)
    stage.runtime.sender = NotedMail(refusal="550 no such user")
    stage.book(stage.at(20, 9), client=noa)
    stage.mail()
    needed = shown(ada).partition('id="needed"')[2].partition("</section>")[0]
    assert needed.index("A message did not reach Noa Levi") < needed.index("Nothing that was offered suited")
    assert f'href="/clients/{noa.id}"' in needed
    kept = ada.post(f"/sessions/{stage.session.id}/keep", {"back": "week"}, page="/")
    assert (kept.status_code, kept.location) == (303, "/")
    assert "Nothing that was offered suited" not in shown(ada)


def test_a_draft_that_was_not_sent_waits(stage: Stage) -> None:
    stage.draft(stage.at(9, 9))
    needed = shown(stage.signed_in()).partition('id="needed"')[2].partition("</section>")[0]
    assert f'href="/sessions/{stage.session.id}/offer/review"' in needed


def primary(browser: Browser, path: str) -> list[str]:
    """Return the acts of a page that are drawn as the one that matters most."""
    acts = shown(browser, path).partition("<main")[2]
    return re.findall(r'<(?:a class="button"(?: [^>]*)?|button)>([^<]+)<', acts)


def test_a_session_has_one_first_act_and_the_right_one_however_it_stands(stage: Stage) -> None:
    ada, own = stage.signed_in(), f"/sessions/{stage.session.id}"
    assert primary(ada, own) == ["Offer alternatives"]
    draft = stage.draft(stage.at(9, 9))
    assert primary(ada, own) == ["Check and send"]
    with stage.runtime.database.begin() as db:
        offers.send(db, stage.runtime.policy, draft.id, by=stage.by, now=stage.now)
    assert primary(ada, own) == ["Edit date/time"]
    stage.clock.advance(timedelta(hours=25))
    ada = stage.signed_in()
    assert primary(ada, own) == ["Offer alternatives"], "it has lapsed"
    stage.clock.advance(timedelta(days=20))
    ada = stage.signed_in()
    assert primary(ada, own) == ["Book another session"], "it is over"
    for path in ("offer", "offer/review"):
        assert ada.get(f"{own}/{path}").headers["Location"] == own
    before = stage.everything()
    for path in ("offer", "offer/send"):
        assert ada.post(f"{own}/{path}", {"at": "2026-09-01T09:00Z"}).headers["Location"] == own
    assert stage.everything() == before
    assert "no other times can be offered for it" in ada.get(own).text
    assert "Offer alternatives" not in shown(ada, own)
    assert "This time has passed" in shown(ada, own)


def test_a_session_that_needed_another_time_and_is_over_leads_to_another_one(stage: Stage) -> None:
    offer = stage.offer()
    with stage.runtime.database.begin() as db:
        answers.reject(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)
    assert primary(stage.signed_in(), "/") == ["Offer alternatives"]
    stage.clock.advance(timedelta(days=8))
    ada = stage.signed_in()
    assert primary(ada, "/") == ["Book another session"]
    assert "Keep the booked time" in ada.get("/").text


def test_a_cancelled_session_leads_to_another_one(stage: Stage) -> None:
    ada, own = stage.signed_in(), f"/sessions/{stage.session.id}"
    ada.post(f"{own}/cancel")
    assert primary(ada, own) == ["Book another session"]


def test_the_week_has_one_first_act(stage: Stage) -> None:
    ada = stage.signed_in()
    assert primary(ada, "/") == ["Book a session"]
    stage.draft(stage.at(9, 9))
    noa = add_client(stage)
    stage.draft(stage.at(9, 11), session=stage.book(stage.at(3, 9), client=noa))
    assert primary(ada, "/") == ["Check and send"]


@pytest.mark.parametrize(("day", "said"), [("2026-04-05", "back"), ("2026-09-27", "forward")])
def test_a_week_far_east_has_its_long_and_short_days(stage: Stage, day: str, said: str) -> None:
    with stage.runtime.database.begin() as db:
        changes = {"zone": "Pacific/Chatham"}
        people.change_practitioner(db, stage.ada.id, changes, by=stage.by, now=stage.now)
    stage.book(When.at(datetime(2026, 3, 3, 0, 30), zone="Pacific/Chatham", duration=timedelta(minutes=50)))
    ada = stage.signed_in()
    week = shown(ada)
    assert "Chatham" in week
    assert "00:30" in day_of(week, "Tue")
    assert shown(ada, f"/?week={day}").count(f"The clocks go {said} on this day.") == 1


def test_what_takes_days_stands_on_each_day_that_it_touches(stage: Stage) -> None:
    noa = add_client(stage)
    stage.book(stage.at(1, 9), client=noa)
    stage.offer(stage.at(1, 11), session=stage.book(stage.at(5, 11), client=noa))
    night = When.at(stage.at(1, 23).local, zone=BERLIN, duration=timedelta(hours=4))
    stage.book(night, client=noa)
    week = shown(stage.signed_in())
    assert "from 23:00 into the next day" in day_of(week, "Tue")
    assert "since the day before, until 03:00" in day_of(week, "Wed")


def test_a_session_tells_how_to_reach_its_client(stage: Stage) -> None:
    text = shown(stage.signed_in(), f"/sessions/{stage.session.id}")
    assert 'href="mailto:kim@example.org"' in text
    assert f'href="/clients/{stage.kim.id}"' in text


def test_an_edit_says_first_what_becomes_of_the_open_offer(stage: Stage) -> None:
    ada, own = stage.signed_in(), f"/sessions/{stage.session.id}/time"
    form = {"date": stage.at(8, 9).local.date().isoformat(), "time": "09:00", "minutes": "50", "reason": "correction"}
    page_before = shown(ada, own)
    assert "that offer ends" not in page_before
    offer = stage.offer()
    assert "that offer ends" in shown(ada, own)
    refused = ada.post(own, {**form, "offer": ""})
    assert refused.status_code == 409
    assert "An offer was sent to the client since this page was opened" in refused.text
    assert "that offer ends" in refused.text, "the form says how it stands by now"
    assert stage.stored(offer).held
    assert ada.post(own, {**form, "offer": str(offer.id)}).status_code == 303
    assert not stage.stored(offer).held


def test_an_edit_that_spoke_of_an_offer_which_its_client_has_answered_since_saves_nothing(stage: Stage) -> None:
    ada, own, offer = stage.signed_in(), f"/sessions/{stage.session.id}/time", stage.offer()
    form = {"date": stage.at(8, 9).local.date().isoformat(), "time": "09:00", "minutes": "50", "reason": "correction"}
    chosen = offer.alternatives[0]
    with stage.runtime.database.begin() as db:
        answers.accept(db, stage.runtime.policy, offer.id, chosen.id, by=stage.by, now=stage.now)
    refused = ada.post(own, {**form, "offer": str(offer.id)})
    assert refused.status_code == 409
    assert "has ended since, and its client may have chosen a time" in refused.text
    assert stage.stored_session().when == chosen.when
    assert ada.post(own, {**form, "offer": "nonsense"}).status_code == 404
    unaware = ada.post(own, {**form, "shown": stage.session.when.span.start.isoformat()})  # opened before that offer
    assert (unaware.status_code, "has been given another time since" in unaware.text) == (409, True)
    assert stage.stored_session().when == chosen.when
    now_shown = re.findall(r'name="shown" value="([^"]+)"', unaware.text)
    assert now_shown == [chosen.when.span.start.isoformat()]
    assert ada.post(own, {**form, "shown": now_shown[0]}).status_code == 303


def test_what_is_wrong_with_an_edit_is_said_all_at_once_and_the_focus_is_on_the_first(stage: Stage) -> None:
    ada, own = stage.signed_in(), f"/sessions/{stage.session.id}/time"
    wrong = {"date": "2026-02-01", "time": "09:00", "minutes": "50", "reason": "agreed", "who": "", "agreed_at": ""}
    refused = ada.post(own, {**wrong, "place_kind": "online", "place_text": "http://plain.example.org"})
    assert refused.status_code == 422
    said = (
        "has already passed",
        "Who agreed: please fill",
        "Give both a date",
        "How they told you: please",
        "https://",
    )
    assert [text for text in said if text not in refused.text] == []
    assert re.findall(r'name="(\w+)"[^>]* autofocus', refused.text) == ["date"]
    again = ada.post(own, {**wrong, "date": "2026-03-10", "reason": ""})
    assert re.findall(r'name="(\w+)"[^>]* autofocus', again.text) == ["reason"]


def test_a_session_is_booked_and_its_client_told(stage: Stage) -> None:
    ada = stage.signed_in()
    booked = book(ada, stage)
    assert booked.status_code == 303, booked.text
    stage.mail()
    page = shown(ada, booked.location)
    assert "Booked. Kim Noor is being told" in shown(ada, "/") + page
    assert '<strong class="ok">Sent</strong>' in page


def test_what_is_wrong_with_a_booking_is_said_all_at_once_and_nothing_is_saved(stage: Stage) -> None:
    ada = stage.signed_in()
    before = stage.everything()["sessions"]
    refused = book(ada, stage, time="", place_text="", kind="")
    assert refused.status_code == 422
    for said in (
        "Give both a date and a time.",
        "Say where the session takes place.",
        "Choose which of the two it is.",
    ):
        assert said in refused.text
    assert re.findall(r'name="(\w+)"[^>]* autofocus', refused.text) == ["date"]
    assert stage.everything()["sessions"] == before


def test_a_time_that_is_taken_is_not_booked(stage: Stage) -> None:
    day = stage.session.when.local
    refused = book(stage.signed_in(), stage, date=day.date().isoformat(), time="15:00")
    assert refused.status_code == 409
    assert "That time is taken by another session" in refused.text


def test_only_whom_a_practitioner_knows_can_be_booked(stage: Stage) -> None:
    ada = stage.signed_in()
    assert ada.get(f"/sessions/new?client={stage.lou.id}").status_code == 404
    assert book(ada, stage, client=str(stage.lou.id)).status_code == 404
    assert ada.get("/sessions/new?client=nobody").status_code == 404
    found = ada.post("/sessions/new", {"text": "Lou"})
    assert "Nobody you know" in found.text
    assert "Kim Noor" in ada.post("/sessions/new", {"text": "noo"}).text


def test_free_times_lead_to_the_filled_form(stage: Stage) -> None:
    ada = stage.signed_in()
    page = shown(ada, f"/sessions/new?client={stage.kim.id}")
    address = re.search(r'href="(/sessions/new\?[^"]*at=([0-9-]+)T([0-9:]+))#book"', page)
    assert address
    filled = shown(ada, address[1].replace("&amp;", "&"))
    assert f'name="date" value="{address[2]}"' in filled
    assert f'name="time" value="{address[3]}"' in filled
    booked = book(ada, stage, date=address[2], time=address[3])
    assert booked.status_code == 303, booked.text


def crowd(stage: Stage, count: int) -> None:
    """Fill two years with sessions, past and future, as a database finds them: nobody is told."""
    with stage.runtime.database.begin() as db:
        for n in range(count):
            when = stage.at(n - count // 2, 7)
            own = replace(stage.session, id=uuid4(), uid=f"{uuid4()}", when=when, external_id=None)
            stored.add(db, own)


def costs(browser: Browser, path: str) -> int:
    with statements() as sent:
        text = shown(browser, path)
    assert len(text.encode()) < 50_000
    return len(sent)


def test_a_thousand_sessions_cost_as_many_statements_as_a_few_and_come_in_pages(
    database: Database, database_url: str, clock: Clock
) -> None:
    stage = stage_of(database, database_url, clock)
    ada, paths = stage.signed_in(), ("/", "/sessions", "/sessions?show=past", "/sessions?show=needs", "/sessions/new")
    crowd(stage, 60)
    few = [costs(ada, path) for path in paths]
    crowd(stage, 940)
    assert [costs(ada, path) for path in paths] == few
    seen: list[str] = []
    following: str | None = "/sessions"
    while following:
        page = shown(ada, following)
        seen += re.findall(r'class="card row[^"]*" href="/sessions/([0-9a-f-]{36})"', page)
        after = re.search(r'href="(/sessions\?[^"]*)" rel="next"', page)
        following = after[1].replace("&amp;", "&") if after else None
    with database.read() as db:
        own = (tables.sessions.c.practitioner_id == stage.ada.id) & (tables.sessions.c.ends_at > stage.now)
        coming = db.execute(sa.select(sa.func.count()).select_from(tables.sessions).where(own)).scalar_one()
    assert len(seen) == len(set(seen)) == coming > 400, "each once"


def test_a_page_that_there_is_not_is_said(stage: Stage) -> None:
    assert stage.signed_in().get("/sessions?behind=nowhere").status_code == 404


def test_many_that_need_their_practitioner_are_counted_and_paged(stage: Stage) -> None:
    crowd(stage, 60)
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(tables.sessions).values(flag="rejected"))
    ada = stage.signed_in()
    week = shown(ada)
    assert "more sessions need you" in week
    assert len(week.encode()) < 50_000
    assert 'rel="next"' in shown(ada, "/sessions?show=needs")


@pytest.mark.parametrize(
    ("path", "place"),
    [("/away", "Week"), ("/sessions/new", "Week"), ("/sessions/{}/offer", "Sessions"), ("/subscription", "Calendars")],
)
def test_each_page_says_to_which_part_it_belongs(stage: Stage, path: str, place: str) -> None:
    page = stage.signed_in().get(path.format(stage.session.id)).text
    assert re.findall(r'aria-current="(\w+)">(\w+)</a>', page.partition("</nav>")[0]) == [("true", place)]
