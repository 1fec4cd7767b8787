"""What becomes of work, of calendars and of letters is counted, by who can do something about it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from connector.counters import FAILURES, LETTERS, WORK_ENDED
from connector.domain.connection import Calendar
from connector.errors import (
    AccessLostError,
    InstallationError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.storage.ledger import Kind
from tests.counted import Counted
from tests.services.connected import look, notify, on_sqlite, remote
from tests.services.practice import Practice

pytestmark = on_sqlite


@pytest.mark.parametrize(
    ("error", "trouble", "how"),
    [
        (RefusedError("no"), "account", "done"),
        (MissingError("not there"), "account", "done"),
        (AccessLostError("expired"), "account", "done"),
        (InstallationError("accessNotConfigured"), "installation", "refused"),
        (TransientError("busy"), "service", "postponed"),
    ],
)
def test_a_look_that_does_not_go_through_is_counted_by_who_can_end_that(
    practice: Practice, calendar: Calendar, error: ProviderError, trouble: str, how: str
) -> None:
    look(practice, calendar)
    failures, ended = Counted(FAILURES), Counted(WORK_ENDED)
    notify(practice, calendar)
    remote(practice).fail(error, on="changes")
    assert look(practice, calendar) == [how]
    assert failures() == {("memory", trouble): 1}
    assert ended() == {("pull", how): 1}


def test_a_fault_of_ours_is_counted_as_ours(practice: Practice, calendar: Calendar) -> None:
    look(practice, calendar)
    failures = Counted(FAILURES)
    notify(practice, calendar)
    remote(practice).offline = ZeroDivisionError()  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        look(practice, calendar)
    assert failures() == {("memory", "ours"): 1}


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (None, "sent"),
        (NotSentError(Sentence("no"), permanent=True), "refused"),
        (NotSentError(Sentence("later"), permanent=False), "put_off"),
        (NotSentError(Sentence("who knows"), permanent=False, unknown=True), "doubtful"),
    ],
)
def test_a_letter_is_counted_by_its_fate(practice: Practice, error: NotSentError | None, fate: str) -> None:
    practice.prompt = False
    practice.book()
    practice.runtime.sender = Server(error)
    counted = Counted(LETTERS)
    practice.carry_out(Kind.CONVERSATION)
    assert counted()["email", fate] == 1
    assert set(counted()) <= {("email", fate), ("email", "sent")}, "of a refusal, the practitioner is told"


@dataclass
class Server:
    """A mail server that says this to the first letter, and takes the others."""

    error: NotSentError | None

    def send(self, _letter: Letter) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
