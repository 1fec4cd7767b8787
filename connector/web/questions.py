"""What a practitioner is asked about something they did in their calendar, answered from the mail without signing in.

Opening any of it decides nothing: only the POST of a confirmation does.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector import paths
from connector.domain.facts import Answer, PractitionerAnswered, QuestionDropped
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Client, Practitioner, Role
from connector.domain.question import Question, QuestionState
from connector.domain.session import Session
from connector.errors import NotFoundError, QuestionClosedError, RuleError
from connector.services.scheduling import questions as asking
from connector.services.views.answer_page import state_now
from connector.services.views.timeline import Line, line_of
from connector.storage import calendars, offers, people, questions, sessions, timeline
from connector.web import visit
from connector.web.forms import CHANNELS, AgreementInput
from connector.web.times import Reader

pages = Blueprint("questions", __name__, url_prefix=paths.question("<token>"))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPage:
    """What a practitioner sees of a question.

    Attributes:
        state: As of now: a question about an offer that has ended is dropped, whether or not the clock has got to it.
        calendar: The name of the calendar in which it was done; empty if it is disconnected.
        offer: The offer that is open, if there is one.
        ended: Who decided it, and when; None while it is open, or if that is not noted yet.
        by_itself: Nobody decided it; the clock did.
        dropped: What has decided it instead of its practitioner; empty if nothing has.
        newer: The question about the same session that is open instead.
    """

    question: Question
    state: QuestionState
    session: Session
    client: Client
    practitioner: Practitioner
    calendar: str
    offer: Offer | None
    ended: Line | None
    by_itself: bool
    dropped: str
    newer: Question | None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state is QuestionState.OPEN


def address(question: Question, choice: Answer | None = None) -> str:
    """Return the path of a question's page, or of the page that confirms one answer."""
    token = visit.runtime().seal.token(asking.PURPOSE, question.id)
    if choice is None:
        return url_for("questions.show", token=token)
    return url_for("questions.confirm", token=token, choice=choice.value)


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show what is asked, or what became of it."""
    return _show(token)


@pages.route("/<choice>", methods=["GET", "POST"])
def confirm(token: str, choice: str) -> ResponseReturnValue:
    """Ask once more and say what will happen; the POST does it."""
    page = _page(token)
    chosen = next((one for one in page.question.row.answers if one.value == choice), None)
    if chosen is None:
        raise NotFoundError("This is no answer to this question.")
    if not visit.acting():
        if not page.is_open:
            return _to_show(token)
        zone, now = page.session.when.zone, visit.runtime().clock()
        return _confirm(token, page, chosen, AgreementInput.just_now(page.client.name, zone=zone, now=now))
    return _answer(token, page, chosen)


def _answer(token: str, page: QuestionPage, chosen: Answer) -> ResponseReturnValue:
    runtime, typed = visit.runtime(), AgreementInput.typed(request.form)
    now, by = runtime.clock(), Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    try:
        agreed = chosen is Answer.AGREED and page.is_open
        attestation = typed.read(zone=page.session.when.zone, now=now) if agreed else None
        with runtime.database.begin() as db:
            asking.answer(db, runtime.policy, page.question.id, chosen, by=by, now=now, attestation=attestation)
    except NotFoundError:
        raise
    except QuestionClosedError:
        answered = _page(token).question.state is QuestionState.ANSWERED
        return _show(token, notice=True, status=409 if answered else 410)
    except RuleError as error:
        return _confirm(token, page, chosen, typed, error=error)
    if chosen is Answer.OFFER_OTHERS:
        return redirect(url_for("offers.draft", session_id=page.session.id), 303)
    return _to_show(token)


def _page(token: str) -> QuestionPage:
    runtime = visit.runtime()
    now = runtime.clock()
    with runtime.database.read() as db:
        question = asking.find(db, runtime.seal, token, now=now)
        session = sessions.get(db, question.session_id)
        offer = offers.in_state(db, session.id, OfferState.OPEN)
        if offer is not None and state_now(offer, now) is not OfferState.OPEN:
            offer = None
        newer, end = questions.open_of(db, session.id), _end_of(db, question)
        return QuestionPage(
            question=question,
            state=_state(question, offer),
            session=session,
            client=people.client(db, session.client_id),
            practitioner=people.practitioner(db, question.practitioner_id),
            calendar=_calendar(db, question.calendar_id),
            offer=offer,
            ended=line_of(end) if end else None,
            by_itself=end is not None and end.by.role is Role.CLOCK,
            dropped=end.dropped.value if isinstance(end, QuestionDropped) else "",
            newer=newer if newer is not None and newer.id != question.id else None,
        )


def _state(question: Question, open_offer: Offer | None) -> QuestionState:
    if not question.is_open or question.offer_id is None:
        return question.state
    about = open_offer is not None and open_offer.id == question.offer_id
    return QuestionState.OPEN if about else QuestionState.DROPPED


def _calendar(db: Connection, calendar_id: UUID) -> str:
    try:
        return calendars.calendar(db, calendar_id).name
    except NotFoundError:
        return ""


def _end_of(db: Connection, question: Question) -> PractitionerAnswered | QuestionDropped | None:
    for fact in reversed(timeline.of_session(db, question.session_id)):
        if isinstance(fact, PractitionerAnswered | QuestionDropped) and fact.question_id == question.id:
            return fact
    return None


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    shown = render_template("question/show.html", token=token, page=page, reader=_reader(page), notice=notice)
    return shown, status


def _to_show(token: str) -> ResponseReturnValue:
    return redirect(url_for("questions.show", token=token), 303)


def _confirm(
    token: str, page: QuestionPage, chosen: Answer, agreement: AgreementInput, *, error: RuleError | None = None
) -> ResponseReturnValue:
    policy, now = visit.runtime().policy, visit.runtime().clock()
    shown = render_template(
        "question/confirm.html",
        token=token,
        page=page,
        reader=_reader(page),
        chosen=chosen.value,
        agreement=agreement,
        channels=CHANNELS,
        told_by=sorted(page.client.reachable & policy.media),
        window=policy.window,
        deadline=now + policy.window,
        error=str(error) if error else "",
    )
    return shown, visit.status_of(error) if error else 200


def _reader(page: QuestionPage) -> Reader:
    return Reader(zone=page.practitioner.zone, locale=page.practitioner.locale)
