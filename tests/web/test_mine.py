"""A client comes back to one page of their session: it reads, ends in time, and what is done there has its own link."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ical.calendar_stream import CalendarStream

from connector.domain.notice import NoticeKind
from connector.domain.people import CLOCK, Medium
from connector.domain.session import Edit
from connector.services.people import change_client, retire_client
from connector.services.scheduling import session_links
from connector.services.scheduling.sessions import cancel, edit
from connector.services.views.client_page import MOST
from connector.storage import people
from tests.counting import statements
from tests.domain.examples import ATTESTED
from tests.web.stage import Browser, NotedMail, Stage, add_client


def own(stage: Stage, *, medium: Medium = Medium.EMAIL) -> str:
    """The path of the client's page, made anew."""
    with stage.runtime.database.read() as db:
        client = people.client(db, stage.stored_session().client_id)
    token = session_links.token(stage.runtime.seal, stage.session.id, medium, reader=client.address(medium))
    return f"/mine/{token}"


def mailed(stage: Stage, kind: NoticeKind) -> str:
    """The path of that page, as a letter leads to it."""
    assert isinstance(stage.runtime.sender, NotedMail)
    letter = next(one for one in reversed(stage.runtime.sender.letters) if one.notice.kind is kind)
    assert letter.link
    return letter.link.removeprefix(stage.runtime.settings.public_url)


def allow(stage: Stage, before: timedelta = timedelta(hours=24)) -> None:
    stage.runtime.policy = replace(stage.runtime.policy, cancel_before=before)


def cancel_link(browser: Browser, where: str) -> str:
    text = browser.get(where).text
    return text.split('class="button plain grave" href="', 1)[1].partition('"')[0]


def test_a_letter_leads_to_what_stands(stage: Stage) -> None:
    page = stage.browser().get(mailed(stage, NoticeKind.BOOKED))
    assert page.status_code == 200
    assert "Your session is booked" in page.text
    assert "Lindenstraße 7" in page.text
    assert "The session was booked for" in page.text
    assert "Lou" not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_opening_changes_nothing_and_what_is_offered_leads_to_its_own_page(stage: Stage) -> None:
    offer = stage.offer()
    before, browser = stage.everything(), stage.browser()
    page = browser.get(own(stage))
    assert stage.everything() == before
    assert "Please answer before" in page.text
    answer = page.text.split('class="button" href="', 1)[1].partition('"')[0]
    assert browser.get(answer).status_code == 200
    assert "Please choose a time" in browser.get(answer).text
    assert stage.stored(offer).state.value == "open"


def test_its_link_answers_and_cancels_nothing_by_itself(stage: Stage) -> None:
    stage.offer()
    allow(stage)
    token = own(stage).rpartition("/")[2]
    for path in (f"/answer/{token}", f"/answer/{token}/none", f"/mine/{token}/cancel", f"/subscription/{token}"):
        assert stage.browser().get(path).status_code == 404


def test_it_ends_ninety_days_after_the_session(stage: Stage) -> None:
    where, end = own(stage), stage.session.when.span.end
    stage.clock.advance(end + timedelta(days=90, seconds=-1) - stage.now)
    assert "has taken place" in stage.browser().get(where).text
    stage.clock.advance(timedelta(seconds=1))
    assert stage.browser().get(where).status_code == 404


def test_it_is_void_once_the_address_changes(stage: Stage) -> None:
    where = own(stage)
    with stage.runtime.database.begin() as db:
        change_client(db, stage.kim.id, {"email": "right@client.example"}, by=CLOCK, now=stage.now)
    dead = stage.browser().get(where)
    assert dead.status_code == 404
    assert "To reach the person you have booked with" in dead.text  # and nobody's sign-in: clients have none
    assert 'class="button"' not in dead.text
    assert stage.browser().get(own(stage)).status_code == 200


