"""Do what follows from what a practitioner did in their calendar. No client is moved or cancelled by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.change import ChangeKind, SettledChange
from connector.domain.connection import Calendar
from connector.domain.entry import EntryKind
from connector.domain.facts import Dropped, EventDeleted, EventMoved, Fact, QuestionKind
from connector.domain.notice import RevertReason
from connector.domain.offer import Transition, move_alternative, withdraw_alternative
from connector.domain.people import Actor, Practitioner, Role
from connector.domain.question import QUESTIONS, Delay, Question, ask, drop
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
    """Do what follows from settled changes, session by session; the holds of one offer together: one notice for all."""
    by_session: dict[UUID, list[SettledChange]] = defaultdict(list)
    for change in settled_changes:
        by_session[change.mirror.session_id].append(change)
    for session_id, changes in by_session.items():
        hold_changes = [change for change in changes if change.mirror.key.kind is EntryKind.HOLD]
        if hold_changes:
            _Edits(db, policy, calendar, load(db, policy, session_id, now=now), now).of_holds(hold_changes)
        for change in changes:
            if change.mirror.key.kind is EntryKind.SESSION:
                _Edits(db, policy, calendar, load(db, policy, session_id, now=now), now).of_session(change)


@dataclass(frozen=True, slots=True)
class _Edits:
    """What follows from edits of the entries of one session in one calendar."""

    db: Connection
    policy: Policy
    calendar: Calendar
    case: Case
    now: datetime

    @property
    def by(self) -> Actor:
        """Who made them."""
        return Actor(role=Role.PRACTITIONER, name=self.case.practitioner.name)

    def of_holds(self, changes: Sequence[SettledChange]) -> None:
        """Withdraw the alternative of each deleted hold; move that of each moved one, or put the hold back."""
        offer = self.case.open
        if offer is None:
            return  # answered or ended since: what is left of it is being removed
        event_facts: list[Fact] = []
        transition = Transition(offer=offer, session=self.case.session)
        # Deletions come first: a time that is given up makes room.
        for change in sorted(changes, key=lambda change: change.kind is not ChangeKind.DELETED):
            event_fact, transition = self._of_hold(transition, change)
            if event_fact is not None:
                event_facts.append(event_fact)
        if transition.facts:
            decision = Decision(
                session=transition.session,
                offers=((transition.offer, offer.state),),
                facts=(*event_facts, *transition.facts),
            )
            record(self.db, self.policy, self.case, decision, now=self.now)

    def _of_hold(self, transition: Transition, change: SettledChange) -> tuple[Fact | None, Transition]:
        """Return what happened to the event of a hold, if it has consequences, and the offer after it."""
        match change.kind:
            case ChangeKind.DELETED:
                return self._event_deleted(change), self._withdraw(transition, change)
            case ChangeKind.MOVED if change.to is not None:
                after = self._move_alternative(transition, change, change.to)
                if after is not None:
                    return self._event_moved(change, change.to), after
            case ChangeKind.RESHAPED:
                self._revert(change, RevertReason.SHAPE)
            case ChangeKind.EDITED:
                self._revert(change, RevertReason.EDITED)
            case _:
                pass
        return None, transition

    def of_session(self, change: SettledChange) -> None:
        """Ask what was meant by an edit of the session's own event, or put the event back."""
        if self.case.session.state is not SessionState.BOOKED:
            return
        match change.kind:
            case ChangeKind.DELETED:
                self._ask_about_deletion(change)
            case ChangeKind.MOVED if change.to is not None:
                self._ask_about_move(change, change.to)
            case ChangeKind.RETURNED:
                self._drop_question(Dropped.BROUGHT_BACK)
            case ChangeKind.RESHAPED:
                self._revert(change, RevertReason.SHAPE)
            case ChangeKind.EDITED:
                self._revert(change, RevertReason.EDITED)
            case _:
                pass

    def _withdraw(self, transition: Transition, change: SettledChange) -> Transition:
        alternative_id = change.mirror.key.id
        if transition.offer.alternative(alternative_id).withdrawn:
            return transition
        after = withdraw_alternative(transition.offer, transition.session, alternative_id, by=self.by, now=self.now)
        return replace(after, facts=(*transition.facts, *after.facts))

    def _move_alternative(self, transition: Transition, change: SettledChange, to: Span) -> Transition | None:
        """Move an alternative to where its hold was moved; None if that cannot be, and the hold is put back."""
        reason = self._hindrance(to)
        if reason is None:
            when, alternative_id = _when(to, self.case), change.mirror.key.id
            try:
                after = move_alternative(
                    transition.offer, transition.session, alternative_id, when, by=self.by, now=self.now
                )
            except RuleError:
                reason = RevertReason.UNFIT
            else:
                return replace(after, facts=(*transition.facts, *after.facts))
        self._revert(change, reason, moved_to=to)
        return None

    def _ask_about_move(self, change: SettledChange, to: Span) -> None:
        if to == self.case.session.when.span:  # back where the client has it, while the practitioner was asked
            self._drop_question(Dropped.MOVED_BACK)
            return
        reason = self._hindrance(to)
        if reason is not None:
            self._revert(change, reason, moved_to=to)
            self._drop_question(Dropped.CANNOT_STAND)
            return
        offer = self.case.open
        kind = QuestionKind.MOVED if offer is None else QuestionKind.REPLACE
        question, fact = ask(
            self.case.session,
            kind,
            calendar_id=self.calendar.id,
            now=self.now,
            within=self._delay(kind),
            moved_to=_when(to, self.case),
            offer_id=offer.id if offer else None,
        )
        self._ask(question, self._event_moved(change, to), fact)

    def _ask_about_deletion(self, change: SettledChange) -> None:
        open_question = self.case.question
        if open_question is not None and open_question.kind is QuestionKind.DELETED:
            return  # from another calendar, too: the one question stands
        question, fact = ask(
            self.case.session,
            QuestionKind.DELETED,
            calendar_id=self.calendar.id,
            now=self.now,
            within=self._delay(QuestionKind.DELETED),
        )
        self._ask(question, self._event_deleted(change), fact)

    def _ask(self, question: Question, *facts: Fact) -> None:
        """Ask in place of what was asked before: the last edit counts."""
        decision = Decision(session=self.case.session, questions=(question,), facts=facts)
        if self.case.question is not None:
            ended, dropped = drop(self.case.question, Dropped.CHANGED_AGAIN, by=self.by, now=self.now)
            decision = replace(decision, questions=(ended, question), facts=(dropped, *facts))
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

    def _drop_question(self, reason: Dropped) -> None:
        """End the open question about the same event if this decides it."""
        question = self.case.question
        if question is None or reason not in question.row.dropped_by or question.calendar_id != self.calendar.id:
            return
        ended, fact = drop(question, reason, by=self.by, now=self.now)
        decision = Decision(session=self.case.session, questions=(ended,), facts=(fact,))
        record(self.db, self.policy, self.case, decision, now=self.now)

    def _hindrance(self, to: Span) -> RevertReason | None:
        """Return why an entry cannot stand there; None if it can."""
        return hindrance(self.db, self.case.practitioner, self.case.session.id, to, now=self.now)

    def _revert(self, change: SettledChange, reason: RevertReason, *, moved_to: Span | None = None) -> None:
        reverts.revert(self.db, self.calendar, change.mirror, reason, found=moved_to, now=self.now)

    def _event_moved(self, change: SettledChange, to: Span) -> EventMoved:
        return EventMoved(
            at=self.now,
            by=self.by,
            session_id=self.case.session.id,
            connection_id=self.calendar.connection_id,
            key=str(change.mirror.key),
            calendar=self.calendar.name,
            to=_when(to, self.case),
        )

    def _event_deleted(self, change: SettledChange) -> EventDeleted:
        return EventDeleted(
            at=self.now,
            by=self.by,
            session_id=self.case.session.id,
            connection_id=self.calendar.connection_id,
            key=str(change.mirror.key),
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
