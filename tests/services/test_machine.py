"""Any history of acts, faults and crashes: once things are quiet, the calendar shows exactly what it shall."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector.domain.offer import Offer, OfferState
from connector.domain.session import Session, SessionState
from connector.domain.span import Span
from connector.errors import RefusedError, RuleError, TransientError
from connector.services.mirroring import SETTLED
from connector.storage import offers, sessions, tables
from providers import memory
from tests.domain.making import SUPPORT, when
from tests.services.connecting import connect, converge, doubtful, pull, remote
from tests.services.crashing import POINTS, CrashError, MortalDatabase
from tests.services.making import Practice

FAULTS = st.sampled_from(["transient", "lost answer", "meanwhile", "expired token", "stale read"])
HOURS = st.integers(min_value=30, max_value=200)
PICK = st.integers(min_value=0, max_value=9)
EVERY_KEPT_TIME = sa.select(tables.occupancy)


class Life(RuleBasedStateMachine):
    """A practitioner, a client, support, the clock, a worker, and a world in which anything breaks."""

    template: ClassVar[Path]

    @initialize()
    def open_the_practice(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pencilled-machine-"))
        path = self.folder / "machine.sqlite3"
        shutil.copyfile(self.template, path)
        self.database = MortalDatabase(f"sqlite:///{path}")
        self.practice = Practice(self.database)
        self.calendar = connect(self.practice)
        self.remote = remote(self.practice)
        self.remote.hook = self.database.hook
        self.booked: list[Session] = []
        self.made: list[Offer] = []
        self.revisions: dict[str, int] = {}
        self.notes: dict[str, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "practice"):
            self._settle()
            self.database.dispose()
            memory.forget(str(self.practice.kim.id))
            shutil.rmtree(self.folder, ignore_errors=True)

    # What people do

    @rule(hours=HOURS)
    def book(self, hours: int) -> None:
        self._try(lambda: self.booked.append(self.practice.book(hours)))

    @precondition(lambda self: self.booked)
    @rule(pick=PICK, hours=HOURS)
    def move(self, pick: int, hours: int) -> None:
        self._try(lambda: self.practice.move(self._session(pick), when(hours)))

    @precondition(lambda self: self.booked)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self._try(lambda: self.practice.cancel(self._session(pick)))

    @precondition(lambda self: self.booked)
    @rule(pick=PICK, hours=st.lists(HOURS, min_size=1, max_size=4))
    def offer(self, pick: int, hours: list[int]) -> None:
        self._try(lambda: self.made.append(self.practice.offer(self._session(pick), *hours)))

    @precondition(lambda self: self.made)
    @rule(pick=PICK, n=st.integers(min_value=0, max_value=3), support=st.booleans())
    def accept(self, pick: int, n: int, support: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        offer = self._offer(pick)
        n %= len(offer.alternatives)
        self._try(lambda: self.practice.accept(offer, n, by=SUPPORT) if support else self.practice.accept(offer, n))

    @precondition(lambda self: self.made)
    @rule(pick=PICK, act=st.sampled_from(["reject", "cancel_booking", "withdraw"]))
    def end(self, pick: int, act: str) -> None:
        self._try(lambda: getattr(self.practice, act)(self._offer(pick)))

    @rule(hours=st.integers(min_value=1, max_value=13))
    def time_passes(self, hours: int) -> None:
        self.practice.wait(hours=hours)
        for offer in self.made:
            self._try(lambda offer=offer: self.practice.come_due(offer))

    # What the practitioner does in their own calendar

    @precondition(lambda self: self.remote.events)
    @rule(pick=PICK, act=st.sampled_from(["note", "drag", "delete", "rename", "all day", "foreign"]), hours=HOURS)
    def touch(self, pick: int, act: str, hours: int) -> None:
        ours = [href for href in self.remote.events if not href.startswith("foreign")]
        if not ours:
            return
        href = ours[pick % len(ours)]
        match act:
            case "note":
                self.notes[href] = f"note {hours}"
                self.remote.note(href, self.notes[href])
            case "drag":
                self.remote.move(href, when(hours).span)
            case "delete":
                self.notes.pop(href, None)
                self.remote.delete(href)
            case "rename":
                self.remote.retitle(href, "Renamed")
            case "all day":
                self.remote.make_all_day(href)
            case _:
                self.remote.add_foreign(when(hours).span)

    # What the worker does, and what breaks

    @rule()
    def work(self) -> None:
        self._try(lambda: converge(self.practice, self.calendar))

    @rule()
    def look(self) -> None:
        self._try(lambda: pull(self.practice, self.calendar))

    @rule(fault=FAULTS, n=st.integers(min_value=1, max_value=3))
    def something_breaks(self, fault: str, n: int) -> None:
        match fault:
            case "transient":
                self.remote.fail(TransientError("down"), times=n)
            case "lost answer":
                self.remote.fail(TransientError("no answer"), on="put", times=n, answer_lost=True)
                self.remote.fail(TransientError("no answer"), on="remove", times=n, answer_lost=True)
            case "meanwhile":
                self.remote.meanwhile(self._touch_anything, times=n)
            case "stale read":
                self.remote.fail(TransientError("down"), on="read", times=n)
            case _:
                self.remote.expire_tokens()

    @rule(point=st.sampled_from(POINTS), n=st.integers(min_value=0, max_value=4), looking=st.booleans())
    def crash(self, point: str, n: int, looking: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        self.database.die_at(point, n)
        with suppress(CrashError):
            self._try(lambda: (pull if looking else converge)(self.practice, self.calendar))
        self.database.revive()

    # What must hold always

    @invariant()
    def no_time_is_kept_twice(self) -> None:
        if not hasattr(self, "practice"):
            return
        with self.database.read() as db:
            kept = sorted((row.starts_at, row.ends_at, str(row.session_id)) for row in db.execute(EVERY_KEPT_TIME))
        for n, (_, end, session) in enumerate(kept):
            for start, _, other in kept[n + 1 :]:
                assert other == session or start >= end

    @invariant()
    def revisions_only_rise(self) -> None:
        if not hasattr(self, "practice"):
            return
        with self.database.read() as db:
            for session in self.booked:
                now = sessions.get(db, session.id)
                assert now.revision >= self.revisions.get(str(session.id), 0)
                assert now.uid == session.uid
                self.revisions[str(session.id)] = now.revision

    # Helpers

    def _settle(self) -> None:
        """The faults are over: whatever happened, a few quiet rounds put everything right, and then nothing is done."""
        self.remote._faults.clear()
        self.remote._interruptions.clear()
        self.remote.offline = None
        for _ in range(3):
            pull(self.practice, self.calendar)
            converge(self.practice, self.calendar)
        ours = [event for href, event in self.remote.events.items() if not href.startswith("foreign")]
        since = self.practice.now - SETTLED  # what took place before stays as it is, shown or not
        recent = Counter(span for span in self._wanted() if span.end > since)
        settled = sum(span.end <= since for span in self._wanted())
        assert recent <= Counter(event.content.span for event in ours if event.content), "something is missing"
        assert len(ours) - recent.total() <= settled, "an orphan or a double"
        assert doubtful(self.practice, self.calendar.id) == 0
        for href, note in self.notes.items():
            if href in self.remote.events:
                assert self.remote.events[href].note == note
        before = Counter(self.remote.requests)
        pull(self.practice, self.calendar)
        assert converge(self.practice, self.calendar) == 0
        assert Counter(self.remote.requests) - before == Counter(changes=1)

    def _wanted(self) -> list[Span]:
        spans: list[Span] = []
        with self.database.read() as db:
            for booked in self.booked:
                session = sessions.get(db, booked.id)
                if session.state is not SessionState.BOOKED:
                    continue
                spans.append(session.when.span)
                for offer in offers.of_session(db, session.id):
                    if offer.state is OfferState.OPEN:
                        spans += [alternative.when.span for alternative in offer.standing]
        return spans

    def _touch_anything(self) -> None:
        ours = [href for href in self.remote.events if not href.startswith("foreign")]
        if ours:
            self.notes[ours[0]] = "meanwhile"
            self.remote.note(ours[0], "meanwhile")

    def _try(self, act: Callable[[], object]) -> None:
        with suppress(RuleError, TransientError, RefusedError):
            act()

    def _session(self, pick: int) -> Session:
        return self.booked[pick % len(self.booked)]

    def _offer(self, pick: int) -> Offer:
        return self.made[pick % len(self.made)]


@pytest.fixture
def template(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


def run(template: Path, histories: int, steps: int) -> None:
    Life.template = template
    chosen = settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Life, settings=chosen)


def test_two_hundred_histories_of_acts_faults_and_crashes_converge(template: Path) -> None:
    run(template, 200, 25)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_thousands_of_histories_of_acts_faults_and_crashes_converge(template: Path) -> None:
    run(template, 2000, 40)
