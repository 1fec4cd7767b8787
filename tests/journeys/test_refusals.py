"""Services that refuse once, for a while, or everybody: nothing is lost, one person is told, and it ends by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from connector.domain.notice import NoticeKind
from connector.errors import RuleError
from connector.storage import ledger, troubles
from connector.storage.database import Database
from tests.domain.examples import when
from tests.fakes._caldav_store import Kind as Server
from tests.fakes.caldav_liar import LyingServer
from tests.journeys import services
from tests.journeys.services import GoogleService, OutlookService
from tests.journeys.there import There, practising

OPERATOR = "operator@pencilled.example"
ONCE = {
    "caldav": [(400, ""), (403, ""), (404, ""), (405, ""), (429, ""), (503, "")],
    "google": [
        (400, ""),
        (403, ""),
        (404, ""),
        (403, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (403, "quotaExceeded"),
        (429, ""),
        (503, ""),
    ],
    "outlook": [(400, ""), (403, ""), (404, ""), (429, ""), (503, "")],
}
ALWAYS = {("caldav", 403, ""), ("google", 403, "quotaExceeded"), ("outlook", 404, "")}  # the others in the long run
EACH = [
    pytest.param(slug, *answer, marks=() if (slug, *answer) in ALWAYS else pytest.mark.long)
    for slug, answers in ONCE.items()
    for answer in answers
]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(slug: str, database: Database, folder: Path, held: ExitStack) -> There:
    """Practise at a service."""
    server = held.enter_context(LyingServer(Server.SABRE))
    return held.enter_context(practising(database, held.enter_context(services.service(slug, folder, server))))


@pytest.fixture(params=["google", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("caldav", "outlook"))])
def there(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[There]:
    with ExitStack() as held:
        yield at(request.param, database, tmp_path, held)


@pytest.mark.parametrize(("slug", "status", "reason"), EACH)
def test_one_refusal_of_an_entry_changes_nothing_but_time(
    database: Database, tmp_path: Path, slug: str, status: int, reason: str
) -> None:
    with ExitStack() as held:
        there = at(slug, database, tmp_path, held)
        practice = there.practice
        booked = practice.book(48)
        there.settle()
        letters = there.letters()
        there.service.refuse_write_once(status, reason)
        practice.offer(booked, 72, 96, 120)
        there.go_on(hours=3)
        assert there.times() == [when(hours).span.start for hours in (48, 72, 96, 120)]
        assert there.letters() == [*letters, NoticeKind.OFFERED]
        assert (there.stored().trouble, there.paused(), ledger.refused(practice.database)) == (None, None, [])


@pytest.mark.parametrize(("slug", "status", "reason"), EACH)
def test_one_refusal_of_a_look_changes_nothing_but_time(
    database: Database, tmp_path: Path, slug: str, status: int, reason: str
) -> None:
    with ExitStack() as held:
        there = at(slug, database, tmp_path, held)
        practice = there.practice
        booked = practice.book(48)
        there.settle()
        letters = there.letters()
        there.service.refuse_feed_once(status, reason)
        there.look()
        (event,) = there.service.shown()
        there.service.hand.note(event.href, "blue folder")
        there.go_on(hours=3)
        assert (there.stored().read_trouble, there.paused(), there.letters()) == (None, None, letters)
        assert practice.session(booked) == booked


def test_rights_that_come_back_are_used_without_anybody_doing_anything(there: There) -> None:
    practice = there.practice
    booked = practice.book(48)
    there.settle()
    before = there.shown()
    become(there, "reader")
    practice.offer(booked, 72, 96)
    there.go_on(hours=3)
    assert there.shown() == before
    assert there.letters().count(NoticeKind.ENTRIES_REFUSED) == 1
    with pytest.raises(RuleError, match="takes no entries"):
        practice.offer(practice.book(60, of=practice.another_client()), 100)
    become(there, "owner")
    there.go_on(minutes=20)
    assert {when(72).span.start, when(96).span.start} <= set(there.times())
    assert there.stored().refused_at is None
    practice.offer(practice.book(200, of=practice.another_client()), 300)
    assert there.letters().count(NoticeKind.ENTRIES_REFUSED) == 1


def become(there: There, role: str) -> None:
    """Have the owner of the calendar change what the connected account may do in it."""
    match there.service:
        case GoogleService():
            there.service.setting.remote.roles[there.service.setting.fake.oauth.account] = role
        case _ if role == "reader":
            there.service.refuse_writes(403)
        case _:
            there.service.heal()


@pytest.mark.parametrize(
    ("slug", "fault"),
    [
        pytest.param("google", "client_refused", marks=pytest.mark.long),
        ("google", "not_configured"),
        ("outlook", "client_refused"),
    ],
)
def test_an_outage_of_our_own_registration_is_told_to_the_operator_alone_and_ends_by_itself(
    database: Database, tmp_path: Path, slug: str, fault: str
) -> None:
    with ExitStack() as held:
        there = at(slug, database, tmp_path, held)
        practice = there.practice
        practice.policy = replace(practice.policy, operator=OPERATOR)
        booked = practice.book(48)
        there.settle()
        letters = there.letters()
        refuse_us(there, fault, refused=True)
        practice.offer(booked, 72, 96)
        there.go_on(hours=6)
        told = there.all_letters[len(letters) :]
        assert [letter.notice.kind for letter in told] == [NoticeKind.OFFERED, NoticeKind.INSTALLATION_REFUSED]
        assert told[1].notice.to.address == OPERATOR
        assert registration_faults(there) == [slug]
        refuse_us(there, fault, refused=False)
        there.go_on(hours=1, minutes=10)
        assert {when(72).span.start, when(96).span.start} <= set(there.times())
        assert registration_faults(there) == []
        assert (len(there.all_letters), there.paused()) == (len(letters) + 2, None)


def registration_faults(there: There) -> list[str]:
    """Which services refuse the installation itself, as its operator is told by `pencilled doctor`."""
    with there.practice.database.read() as db:
        return [fault.provider for fault in troubles.every_registration_fault(db)]


def refuse_us(there: There, fault: str, *, refused: bool) -> None:
    match there.service:
        case GoogleService() if fault == "not_configured":
            there.service.setting.fake.not_configured = refused
        case GoogleService():
            there.service.setting.fake.oauth.client_refused = refused
            there.service.setting.fake.oauth.forget_access()
        case OutlookService():
            there.service.setting.graph.entra.client_refused = refused
            there.service.setting.graph.entra.forget_access()
