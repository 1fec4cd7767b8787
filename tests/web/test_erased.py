"""Pages about the sessions of an erased client open, and name nobody."""

from __future__ import annotations

from connector.domain.session import Edit, Location, LocationKind
from connector.services import erasing
from connector.services.scheduling import sessions
from tests.web.stage import Stage

HOME = Location(kind=LocationKind.IN_PERSON, text="Noorgasse 7")
ROOM = Location(kind=LocationKind.ONLINE, text="https://meet.example/noor")


def test_every_page_about_an_erased_client_opens_and_names_nobody(stage: Stage) -> None:
    offer = stage.offer(places={0: ROOM})
    policy, by = stage.runtime.policy, stage.by
    with stage.runtime.database.begin() as db:
        sessions.edit(db, policy, stage.session.id, Edit(location=HOME), by=by, now=stage.now)
        sessions.cancel(db, policy, stage.session.id, by=by, now=stage.now, reason="Kim Noor is ill")
    stage.mail()
    ada = stage.signed_in()
    paths = ("/sessions", f"/sessions/{stage.session.id}", stage.link(offer))
    before = [ada.get(path) for path in paths]
    with stage.runtime.database.begin() as db:
        erasing.erase(db, policy, stage.kim.id, by=by, now=stage.now)
    after = [ada.get(path) for path in paths]
    assert [page.status_code for page in (*before, *after)] == [200] * 6
    assert any("Noor" in page.text for page in before)
    assert not any("Noor" in page.text or "noor" in page.text or "kim@" in page.text for page in after)
    assert "Erased client" in after[1].text
    assert "Erased who the client is" in after[1].text
