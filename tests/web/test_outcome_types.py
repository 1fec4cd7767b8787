"""Every type of outcome is given by an act as people, programs and the engine do it, and by nothing less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from connector.domain.facts import Attestation
from connector.domain.outcomes import OutcomeType
from connector.domain.people import Actor, Role
from connector.domain.session import Edit, Location, LocationKind
from connector.services.outcomes import endpoints
from connector.services.scheduling import answers, offers, sessions
from connector.storage import outcomes
from connector.storage.ledger import Kind
from tests.web.desk import Desk, later
from tests.web.remote_changes import (
    add_foreign,
    begin,
    crowd,
    page_of,
    paused_page,
    question_about_deletion,
    question_about_move,
    wipe,
)
from tests.web.services import MemoryService
from tests.web.stage import NotedMail, Stage

KIM = Actor(role=Role.CLIENT, name="Kim Noor")


def _told_before(stage: Stage) -> Attestation:
    return Attestation(who="Kim Noor", at=stage.now, channel="by phone")


def _session(here: Desk) -> None:
    """Book, move, relocate and cancel."""
    stage = here.stage
    policy, booked = stage.runtime.policy, stage.book(stage.at(12, 9))
    moved = Edit(when=stage.at(12, 11), attestation=_told_before(stage))
    elsewhere = Edit(location=Location(kind=LocationKind.PHONE, text="+49 30 1"))
    for edit in (moved, elsewhere):
        with stage.runtime.database.begin() as db:
            sessions.edit(db, policy, booked.id, edit, by=stage.by, now=stage.now)
    with stage.runtime.database.begin() as db:
        sessions.cancel(db, policy, booked.id, by=stage.by, now=stage.now)


def _answered(here: Desk) -> None:
    """A client says no to all times, their practitioner keeps the session; another time they choose one."""
    stage, browser = here.stage, here.stage.browser()
    link = stage.link(stage.offer())
    assert browser.post(f"{link}/none").status_code == 303
    assert here.ada.post(f"/sessions/{stage.session.id}/keep", page=f"/sessions/{stage.session.id}").status_code == 303
    offer = stage.offer(stage.at(9, 9))
    with stage.runtime.database.begin() as db:
        answers.accept(db, stage.runtime.policy, offer.id, offer.alternatives[0].id, by=KIM, now=stage.now)


def _ended(here: Desk) -> None:
    """Offers are replaced, changed, taken back, and left without an answer."""
    stage = here.stage
    policy = stage.runtime.policy
    stage.offer()
    offer = stage.offer(stage.at(12, 9), stage.at(12, 11))
    first, second = offer.alternatives
    with stage.runtime.database.begin() as db:
        offers.move_alternative(db, policy, offer.id, first.id, stage.at(12, 14), by=stage.by, now=stage.now)
        offers.withdraw_alternative(db, policy, offer.id, second.id, by=stage.by, now=stage.now)
    with stage.runtime.database.begin() as db:
        offers.withdraw(db, policy, offer.id, by=stage.by, now=stage.now)
    stage.offer(stage.at(13, 9))
    later(stage, days=3)
    here.carry_out(Kind.OFFER)


def _conflict(here: Desk) -> None:
    """Something else stands at an offered time by now."""
    begin(here)
    add_foreign(here, here.stage.offer().alternatives[0].when)


def _asked(here: Desk) -> None:
    """A session that was moved in the calendar is asked about, and the practitioner says what is meant."""
    question = question_about_move(here)
    choice = question.row.answers[-1].value
    assert here.stage.browser().post(f"{page_of(here.stage, question)}/{choice}", {}).status_code == 303


def _dropped(here: Desk) -> None:
    """A session that was deleted in the calendar is asked about, and something else decides it."""
    question_about_deletion(here)
    with here.stage.runtime.database.begin() as db:
        sessions.cancel(db, here.stage.runtime.policy, here.stage.session.id, by=here.stage.by, now=here.stage.now)


def _paused(here: Desk) -> None:
    """A calendar is emptied, and its practitioner says that all of it comes back."""
    wipe(crowd(here))
    assert here.stage.browser().post(paused_page(here), {"how": "restore", "shown": ""}).status_code == 303


def _connection(here: Desk) -> None:
    """An account is connected, lets us in no more, does again, and is disconnected."""
    assert isinstance(here.service, MemoryService)
    begin(here)
    here.service.revoke()
    here.stage.book(here.stage.at(12, 9))
    here.work()
    here.service.store.change_password("secret")
    for calendar in here.service.store.calendars.values():
        calendar.offline = None
    own = f"/calendars/{here.connections[0].id}"
    here.back(here.service.consent(here.begin_sign_in(f"{own}/reconnect")))
    here.ada.post(f"{own}/disconnect")
    here.work()


def _messages(here: Desk) -> None:
    """One letter leaves, another is refused for good."""
    stage = here.stage
    stage.book(stage.at(12, 9))
    stage.mail()
    assert isinstance(stage.runtime.sender, NotedMail)
    stage.runtime.sender.refusal = "no such mailbox"
    stage.book(stage.at(13, 9))
    stage.mail()


def _tested(here: Desk) -> None:
    """A host's endpoint is tested."""
    with here.stage.runtime.database.begin() as db:
        [endpoint] = endpoints.listed(db, after=None, limit=2)
        endpoints.test(db, endpoint.id, by=Actor(role=Role.HOST, name="A host"), now=here.stage.now)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, and the types of outcome that it gives, beside those that tell of messages."""

    act: Callable[[Desk], None]
    gives: frozenset[OutcomeType]


def _story(act: Callable[[Desk], None], *gives: str) -> Story:
    return Story(act, frozenset(map(OutcomeType, gives)))


STORIES: Mapping[str, Story] = {
    "session": _story(_session, "session.booked", "session.moved", "session.relocated", "session.cancelled"),
    "answered": _story(
        _answered,
        *("offer.sent", "offer.rejected", "session.needs_attention", "session.attention_cleared"),
        *("offer.accepted", "session.moved"),
    ),
    "ended": _story(
        _ended,
        *("offer.sent", "offer.replaced", "offer.alternative_moved", "offer.alternative_withdrawn"),
        *("offer.withdrawn", "offer.lapsed"),
    ),
    "conflict": _story(_conflict, "offer.conflict_found"),
    "asked": _story(_asked, "question.asked", "question.answered"),
    "dropped": _story(_dropped, "question.asked", "question.dropped", "session.cancelled"),
    "paused": _story(_paused, "calendar.paused", "calendar.resumed"),
    "connection": _story(
        _connection,
        *("connection.added", "connection.access_lost", "connection.reauthorized", "connection.removed"),
    ),
    "messages": _story(_messages, "message.sent", "message.failed"),
    "tested": _story(_tested, "endpoint.test"),
}


def test_every_type_is_given_by_an_act() -> None:
    assert frozenset().union(*(story.gives for story in STORIES.values())) == set(OutcomeType)


@pytest.mark.parametrize("name", STORIES)
def test_an_act_gives_its_outcomes(there: Desk, name: str) -> None:
    stage = there.stage
    with stage.runtime.database.begin() as db:
        endpoints.add(db, stage.runtime.seal, "https://host.example/", inner_hosts=(), now=stage.now)
    STORIES[name].act(there)
    with stage.runtime.database.read() as db:
        given = {one.outcome.type for one in outcomes.feed(db, after=(0, 0), limit=1000)}
    assert STORIES[name].gives - given == set()