def test_it_is_void_once_the_client_is_retired(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        cancel(db, stage.runtime.policy, stage.session.id, by=stage.by, now=stage.now)
    assert stage.browser().get(own(stage)).status_code == 200
    with stage.runtime.database.begin() as db:
        retire_client(db, stage.kim.id, by=CLOCK, now=stage.now)
    assert stage.browser().get(own(stage)).status_code == 404


def test_a_copy_is_there_for_whom_no_mail_can_invite_and_for_nobody_else(stage: Stage) -> None:
    assert stage.browser().get(f"{own(stage)}/session.ics").status_code == 404
    with stage.runtime.database.begin() as db:
        change_client(db, stage.kim.id, {"phone": "+4915112345678", "email": ""}, by=CLOCK, now=stage.now)
    where = own(stage, medium=Medium.SMS)
    assert "The copy does not move" in stage.browser().get(where).text
    answer = stage.browser().get(f"{where}/session.ics")
    [event] = CalendarStream.from_ics(answer.text).calendars[0].events
    session = stage.stored_session()
    assert (event.uid, event.sequence or 0, event.dtstart) == (session.uid, session.revision, session.when.span.start)
    assert "ATTENDEE" not in answer.text
    assert "this entry stays as it is" in (event.description or "")


def test_nobody_cancels_where_the_practice_has_not_said_so(stage: Stage) -> None:
    assert "cannot be cancelled on this page" in stage.browser().get(own(stage)).text


def test_a_client_cancels_in_time_and_their_practitioner_is_told(stage: Stage) -> None:
    allow(stage)
    browser = stage.browser()
    where = cancel_link(browser, own(stage))
    shown = stage.session.when.span.start.isoformat()
    before = stage.everything()
    assert "Cancel your session?" in browser.get(where).text
    assert stage.everything() == before
    told = [browser.post(where, {"shown": shown}, page=own(stage)).headers["Location"] for _ in range(2)]  # once is all
    assert all(one.startswith("/mine/") for one in told)
    assert "You cancelled the session." in browser.get(told[0]).text
    stage.mail()
    assert isinstance(stage.runtime.sender, NotedMail)
    kinds = [letter.notice.kind for letter in stage.runtime.sender.letters]
    assert kinds.count(NoticeKind.CLIENT_CANCELLED) == 1


def test_too_late_is_too_late(stage: Stage) -> None:
    allow(stage)
    browser = stage.browser()
    where = cancel_link(browser, own(stage))
    stage.clock.advance(stage.session.when.span.start - timedelta(hours=24) - stage.now)
    page = browser.post(where, {"shown": stage.session.when.span.start.isoformat()}, page=own(stage))
    assert page.status_code == 422
    assert "can no longer be cancelled here" in page.text
    assert stage.stored_session().state.value == "booked"


def test_a_session_that_has_moved_since_the_page_was_opened_is_not_cancelled(stage: Stage) -> None:
    allow(stage)
    browser = stage.browser()
    where = cancel_link(browser, own(stage))
    page = browser.post(where, {"shown": stage.at(3, 9).span.start.isoformat()}, page=own(stage))
    assert page.status_code == 409
    assert "has been moved since" in page.text
    assert stage.stored_session().state.value == "booked"


def test_history_says_who_has_cancelled_it_and_nothing_of_letters(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        cancel(db, stage.runtime.policy, stage.session.id, by=stage.by, now=stage.now, reason="ill")
    stage.mail()
    text = stage.browser().get(mailed(stage, NoticeKind.CANCELLED)).text
    assert "The session was cancelled." in text
    assert "ill" not in text.partition("What has happened")[2].partition("</ol>")[0].split()
    assert "message" not in text.partition("What has happened")[2].partition("</ol>")[0]


def test_another_client_of_the_same_number_sees_nothing_by_a_link_of_the_first(stage: Stage) -> None:
    add_client(stage, phone="+4915112345678")
    forged = session_links.token(stage.runtime.seal, stage.session.id, Medium.SMS, reader="+4915112345678")
    assert stage.browser().get(f"/mine/{forged}").status_code == 404


def test_a_letter_about_an_offer_leads_there_too(stage: Stage) -> None:
    stage.offer()
    stage.mail()
    assert isinstance(stage.runtime.sender, NotedMail)
    [letter] = [one for one in stage.runtime.sender.letters if one.notice.kind is NoticeKind.OFFERED]
    assert letter.own_page == f"{stage.runtime.settings.public_url}{own(stage)}"


def test_it_takes_a_few_statements_and_is_small_however_much_has_happened(stage: Stage) -> None:
    browser = stage.browser()

    def cost() -> tuple[int, int]:
        with statements() as sent:
            page = browser.get(own(stage))
        assert page.status_code == 200
        return len(sent), len(page.data)

    stage.offer()
    few, _ = cost()
    for n in range(MOST):
        by_now = Edit(when=stage.at(7 + n % 2, 9), attestation=ATTESTED)
        with stage.runtime.database.begin() as db:
            edit(db, stage.runtime.policy, stage.session.id, by_now, by=stage.by, now=stage.now)
    stage.offer(*(stage.at(14, 9 + n) for n in range(5)))
    many, size = cost()
    assert many == few
    assert size < 50_000
    assert browser.get(own(stage)).text.count('<span class="when">') == MOST
