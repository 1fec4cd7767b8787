"""What stands in another calendar is said in the form before a time is saved there, and accepted with a box."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from connector.domain.session import Sought
from connector.domain.span import When
from connector.storage import sessions
from tests.web import client_mails
from tests.web.desk import Desk
from tests.web.remote_changes import begin, hand, page_of, question_about_move
from tests.web.stage import Browser, add_client

_BOX = re.compile(r'name="despite" value="([^"]+)"')
AGREED = {"who": "Kim Noor", "agreed_at": "2026-03-02T09:30", "channel": "by phone"}


@dataclass(frozen=True, kw_only=True)
class Door:
    """A form by which a time is saved: who fills it in, and what shows where it went.

    `session`: the page of the session; empty where saving leads there.
    """

    browser: Browser
    path: str
    form: Mapping[str, str]
    saved: Callable[[], When]
    session: str = ""


def of_session(there: Desk, path: str, form: Mapping[str, str]) -> Door:
    """Return a form that a letter leads to, about the session of the stage."""
    stage = there.stage
    own = f"/sessions/{stage.session.id}"
    return Door(browser=stage.browser(), path=path, form=form, saved=lambda: stage.stored_session().when, session=own)


def edit(there: Desk) -> Door:
    """Enter a time that was agreed."""
    form = {"date": "2026-03-10", "time": "16:00", "minutes": "50", "reason": "agreed"} | AGREED
    own = f"/sessions/{there.stage.session.id}/time"
    return Door(browser=begin(there).ada, path=own, form=form, saved=lambda: there.stage.stored_session().when)


def move_alternative(there: Desk) -> Door:
    """Move an offered time."""
    begin(there)
    offer = there.stage.offer()
    return Door(
        browser=there.ada,
        path=f"/sessions/{there.stage.session.id}/offer/{offer.alternatives[0].id}/move",
        form={"date": "2026-03-10", "time": "16:00", "minutes": "50"},
        saved=lambda: there.stage.stored(offer).alternatives[0].when,
    )


def already_agreed(there: Desk) -> Door:
    """Say that the client knows of a move in the calendar."""
    path = f"{page_of(there.stage, question_about_move(there))}/agreed"
    return of_session(there, path, AGREED)


def agree_to_proposal(there: Desk) -> Door:
    """Agree to a time that the client has asked for."""
    begin(there)
    there.stage.mail()
    path = f"{client_mails.page_of(there.stage, client_mails.wish(there.stage, there.stage.at(8, 16)))}/agree"
    return of_session(there, path, {})


def book(there: Desk) -> Door:
    """Book a session with somebody whom nothing stands with yet."""
    begin(there)
    noa = add_client(there.stage)
    there.stage.book(there.stage.at(1, 9), client=noa)
    form = {
        "client": str(noa.id),
        "date": "2026-03-10",
        "time": "16:00",
        "minutes": "50",
        "place_kind": "phone",
        "place_text": "We call",
        "kind": "followup",
    }

    def saved() -> When:
        with there.stage.runtime.database.read() as db:
            *_, last = sessions.sought(db, Sought(client_id=noa.id), most=10)
        return last.session.when

    return Door(browser=there.ada, path="/sessions/new", form=form, saved=saved)


@pytest.mark.parametrize("door", [book, edit, move_alternative, already_agreed, agree_to_proposal])
def test_each_form_says_what_stands_there_and_saves_it_with_the_box(there: Desk, door: Callable[[Desk], Door]) -> None:
    here = door(there)
    before, wanted = here.saved(), there.stage.at(8, 16)
    hand(there).add_foreign(wanted.span)
    again = here.browser.post(here.path, here.form)
    assert again.status_code == 409
    assert "Something stands in “work” at this time already" in again.text
    assert here.saved() == before
    [key] = _BOX.findall(again.text)
    hand(there).add_foreign(there.stage.at(8, 16, 30).span)
    more = here.browser.post(here.path, {**here.form, "despite": key})
    assert more.status_code == 409, "what was accepted is one conflict, not every one"
    [key] = _BOX.findall(more.text)
    done = here.browser.post(here.path, {**here.form, "despite": key})
    assert done.status_code == 303
    assert here.saved() == wanted
    page = there.ada.get(here.session or done.location).text
    assert "knowing that something stands there in “work”" in page
