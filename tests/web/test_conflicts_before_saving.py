"""What stands in another calendar is said in the form before a time is saved there, and accepted with a box."""

from __future__ import annotations

import re

from tests.web.desk import Desk
from tests.web.remote_changes import begin, hand
from tests.web.test_sessions import move

_BOX = re.compile(r'name="despite" value="([^"]+)"')


def test_an_edit_onto_a_conflict_shows_the_form_again_and_saves_it_with_the_box(there: Desk) -> None:
    begin(there)
    hand(there).add_foreign(there.stage.at(8, 16).span)
    again = move(there.stage, there.ada)
    assert again.status_code == 409
    assert "Something stands in “work” at this time already" in again.text
    assert there.stage.stored_session().when == there.stage.session.when
    [key] = _BOX.findall(again.text)
    elsewhere = move(there.stage, there.ada, time="16:30", despite=key)
    assert elsewhere.status_code == 409, "what was accepted is one conflict, not every one"
    assert move(there.stage, there.ada, despite=key).status_code == 303
    assert there.stage.stored_session().when == there.stage.at(8, 16)
    page = there.ada.get(f"/sessions/{there.stage.session.id}").text
    assert "knowing that something stands there in “work”" in page


def test_an_offered_time_moved_onto_a_conflict_shows_the_form_again(there: Desk) -> None:
    begin(there)
    offer = there.stage.offer()
    hand(there).add_foreign(there.stage.at(12, 9).span)
    path = f"/sessions/{there.stage.session.id}/offer/{offer.alternatives[0].id}/move"
    form = {"date": "2026-03-14", "time": "09:00", "minutes": "50"}
    again = there.ada.post(path, form)
    assert again.status_code == 409
    [key] = _BOX.findall(again.text)
    assert there.stage.stored(offer) == offer
    assert there.ada.post(path, form | {"despite": key}).status_code == 303
    assert there.stage.stored(offer).alternatives[0].when == there.stage.at(12, 9)
