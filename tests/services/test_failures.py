"""What does not go through is said in the log at warning level, with its cause and next try; and it names nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import structlog

from connector.domain.connection import Calendar
from connector.errors import (
    AccessLostError,
    InstallationError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.failures import tell, working_on
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services.accounts import disconnect
from connector.storage import calendars, ledger
from connector.storage.ledger import Key, Kind
from tests.domain.examples import KIM
from tests.services.connected import on_sqlite, push, remote, work
from tests.services.practice import Practice

SAID = "kim@practice.example may not use https://dav.example/kim/work"


@dataclass
class Refusing:
    """A mail server that takes no letter."""

    error: NotSentError

    def send(self, _letter: Letter) -> None:
        raise self.error


@dataclass(frozen=True)
class Scene:
    """A practice with a calendar, in which something is about to fail."""

    practice: Practice
    calendar: Calendar

    def carry_out(self, kind: Kind) -> None:
        """Do the work of a kind, due or not."""
        with self.practice.database.begin() as db:
            ledger.touch(db, Key(kind, str(self.calendar.id)), due_at=self.practice.now, lane=self.calendar.lane)
        self.practice.carry_out(kind, of=[self.calendar])

    def refuse_letters(self, *, permanent: bool) -> None:
        error = NotSentError(Sentence("the mail server refused the recipient (550 5.1.1)"), permanent=permanent)
        self.practice.runtime = replace(self.practice.runtime, sender=Refusing(error))
        self.practice.book(60)

    def offline(self, error: ProviderError, kind: Kind) -> None:
        remote(self.practice).offline = error
        self.carry_out(kind)

    def disconnect(self) -> None:
        with self.practice.database.begin() as db:
            disconnect.begin(db, self.practice.policy, self.calendar.connection_id, by=KIM, now=self.practice.now)
        remote(self.practice).offline = AccessLostError(SAID)
        self.carry_out(Kind.CALENDAR)

    def emptied(self) -> None:
        self.practice.carry_out(Kind.CALENDAR, of=[self.calendar])
        remote(self.practice).wipe()
        self.carry_out(Kind.PULL)

    def uncompared(self) -> None:
        with self.practice.database.begin() as db:
            calendars.ask_for_comparison(db, self.calendar.id, repair=False)
        remote(self.practice).fail(RefusedError(SAID), on="listing")
        self.carry_out(Kind.PULL)

    def channel_refused(self) -> None:
        self.practice.runtime = replace(
            self.practice.runtime, settings=replace(self.practice.runtime.settings, public_url="https://here.example")
        )
        remote(self.practice).fail_channel(RefusedError(SAID))
        self.carry_out(Kind.CHANNEL)


@dataclass(frozen=True)
class Failure:
    """What fails, what that is called in the log, in which work, and whether it is tried again by itself."""

    happen: Callable[[Scene], None]
    event: str
    kind: Kind
    again: bool


def _offline(error: ProviderError, kind: Kind, event: str = "work_ended", *, again: bool = True) -> Failure:
    return Failure(lambda scene: scene.offline(error, kind), event, kind, again)


def _letters(*, permanent: bool) -> Failure:
    event = "letter_refused" if permanent else "work_ended"
    refuse = partial(Scene.refuse_letters, permanent=permanent)
    return Failure(refuse, event, Kind.CONVERSATION, again=not permanent)


FAILURES = {
    "a letter that is refused for good": _letters(permanent=True),
    "a letter that cannot leave now": _letters(permanent=False),
    "access that is lost": _offline(AccessLostError(SAID), Kind.PULL, "access_lost", again=False),
    "a disconnection without access": Failure(
        Scene.disconnect, "disconnected_without_access", Kind.CALENDAR, again=False
    ),
    "a write that is refused": _offline(RefusedError(SAID), Kind.CALENDAR),
    "a look that fails": _offline(TransientError(SAID), Kind.PULL),
    "a look that is refused": _offline(RefusedError(SAID), Kind.PULL, "look_refused"),
    "a calendar that is not there": _offline(MissingError(SAID), Kind.PULL, "look_refused"),
    "a calendar that is stopped": Failure(Scene.emptied, "calendar_stopped", Kind.PULL, again=False),
    "a comparison that is refused": Failure(Scene.uncompared, "comparison_failed", Kind.PULL, again=True),
    "a reading for conflicts that is refused": _offline(RefusedError(SAID), Kind.BUSY, "busy_not_read"),
    "a trial of holds that is refused": _offline(RefusedError(SAID), Kind.PROBE),
    "a push channel that is refused": Failure(Scene.channel_refused, "channel_refused", Kind.CHANNEL, again=True),
    "an installation that is refused": _offline(InstallationError("accessNotConfigured"), Kind.PULL),
}


@pytest.fixture
def scene(practice: Practice, calendar: Calendar) -> Scene:
    practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    return Scene(practice, calendar)


@on_sqlite
@pytest.mark.parametrize("what", FAILURES)
def test_f3_what_fails_is_told_with_its_cause_attempts_and_next_try_and_names_nobody(scene: Scene, what: str) -> None:
    failure = FAILURES[what]
    scene.practice.book(54)  # so that there is something to write
    with structlog.testing.capture_logs() as logs:
        failure.happen(scene)
    told = next(line for line in logs if line["event"] == failure.event)
    assert told["log_level"] == "warning"
    assert told["kind"] == failure.kind
    assert told["error"]
    assert told["attempts"] >= 1
    assert (told["again_at"] is not None) == failure.again
    named = (*_names(scene), "dav.example", "practice.example")
    assert [name for name in named if name.casefold() in str(logs).casefold()] == []


def _names(scene: Scene) -> tuple[str, ...]:
    practice = scene.practice
    people = (practice.kim.name, practice.alex.name, practice.kim.email, practice.alex.email)
    return (*(part for name in people for part in name.split()), scene.calendar.name + "”", "Kim's calendar")


@on_sqlite
def test_f3_an_installation_that_is_refused_is_an_error_with_its_cause_told_once(scene: Scene) -> None:
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            scene.offline(InstallationError("accessNotConfigured"), Kind.PULL)
    [told] = [line for line in logs if line["event"] == "installation_refused"]
    assert (told["log_level"], told["provider"], told["error"]) == ("error", "memory", "accessNotConfigured")
    assert [name for name in _names(scene) if name.casefold() in str(logs).casefold()] == []


@on_sqlite
def test_f3_attempts_are_counted_until_it_goes_through(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("the server does not answer")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            practice.carry_out(Kind.PULL, of=[calendar])
            practice.wait(hours=1)
    assert [line["attempts"] for line in logs if line["event"] == "work_ended"] == [1, 2, 3]


def test_words_of_a_cause_are_told_without_addresses() -> None:
    with structlog.testing.capture_logs() as logs, working_on(kind="pull"):
        tell("failed", f"because {SAID}")
    (told,) = [dict[str, Any](line) for line in logs]
    assert told["error"] == "because … may not use …"
    assert (told["kind"], told["attempts"], told["again_at"]) == ("pull", 1, None)
