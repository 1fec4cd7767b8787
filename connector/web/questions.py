"""What a practitioner is asked about something they did in their calendar, answered from the mail without signing in.

Opening any of it decides nothing: only the POST of a confirmation does.
"""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.facts import Answer
from connector.domain.people import Actor, Role
from connector.domain.question import Question, QuestionState
from connector.errors import ConflictError, NotFoundError, QuestionClosedError, RuleError
from connector.language.telling import Teller
from connector.services.scheduling import questions
from connector.services.scheduling.conflicts import Consent
from connector.services.views.questions import QuestionPage, question_page
from connector.web import speaking, visit
from connector.web.forms import CHANNELS, AgreementInput

pages = Blueprint("questions", __name__, url_prefix=paths.question("<token>"))


def address(question: Question, choice: Answer | None = None) -> str:
    """Return the path of a question's page, or of the page that confirms one answer."""
    token = visit.runtime().seal.token(questions.PURPOSE, question.id)
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
    answer = next((answer for answer in page.question.row.answers if answer.value == choice), None)
    if answer is None:
        raise NotFoundError("This question has no such answer.", code="answer_not_found")
    if not visit.acting():
        if not page.is_open:
            return _to_show(token)
        zone, now = page.session.when.zone, visit.runtime().clock()
        return _confirm(token, page, answer, AgreementInput.just_now(page.client.name, zone=zone, now=now))
    return _answer(token, page, answer)


def _answer(token: str, page: QuestionPage, answer: Answer) -> ResponseReturnValue:
    runtime, agreement = visit.runtime(), AgreementInput.from_form(request.form)
    now, by = runtime.clock(), Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    attestation = None
    if answer is Answer.AGREED and page.is_open:
        attestation, agreement = agreement.checked(zone=page.session.when.zone, now=now)
        if attestation is None:
            return _confirm(token, page, answer, agreement, status=422)
    try:
        if attestation is not None and page.question.moved_to is not None:
            runtime.read_busy(page.practitioner.id, [page.question.moved_to])
        with runtime.database.begin() as db:
            questions.answer(
                db,
                runtime.policy,
                page.question.id,
                answer,
                by=by,
                now=runtime.clock(),
                attestation=attestation,
                consent=Consent(shown=request.form.get("despite", "")),
            )
    except NotFoundError:
        raise
    except QuestionClosedError:
        is_answered = _page(token).question.state is QuestionState.ANSWERED
        return _show(token, notice=True, status=409 if is_answered else 410)
    except RuleError as error:
        return _confirm(token, page, answer, agreement, error=error)
    if answer is Answer.OFFER_OTHERS:
        return redirect(url_for("offers.draft", session_id=page.session.id), 303)
    return _to_show(token)


def _page(token: str) -> QuestionPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return question_page(db, runtime.seal, token, now=runtime.clock(), languages=runtime.languages)


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    body = speaking.render("question/show.html", token=token, page=page, reader=_reader(page), notice=notice)
    return body, status


def _to_show(token: str) -> ResponseReturnValue:
    return redirect(url_for("questions.show", token=token), 303)


def _confirm(
    token: str,
    page: QuestionPage,
    answer: Answer,
    agreement: AgreementInput,
    *,
    error: RuleError | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    policy, now = visit.runtime().policy, visit.runtime().clock()
    body = speaking.render(
        "question/confirm.html",
        token=token,
        page=page,
        reader=_reader(page),
        answer=answer.value,
        agreement=agreement,
        channels=CHANNELS,
        media=sorted(page.client.reachable & policy.media),
        window=policy.window,
        deadline=now + policy.window,
        error=visit.refusal(error) if error else "",
        conflict=error.key if isinstance(error, ConflictError) else "",
    )
    return body, visit.status_of(error) if error else status


def _reader(page: QuestionPage) -> Teller:
    return speaking.to(page.practitioner)
