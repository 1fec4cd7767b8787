"""Any history of edits, faults and crashes: no client is moved or cancelled without a person deciding it.

And once things are quiet, the calendar shows exactly what it should, and nothing more is done.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import hypothesis
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

from connector.domain.facts import Answer, EntryReverted, EventDeleted, EventMoved, PractitionerAsked, QuestionKind
from connector.domain.offer import Offer
from connector.domain.question import Question
from connector.domain.session import Session, SessionState
from connector.domain.span import Span
from connector.errors import EditConflictError, MissingError, RefusedError, RuleError, TransientError
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services.people import change_practitioner
from connector.services.scheduling.questions import answer as answer_question
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.services.sync.push import LONG_OVER
from connector.services.titles import words_of
from connector.storage import messages, mirrors, offers, questions, sessions, tables
from connector.storage.ledger import BACKOFF_LONGEST, Kind
from providers.memory import provider as memory
from providers.memory.events import Event
from tests.compiled import share_compiled_statements
from tests.domain.examples import ATTESTED, KIM, SUPPORT, when
from tests.services.connected import connect, converge, doubtful, look, notify, pull, push, remote, work
from tests.services.crashes import POINTS, CrashError, MortalDatabase
from tests.services.practice import Practice

FAULTS = st.sampled_from(["transient", "lost answer", "meanwhile", "expired token", "stale read", "gone", "forbidden"])
HOURS = st.integers(min_value=30, max_value=200)
PICK = st.integers(min_value=0, max_value=9)
EDITS = st.sampled_from(
    ["note", "drag", "drag", "drag back", "delete", "delete", "undo", "rename", "all day", "foreign"]
)
EVERY_KEPT_TIME = sa.select(tables.occupancy)
ABOUT_EDITS = [fact.tag for fact in (EventMoved, EventDeleted, EntryReverted, PractitionerAsked)]
WITH_CALENDAR = ("booked", "moved", "corrected", "relocated", "accepted")  # mails that write a client's calendar


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
        self.remote.on_write = self.database.on_write
        self.booked: list[Session] = []
        self.made: list[Offer] = []
        self.revisions: dict[UUID, int] = {}
        self.notes: dict[str, str] = {}
        self.deleted: list[Event] = []
        self.agreed: dict[UUID, Span] = {}  # what the client has said yes to, or somebody has attested
        self.ended: set[UUID] = set()  # sessions that a person has cancelled
        self.pages: dict[UUID, dict[UUID, datetime]] = {}  # the times on an answer page, as last opened
        self.read: set[UUID] = set()  # mails that have been looked at
        self.touched: set[UUID] = set()  # sessions of which somebody has touched an event

    def teardown(self) -> None:
        if hasattr(self, "practice"):
            self._settle()
            self.database.dispose()
            memory.forget(str(self.practice.kim.id))
            shutil.rmtree(self.folder, ignore_errors=True)

    # What people do on their pages

    @rule(hours=HOURS)
    def book(self, hours: int) -> None:
        def book() -> None:
            session = self.practice.book(hours)
            self.booked.append(session)
            self.agreed[session.id] = session.when.span

        self._try(book)

    @precondition(lambda self: self.booked)
    @rule(pick=PICK, hours=HOURS)
    def move(self, pick: int, hours: int) -> None:
        session = self._session(pick)
        if self._try(lambda: self.practice.move(session, when(hours))):
            self.agreed[session.id] = when(hours).span

    @precondition(lambda self: self.booked)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        session = self._session(pick)
        if self._try(lambda: self.practice.cancel(session)):
            self.ended.add(session.id)

    @precondition(lambda self: self.booked)
    @rule(pick=PICK, hours=st.lists(HOURS, min_size=1, max_size=4))
    def offer(self, pick: int, hours: list[int]) -> None:
        self._try(lambda: self.made.append(self.practice.offer(self._session(pick), *hours)))

    @rule(pick=PICK)
    def open_the_answer_page(self, pick: int) -> None:
        offer = self._offer(pick)
        if offer is not None:
            current = self.practice.offer_now(offer)
            self.pages[offer.id] = {a.id: a.when.span.start for a in current.alternatives}

    @rule(pick=PICK, n=st.integers(min_value=0, max_value=3), support=st.booleans())
    def accept(self, pick: int, n: int, support: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        offer = self._offer(pick)
        if offer is None or (not support and offer.id not in self.pages):
            return
        n %= len(offer.alternatives)
        page_time = None if support else self.pages[offer.id][offer.alternatives[n].id]
        before = self.practice.session(self._of(offer))
        standing = self.practice.offer_now(offer).alternatives[n].when.span
        accept = self.practice.accept
        outcome = self._try(lambda: accept(offer, n, by=SUPPORT) if support else accept(offer, n, shown=page_time))
        if outcome and self.practice.session(self._of(offer)).revision > before.revision:
            assert page_time is None or page_time == standing.start, "a time was accepted that the page did not show"
            self.agreed[offer.session_id] = standing

    @rule(pick=PICK, kind=st.sampled_from(["reject", "cancel_booking", "withdraw"]))
    def end(self, pick: int, kind: str) -> None:
        offer = self._offer(pick)
        if offer is not None and self._try(lambda: getattr(self.practice, kind)(offer)) and kind == "cancel_booking":
            self.ended.add(offer.session_id)

    @rule(pick=PICK, choice=PICK)
    def answer(self, pick: int, choice: int) -> None:
        open_questions = self._questions()
        if not open_questions:
            return
        question = open_questions[pick % len(open_questions)]
        answer_choice = question.row.answers[choice % len(question.row.answers)]
        if self._try(lambda: self._answer(question, answer_choice)):
            if answer_choice is Answer.AGREED and question.moved_to:
                self.agreed[question.session_id] = question.moved_to.span
            if answer_choice is Answer.CANCEL:
                self.ended.add(question.session_id)

    @rule(how=st.sampled_from([How.REVERT, How.ACCEPT]))
    def say_how_to_go_on(self, how: How) -> None:
        self._try(lambda: self._resume(how))

    @rule(locale=st.sampled_from(["en", "de_AT", "fi"]))
    def read_another_language(self, locale: str) -> None:
        with self.database.begin() as db:
            change_practitioner(db, self.practice.kim.id, {"locale": locale}, by=KIM, now=self.practice.now)

    @rule(languages=st.sampled_from([ENGLISH_ONLY, Languages()]))
    def offer_other_languages(self, languages: Languages) -> None:
        """Nothing is due by it, as after an upgrade."""
        self.practice.policy = replace(self.practice.policy, languages=languages)

    @rule(hours=st.integers(min_value=1, max_value=13))
    def time_passes(self, hours: int) -> None:
        self.practice.wait(hours=hours)
        self._clock_strikes()

    @rule()
    def a_minute_passes(self) -> None:
        self.practice.wait(seconds=61)
        self._clock_strikes()

    # What the practitioner does in their own calendar

    @rule(pick=PICK, kind=EDITS, hours=HOURS)
    def touch(self, pick: int, kind: str, hours: int) -> None:
        if kind == "foreign":
            self.remote.add_foreign(when(hours).span)
            return
        if kind == "undo":
            self._undo()
            return
        ours = self._ours()
        if ours:
            self._do(kind, ours[pick % len(ours)], hours)

    @rule()
    def sweep_the_calendar(self) -> None:
        for href in list(self.remote.events):
            self._do("delete", href, 0)

    # What the worker does, and what breaks

    @rule()
    def work(self) -> None:
        work(self.practice, self.calendar)

    @rule(pushed=st.booleans())
    def look(self, pushed: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        (push if pushed else look)(self.practice, self.calendar)

    @rule(fault=FAULTS, n=st.integers(min_value=1, max_value=3), hours=HOURS)
    def something_breaks(self, fault: str, n: int, hours: int) -> None:
        match fault:
            case "transient":
                self.remote.fail(TransientError("down"), times=n)
            case "lost answer":
                self.remote.fail(TransientError("no answer"), on="put", times=n, answer_lost=True)
                self.remote.fail(TransientError("no answer"), on="remove", times=n, answer_lost=True)
            case "meanwhile":
                self.remote.meanwhile(lambda: self._touch_anything(hours), times=n)
            case "stale read":
                self.remote.fail(TransientError("down"), on="read", times=n)
            case "gone":
                self.remote.fail(MissingError("there is no such calendar"), on="changes")
            case "forbidden":
                self.remote.fail(RefusedError("not for you"), on="changes")
            case _:
                self.remote.expire_tokens()

    @rule(point=st.sampled_from(POINTS), n=st.integers(min_value=0, max_value=5), looking=st.booleans())
    def crash(self, point: str, n: int, looking: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        if looking:
            notify(self.practice, self.calendar)
        self.database.die_at(point, n)
        with suppress(CrashError):
            (look if looking else work)(self.practice, self.calendar)
        self.database.revive()

    # What must hold always

    @invariant()
    def no_time_is_kept_twice(self) -> None:
        if not hasattr(self, "practice"):
            return
        with self.database.read() as db:
            times = sorted((row.starts_at, row.ends_at, str(row.session_id)) for row in db.execute(EVERY_KEPT_TIME))
        for n, (_, end, session) in enumerate(times):
            for start, _, other in times[n + 1 :]:
                assert other == session or start >= end

    @invariant()
    def no_client_is_moved_or_cancelled_without_a_person_deciding_it(self) -> None:
        if not hasattr(self, "practice"):
            return
        with self.database.read() as db:
            for booked in self.booked:
                current = sessions.get(db, booked.id)
                assert current.when.span == self.agreed[booked.id]
                assert (current.state is SessionState.CANCELLED) == (booked.id in self.ended)
                assert current.uid == booked.uid
                assert current.revision >= self.revisions.get(booked.id, 0)
                self.revisions[booked.id] = current.revision

    @invariant()
    def nobody_is_asked_about_what_we_wrote_ourselves(self) -> None:
        if not hasattr(self, "practice"):
            return
        with self.database.read() as db:
            facts = db.execute(sa.select(tables.facts.c.session_id).where(tables.facts.c.kind.in_(ABOUT_EDITS)))
            assert set(facts.scalars()) <= self.touched

    @invariant()
    def a_clients_calendar_shows_only_what_they_have_agreed_to(self) -> None:
        if not hasattr(self, "practice"):
            return
        with self.database.read() as db:
            for booked in self.booked:
                for message in messages.of_session(db, booked.id):
                    if message.id in self.read or not message.to_client:
                        continue
                    self.read.add(message.id)
                    if message.kind.value in WITH_CALENDAR and message.notice.session:
                        assert message.notice.session.when.span == self.agreed[booked.id]
                    if message.kind.value == "cancelled":
                        assert booked.id in self.ended

    # Helpers

    def _settle(self) -> None:
        """The faults are over: whatever happened, what is due puts everything right, and then nothing is done."""
        self.remote._faults.clear()
        self.remote._interruptions.clear()
        self.remote.offline = None
        for _ in range(4):
            self._carry_out()
            with suppress(RuleError):
                self._resume(How.REVERT)
            self._carry_out()
            self.practice.now += BACKOFF_LONGEST
        self._clock_strikes()
        self._carry_out()
        ours = [self.remote.events[href] for href in self._ours()]
        since = self.practice.now - LONG_OVER  # what took place before stays as it is, shown or not
        expected = self._wanted()
        missing = Counter(span for span in expected if span.end > self.practice.now) - _spans(ours)
        assert not missing, "something is missing"
        holds = _spans([event for event in ours if _is_hold(event)])
        assert holds == Counter(self._offered()), "a hold without an open alternative, or the reverse"
        surplus = _spans(ours) - Counter(expected)
        assert not [span for span in surplus if span.end > since], "an orphan or a double"
        titles = {event.content.title for event in ours if event.content and event.content.span.end > self.practice.now}
        assert titles <= self._titles(), "a title in another language"
        assert doubtful(self.practice, self.calendar.id) == 0
        for href, note in self.notes.items():
            if href in self.remote.events:
                assert self.remote.events[href].note == note
        self.no_client_is_moved_or_cancelled_without_a_person_deciding_it()
        self.a_clients_calendar_shows_only_what_they_have_agreed_to()
        before = Counter(self.remote.requests)
        pull(self.practice, self.calendar)
        assert converge(self.practice, self.calendar) == 0
        assert Counter(self.remote.requests) - before == Counter(changes=1)

    def _titles(self) -> set[str]:
        """How entries are named by now."""
        with self.database.read() as db:
            words = words_of(db, self.practice.policy, self.practice.kim.id)
        return {f"{word}: A. C." for word in (words.session, words.hold)}

    def _wanted(self) -> list[Span]:
        spans = self._offered()
        open_questions = {question.session_id: question for question in self._questions()}
        with self.database.read() as db:
            for booked in self.booked:
                session, question = sessions.get(db, booked.id), open_questions.get(booked.id)
                if session.state is not SessionState.BOOKED:
                    continue
                if question is None or question.kind is QuestionKind.REPLACE:
                    spans.append(session.when.span)
                elif question.moved_to is not None:
                    spans.append(question.moved_to.span)
        return spans

    def _offered(self) -> list[Span]:
        with self.database.read() as db:
            open_offers = offers.open_of_practitioner(db, self.practice.kim.id)
        return [a.when.span for offer in open_offers for a in offer.standing]

    def _questions(self) -> list[Question]:
        with self.database.read() as db:
            open_questions = questions.open_of_practitioner(db, self.practice.kim.id)
        return sorted(
            open_questions.values(),
            key=lambda question: [session.id for session in self.booked].index(question.session_id),
        )

    def _answer(self, question: Question, chosen: Answer) -> None:
        attestation = ATTESTED if chosen is Answer.AGREED else None
        with self.database.begin() as db:
            answer_question(
                db,
                self.practice.policy,
                question.id,
                chosen,
                by=KIM,
                now=self.practice.now,
                attestation=attestation,
            )

    def _resume(self, how: How) -> None:
        with self.database.begin() as db:
            breaker.resume(db, self.calendar.id, how, by=KIM, now=self.practice.now)

    def _clock_strikes(self) -> None:
        """Do what the clock asks of offers and questions."""
        self.practice.carry_out(Kind.OFFER, Kind.QUESTION)

    def _carry_out(self) -> None:
        """Read and write what is due."""
        self.practice.carry_out(Kind.CALENDAR, Kind.PULL, of=[self.calendar])

    def _do(self, kind: str, href: str, hours: int) -> None:
        with self.database.read() as db:
            self.touched |= {mirror.session_id for _, mirror in mirrors.named(db, href)}
        match kind:
            case "note":
                self.notes[href] = f"note {hours}"
                self.remote.note(href, self.notes[href])
            case "drag":
                self.remote.move(href, when(hours).span)
            case "drag back":
                self.remote.move(href, when(48).span)
            case "delete":
                self.notes.pop(href, None)
                self.deleted.append(self.remote.events[href])
                self.remote.delete(href)
            case "rename":
                self.remote.retitle(href, "Renamed")
            case _:
                self.remote.make_all_day(href)

    def _undo(self) -> None:
        """Bring the event that was deleted last back, as the program's undo does."""
        if self.deleted:
            event = self.deleted.pop()
            if event.href not in self.remote.events:
                self.remote.restore(event)

    def _touch_anything(self, hours: int) -> None:
        ours = self._ours()
        if ours:
            self._do("drag" if hours % 2 else "note", ours[hours % len(ours)], hours)

    def _ours(self) -> list[str]:
        return [href for href in self.remote.events if not href.startswith("foreign")]

    def _try(self, use_case: Callable[[], object]) -> bool:
        with suppress(RuleError, TransientError, RefusedError, EditConflictError):
            use_case()
            return True
        return False

    def _session(self, pick: int) -> Session:
        return self.booked[pick % len(self.booked)]

    def _of(self, offer: Offer) -> Session:
        return next(session for session in self.booked if session.id == offer.session_id)

    def _offer(self, pick: int) -> Offer | None:
        """Return an offer, those that came of questions among them."""
        with self.database.read() as db:
            own_offers = [offer for session in self.booked for offer in reversed(offers.of_session(db, session.id))]
        return own_offers[pick % len(own_offers)] if own_offers else None


def _spans(events: list[Event]) -> Counter[Span]:
    return Counter(event.content.span for event in events if event.content)


def _is_hold(event: Event) -> bool:
    return event.content is not None and event.content.title.startswith(("Hold", "Reserviert"))


@pytest.fixture
def template(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


def run(template: Path, histories: int, steps: int, *, seed: int | None = None) -> None:
    Life.template = template
    options = settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    machine = Life if seed is None else hypothesis.seed(seed)(Life)
    run_state_machine_as_test(machine, settings=options)


@pytest.mark.slow
def test_thirty_histories_of_edits_faults_and_crashes_converge(template: Path) -> None:
    run(template, 30, 25)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_hundreds_of_histories_of_edits_faults_and_crashes_converge(template: Path) -> None:
    shares = os.cpu_count() or 1  # this process only waits for them
    fresh = get_context("spawn")
    with ProcessPoolExecutor(shares, mp_context=fresh, initializer=share_compiled_statements) as pool:
        running = [pool.submit(run, template, 200 // shares, 25, seed=seed) for seed in range(shares)]
        for future in running:
            future.result()
