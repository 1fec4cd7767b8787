"""Do what follows from what a practitioner did in their calendar. No client is moved or cancelled by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offering
from connector.domain import question as asking
from connector.domain.change import ChangeKind, SettledChange
from connector.domain.connection import Calendar
from connector.domain.entry import EntryKind
from connector.domain.facts import Dropped, EventDeleted, EventMoved, Fact, QuestionKind
from connector.domain.notice import RevertReason
from connector.domain.people import Actor, Practitioner, Role
from connector.domain.question import QUESTIONS, Delay, Question
from connector.domain.session import SessionState
from connector.domain.span import LONGEST, SHORTEST, Span, When
from connector.errors import RuleError
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, load, record
from connector.services.sync import reverts
from connector.storage import busy, occupancy


def follow_up(
    db: Connection, policy: Policy, calendar: Calendar, settled_changes: Iterable[SettledChange], *, now: datetime
) -> None:
    """Take in what counts, session by session; the holds of one offer together, so that its client is told once."""
    by_session: dict[UUID, list[SettledChange]] = defaultdict(list)
    for settled_change in settled_changes:
        by_session[settled_change.mirror.session_id].append(settled_change)
    for session_id, some in by_session.items():
        holds = [one for one in some if one.mirror.key.kind is EntryKind.HOLD]
        if holds:
            _Heed(db, policy, calendar, load(db, policy, session_id, now=now), now).holds(holds)
        for one in some:
            if one.mirror.key.kind is EntryKind.SESSION:
                _Heed(db, policy, calendar, load(db, policy, session_id, now=now), now).session(one)


@dataclass(frozen=True, slots=True)
class _Heed:
    """What was done to the entries of one session in one calendar."""

    db: Connection
    policy: Policy
    calendar: Calendar
    case: Case
    now: datetime

    @property
    def by(self) -> Actor:
        """Who did it."""
        return Actor(role=Role.PRACTITIONER, name=self.case.practitioner.name)

    def holds(self, settled_changes: Sequence[SettledChange]) -> None:
        """A deleted hold takes its alternative back; a moved one moves it, or is put back."""
        offer = self.case.open
        facts: list[Fact] = []
        if offer is None:
            return  # answered or ended since: what is left of it is being removed
        transition = offering.Transition(offer=offer, session=self.case.session)
        for one in sorted(
            settled_changes, key=lambda one: one.kind is not ChangeKind.DELETED
        ):  # a time that goes makes room
            match one.kind:
                case ChangeKind.DELETED:
                    facts.append(self._deleted(one))
                    transition = self._withdrawn(transition, one)
                case ChangeKind.MOVED if one.to is not None:
                    moved = self._moved_alternative(transition, one, one.to)
                    if moved is not None:
                        facts.append(self._moved(one, one.to))
                        transition = moved
                case ChangeKind.RESHAPED:
                    self._revert(one, RevertReason.SHAPE)
                case ChangeKind.EDITED:
                    self._revert(one, RevertReason.EDITED)
                case _:
                    pass
        if transition.facts:
            decision = Decision(
                session=transition.session, offers=((transition.offer, offer.state),), facts=(*facts, *transition.facts)
            )
            record(self.db, self.policy, self.case, decision, now=self.now)

    def session(self, one: SettledChange) -> None:
        """What is done to the session's own event is asked about, or put back."""
        if self.case.session.state is not SessionState.BOOKED:
            return
        match one.kind:
            case ChangeKind.DELETED:
                self._ask_about_deletion(one)
            case ChangeKind.MOVED if one.to is not None:
                self._session_moved(one, one.to)
            case ChangeKind.RETURNED:
                self._end(Dropped.BROUGHT_BACK)
            case ChangeKind.RESHAPED:
                self._revert(one, RevertReason.SHAPE)
            case ChangeKind.EDITED:
                self._revert(one, RevertReason.EDITED)
            case _:
                pass

    def _withdrawn(self, transition: offering.Transition, one: SettledChange) -> offering.Transition:
        if transition.offer.alternative(one.mirror.key.id).withdrawn:
            return transition
        after = offering.withdraw_alternative(
            transition.offer, transition.session, one.mirror.key.id, by=self.by, now=self.now
        )
        return replace(after, facts=(*transition.facts, *after.facts))

    def _moved_alternative(
        self, transition: offering.Transition, one: SettledChange, to: Span
    ) -> offering.Transition | None:
        """Move an alternative to where its hold was moved; None if that cannot be, and the hold is put back."""
        when = _when(to, self.case)
        reason = self._hindrance(to)
        if reason is None:
            try:
                after = offering.move_alternative(
                    transition.offer, transition.session, one.mirror.key.id, when, by=self.by, now=self.now
                )
            except RuleError:
                reason = RevertReason.UNFIT
            else:
                return replace(after, facts=(*transition.facts, *after.facts))
        self._revert(one, reason, found=to)
        return None

    def _session_moved(self, one: SettledChange, to: Span) -> None:
        if to == self.case.session.when.span:  # back where the client has it, while we asked
            self._end(Dropped.MOVED_BACK)
            return
        reason = self._hindrance(to)
        if reason is not None:
            self._revert(one, reason, found=to)
            self._end(Dropped.CANNOT_STAND)
            return
        offer = self.case.open
        kind = QuestionKind.MOVED if offer is None else QuestionKind.REPLACE
        asked, fact = asking.ask(
            self.case.session,
            kind,
            calendar_id=self.calendar.id,
            now=self.now,
            within=self._delay(kind),
            moved_to=_when(to, self.case),
            offer_id=offer.id if offer else None,
        )
        self._ask(asked, self._moved(one, to), fact)

    def _ask_about_deletion(self, one: SettledChange) -> None:
        question = self.case.question
        if question is not None and question.kind is QuestionKind.DELETED:
            return  # from another calendar, too: the one question stands
        asked, fact = asking.ask(
            self.case.session,
            QuestionKind.DELETED,
            calendar_id=self.calendar.id,
            now=self.now,
            within=self._delay(QuestionKind.DELETED),
        )
        self._ask(asked, self._deleted(one), fact)

    def _ask(self, asked: Question, *facts: Fact) -> None:
        """Ask in place of what was asked before: the last act counts."""
        decision = Decision(session=self.case.session, questions=(asked,), facts=facts)
        if self.case.question is not None:
            ended, dropped = asking.drop(self.case.question, Dropped.CHANGED_AGAIN, by=self.by, now=self.now)
            decision = replace(decision, questions=(ended, asked), facts=(dropped, *facts))
        record(self.db, self.policy, self.case, decision, now=self.now)

    def _delay(self, kind: QuestionKind) -> timedelta:
        """Return after how long a question answers itself."""
        delay = QUESTIONS[kind].delay
        match delay:
            case Delay.MOVE_ANSWER:
                return self.policy.move_answer
            case Delay.DELETE_ANSWER:
                return self.policy.delete_answer
            case Delay.OPEN_OFFER:
                ends_at = self.case.open.expires_at if self.case.open else None
                return ends_at - self.now if ends_at else timedelta()
            case _:
                assert_never(delay)

    def _end(self, dropped: Dropped) -> None:
        """End what is asked about the same event, if this decides it: it is no longer a question."""
        question = self.case.question
        if question is None or dropped not in question.row.dropped_by or question.calendar_id != self.calendar.id:
            return
        ended, fact = asking.drop(question, dropped, by=self.by, now=self.now)
        decision = Decision(session=self.case.session, questions=(ended,), facts=(fact,))
        record(self.db, self.policy, self.case, decision, now=self.now)

    def _hindrance(self, to: Span) -> RevertReason | None:
        """Return why an entry cannot stand there; None if it can."""
        return hindrance(self.db, self.case.practitioner, self.case.session.id, to, now=self.now)

    def _revert(self, one: SettledChange, reason: RevertReason, *, found: Span | None = None) -> None:
        reverts.revert(self.db, self.policy, self.calendar, one.mirror, reason, found=found, now=self.now)

    def _moved(self, one: SettledChange, to: Span) -> EventMoved:
        return EventMoved(
            at=self.now,
            by=self.by,
            session_id=self.case.session.id,
            connection_id=self.calendar.connection_id,
            key=str(one.mirror.key),
            calendar=self.calendar.name,
            to=_when(to, self.case),
        )

    def _deleted(self, one: SettledChange) -> EventDeleted:
        return EventDeleted(
            at=self.now,
            by=self.by,
            session_id=self.case.session.id,
            connection_id=self.calendar.connection_id,
            key=str(one.mirror.key),
            calendar=self.calendar.name,
        )


def hindrance(
    db: Connection, practitioner: Practitioner, session_id: UUID, to: Span, *, now: datetime
) -> RevertReason | None:
    """Return why an entry of a session cannot stand at a time its practitioner has moved it to; None if it can."""
    if to.start <= now:
        return RevertReason.PAST
    if not SHORTEST <= to.duration <= LONGEST:
        return RevertReason.UNFIT
    if occupancy.taken(db, practitioner.id, to.padded(practitioner.buffer), besides=session_id):
        return RevertReason.TAKEN
    return RevertReason.BUSY if busy.overlapping(db, practitioner.id, to) else None


def _when(to: Span, case: Case) -> When:
    return When.of(to, zone=case.session.when.zone)
