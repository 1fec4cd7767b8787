"""What was queued before there were conversations, and overtaken while it waited, is not told as if it still held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from connector.domain.next_letter import Standing, next_letter
from connector.domain.notice import Choice, Notice, NoticeKind
from connector.domain.people import Medium
from connector.domain.session import Session, SessionState
from connector.services.beliefs import remembered
from connector.storage.messages import Message, MessageState
from tests.domain.conversations import BASIS, World
from tests.domain.examples import NOW, when

TOLD, SECOND, THIRD = when(48), when(72), when(96)
SENT, QUEUED = MessageState.SENT, MessageState.QUEUED


def logged(notice: Notice, state: MessageState) -> Message:
    identity = uuid4()
    return Message(
        id=identity,
        conversation_id=None,
        practitioner_id=uuid4(),
        session_id=notice.session.id if notice.session else None,
        kind=notice.kind,
        medium=Medium.EMAIL,
        to_client=True,
        notice=notice,
        key=str(identity),
        message_id=f"<{identity}@practice.example>",
        state=state,
        queued_at=NOW,
        sent_at=NOW if state is SENT else None,
        error=None,
    )


def told_next(session: Session, *log: Message) -> Notice | None:
    standing = Standing(session=session)
    return next_letter(remembered(log), standing, BASIS, now=NOW).notice


def booked(session: Session) -> Message:
    return logged(replace(BASIS, kind=NoticeKind.BOOKED, session=replace(session, when=TOLD)), SENT)


def queued(session: Session, kind: NoticeKind, **fields: object) -> Message:
    return logged(replace(BASIS, kind=kind, session=session, **fields), QUEUED)  # type: ignore[arg-type]


def test_a_choice_that_was_overtaken_by_a_move_is_not_confirmed_for_another_time() -> None:
    session = World().session
    chosen, moved = replace(session, when=SECOND), replace(session, when=THIRD)

    notice = told_next(
        moved,
        booked(session),
        queued(chosen, NoticeKind.ACCEPTED, old_when=TOLD),
        queued(moved, NoticeKind.MOVED, old_when=SECOND),
    )

    assert notice is not None
    assert (notice.kind, notice.old_when) == (NoticeKind.MOVED, TOLD)


def test_a_correction_that_was_taken_back_before_it_was_told_needs_no_letter() -> None:
    session = World().session
    corrected, back = replace(session, when=SECOND), replace(session, when=TOLD)

    notice = told_next(
        back,
        booked(session),
        queued(corrected, NoticeKind.CORRECTED, old_when=TOLD),
        queued(back, NoticeKind.MOVED, old_when=SECOND),
    )

    assert notice is None


def test_an_offer_that_was_never_answered_does_not_end_with_thanks_for_the_answer_to_another() -> None:
    session = replace(World().session, when=TOLD)
    choices = (Choice(when=SECOND, location=session.location),)
    deadline = NOW + timedelta(hours=24)
    for state in (SENT, QUEUED):
        offered = replace(
            BASIS,
            kind=NoticeKind.OFFERED,
            session=session,
            offer_id=uuid4(),
            choices=choices,
            expires_at=deadline,
        )

        notice = told_next(session, booked(session), queued(session, NoticeKind.REJECTED), logged(offered, state))

        assert notice is None or notice.kind is not NoticeKind.REJECTED


def test_letters_that_left_in_another_order_than_they_were_written_leave_a_doubt_that_is_settled() -> None:
    """The booking arrived after its own cancellation: whoever believed the last letter still comes."""
    session = World().session
    cancelled = replace(session, state=SessionState.CANCELLED, revision=1)
    late = replace(booked(session), sent_at=NOW + timedelta(minutes=6))
    early = replace(
        logged(replace(BASIS, kind=NoticeKind.CANCELLED, session=cancelled), SENT),
        queued_at=NOW + timedelta(minutes=1),
        sent_at=NOW + timedelta(minutes=1),
    )

    notice = told_next(cancelled, late, early)

    assert notice is not None
    assert notice.kind is NoticeKind.CANCELLED
