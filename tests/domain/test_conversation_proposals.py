"""A time that a client has asked for and cannot have is told once; who asks how things stand is told again."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from connector.domain import conversation
from connector.domain.conversation import Belief, Conversation
from connector.domain.facts import Fact, MoveReason, OfferSent, SessionCancelled, SessionMoved
from connector.domain.next_letter import Next, Standing, next_letter
from connector.domain.notice import DeclinedProposal, NoticeKind
from connector.domain.session import Session, cancel
from tests.domain.conversations import BASIS
from tests.domain.examples import KIM, NOW, session, when

SESSION: Session = session()
DECLINED = DeclinedProposal(when=when(72), sequence=0, at=NOW)
TOLD = conversation.heard(SESSION, None, now=NOW)
ASKED = conversation.declining(TOLD, DECLINED)


def following(beliefs: Conversation, of: Session = SESSION) -> Next:
    return next_letter(beliefs, Standing(session=of), BASIS, now=NOW)


def kind(beliefs: Conversation, of: Session = SESSION) -> NoticeKind | None:
    notice = following(beliefs, of).notice
    return notice.kind if notice else None


def test_a_time_that_cannot_be_is_told_once() -> None:
    notice = following(ASKED).notice
    assert notice is not None
    assert (notice.kind, notice.declined) == (NoticeKind.PROPOSAL_DECLINED, DECLINED)
    under_way = conversation.handed_over(ASKED, notice, letter := uuid4(), now=NOW)
    assert conversation.arrived(under_way, letter) == TOLD
    assert conversation.not_sent(under_way, letter) == ASKED


def test_two_times_that_cannot_be_are_told_one_after_another() -> None:
    second = DeclinedProposal(when=when(96), sequence=0, at=NOW + timedelta(minutes=1))
    beliefs = conversation.declining(ASKED, second)
    for declined in (DECLINED, second):
        notice = following(beliefs).notice
        assert notice is not None
        assert notice.declined == declined
        beliefs = conversation.arrived(conversation.handed_over(beliefs, notice, letter := uuid4(), now=NOW), letter)
    assert beliefs == TOLD


def test_what_changes_meanwhile_is_told_instead() -> None:
    moved = SessionMoved(at=NOW, by=KIM, old=SESSION.when, new=when(72), reason=MoveReason.AGREED)
    offered = OfferSent(
        at=NOW, by=KIM, alternatives=(when(96),), expires_at=NOW + timedelta(days=1), window=timedelta(days=1)
    )
    facts: tuple[Fact, ...] = (moved, SessionCancelled(at=NOW, by=KIM), offered)
    for fact in facts:
        assert all(not belief.declined for belief in conversation.witnessed(ASKED, [fact]).beliefs)


def test_nothing_of_it_is_told_once_the_session_is_cancelled_or_has_begun() -> None:
    assert kind(ASKED, cancel(SESSION, by=KIM, now=NOW).session) is NoticeKind.CANCELLED
    late = next_letter(ASKED, Standing(session=SESSION), BASIS, now=SESSION.when.span.start)
    assert late.notice is None


def test_who_asks_how_a_session_stands_is_told_again_and_nothing_else() -> None:
    again = conversation.asked_again(TOLD, SESSION)
    notice = following(again).notice
    assert notice is not None
    assert (notice.kind, notice.session, notice.old_when) == (NoticeKind.BOOKED, SESSION, None)
    told = conversation.arrived(conversation.handed_over(again, notice, letter := uuid4(), now=NOW), letter)
    assert told == TOLD


def test_who_asks_about_a_cancelled_session_is_told_again_that_it_ends() -> None:
    cancelled = cancel(SESSION, by=KIM, now=NOW).session
    assert kind(Conversation(), cancelled) is None
    assert kind(conversation.asked_again(Conversation(), cancelled), cancelled) is NoticeKind.CANCELLED


def test_who_asks_while_an_offer_is_open_is_not_offered_it_again() -> None:
    known = Conversation(beliefs=(Belief(known=TOLD.beliefs[0].known, entry=TOLD.beliefs[0].entry),))
    assert conversation.asked_again(known, SESSION).beliefs[0].known == known.beliefs[0].known
