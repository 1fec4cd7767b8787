"""The client's answer page. Opening any of it changes nothing: only the POST of a confirmation does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector import paths
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Role
from connector.domain.span import When
from connector.errors import (
    CodeRefusedError,
    NotFoundError,
    OfferClosedError,
    PastSpanError,
    RuleError,
    StaleAnswerError,
    TimeTakenError,
)
from connector.language.messages import marked
from connector.services.scheduling import answers, codes, wishes
from connector.services.views import page_states
from connector.services.views.answer_page import AnswerPage, answer_page
from connector.web import client_present, speaking, subscriptions, visit, watched
from connector.web.forms import moment
from connector.web.wish_input import WishInput

pages = Blueprint("answer", __name__)
pages.before_request(client_present.only_the_client)

_PAGE = paths.answer("<token>")
_WAY = re.compile(r"choose/[0-9a-f-]{36}|none|cancel")
_ANSWERED = (OfferState.ACCEPTED, OfferState.REJECTED, OfferState.CANCELLED)
_ALREADY = marked("You have answered already, and that first answer stands. Nothing was changed.")
_STALE = marked(
    "This time has changed since you opened the page. Please look at the new time below. Nothing was booked yet."
)
_BEGUN = marked("This time has already begun. Please choose one of the others. Nothing was changed.")
_GONE = marked("This time is no longer offered. Please choose one of the others. Nothing was changed.")
_UNSENT = marked(
    "This offer was over before your answer came, so nothing was sent. What you have written stands below: send it if "
    "it still holds."
)
_REFUSED = marked("That was not possible just now, and nothing was changed. Please try once more.")


@pages.post(paths.assertion())
def let_in() -> ResponseReturnValue:
    """Let in whom the host says to be the client; it has no form of ours to post, and so no token of one."""
    return client_present.take()


@pages.get(_PAGE)
def show(token: str) -> ResponseReturnValue:
    """Show the times to choose from, or what happened."""
    return _show(token)


@pages.get(f"{_PAGE}/state")
def state(token: str) -> ResponseReturnValue:
    """Tell whoever has the page open whether it would show something else by now."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        word = page_states.of_answer(db, runtime.seal, token, now=runtime.clock())
    return watched.state(word)


@pages.get(f"{_PAGE}/choose/<uuid:alternative_id>")
def choose(token: str, alternative_id: UUID) -> ResponseReturnValue:
    """Ask whether it should be this time."""
    page = _page(token)
    choice = page.choice(alternative_id)
    if page.state is not OfferState.OPEN or choice.gone:
        return _to_show(token)
    return _render("answer/choose.html", token, page, choice=choice)


@pages.post(f"{_PAGE}/choose/<uuid:alternative_id>")
def accept(token: str, alternative_id: UUID) -> ResponseReturnValue:
    """Move the session to this time, provided that it is still the time the page showed."""
    shown = _start_on_page()

    def apply(db: Connection, offer_id: UUID, by: Actor, now: datetime) -> Offer:
        return answers.accept(db, visit.runtime().policy, offer_id, alternative_id, by=by, now=now, shown=shown)

    return _answer(token, apply, way=f"choose/{alternative_id}", alternative_id=alternative_id)


@pages.get(f"{_PAGE}/none")
def none(token: str) -> ResponseReturnValue:
    """Ask whether really none of the times suits."""
    page = _page(token)
    return _render("answer/none.html", token, page) if page.says_more else _to_show(token)


@pages.post(f"{_PAGE}/none")
def reject(token: str) -> ResponseReturnValue:
    """None of the times suits, and what would: the session keeps its time, and the offer stands if they say so."""
    page, now = _page(token), visit.runtime().clock()
    times, wish = WishInput.from_form(request.form, page.when).checked(page.zone, after=now)
    if wish.has_faults:
        return _render("answer/none.html", token, page, wish=wish), 422
    try:
        has_written = _say(page, wish, times, now)
    except NotFoundError:
        raise
    except CodeRefusedError as error:
        speaking.to(page)
        return _question(token, "none", notice=visit.refusal(error)), visit.status_of(error)
    except (OfferClosedError, PastSpanError) as error:
        if not wish.is_blank and isinstance(error, OfferClosedError) and _page(token).says_more:
            speaking.to(page)
            kept = replace(wish, error=speaking.say(_UNSENT))
            return _render("answer/none.html", token, _page(token), wish=kept), 410
        return _refused(error, token, page, None)
    except RuleError as error:
        speaking.to(page)
        body = _render("answer/none.html", token, _page(token), wish=wish.refused(error))
        return body, visit.status_of(error)
    return redirect(url_for("answer.show", token=token, written="yes"), 303) if has_written else _to_show(token)


def _say(page: AnswerPage, wish: WishInput, times: Sequence[When], now: datetime) -> bool:
    runtime = visit.runtime()
    if page.state is OfferState.OPEN:
        _check_code(page)
    with runtime.database.begin() as db:
        return wishes.write(
            db,
            runtime.policy,
            page.offer_id,
            words=wish.words,
            times=times,
            rejects="keep" not in request.form,
            came_by=page.came_by,
            by=Actor(role=Role.CLIENT, name=page.client_name),
            now=now,
        )


@pages.get(f"{_PAGE}/cancel")
def cancel(token: str) -> ResponseReturnValue:
    """Ask whether the booking itself should be cancelled."""
    page = _page(token)
    return _render("answer/cancel.html", token, page) if page.state is OfferState.OPEN else _to_show(token)


@pages.post(f"{_PAGE}/cancel")
def cancel_booking(token: str) -> ResponseReturnValue:
    """Cancel the booking itself."""

    def apply(db: Connection, offer_id: UUID, by: Actor, now: datetime) -> Offer:
        return answers.cancel_booking(db, visit.runtime().policy, offer_id, by=by, now=now)

    return _answer(token, apply, way="cancel")


@pages.post(f"{_PAGE}/code")
def send_code(token: str) -> ResponseReturnValue:
    """Send a code to the client, and show the question again that it is typed for."""
    page, way, runtime = _page(token), request.form.get("for", ""), visit.runtime()
    try:
        with runtime.database.begin() as db:
            codes.send(db, runtime.policy, runtime.seal, page.offer_id, page.came_by, now=runtime.clock())
    except CodeRefusedError as error:
        speaking.to(page)
        return _question(token, way, notice=visit.refusal(error)), visit.status_of(error)
    return redirect(url_for("answer.show", token=token) + (f"/{way}" if _WAY.fullmatch(way) else ""), 303)


def _answer(
    token: str,
    apply: Callable[[Connection, UUID, Actor, datetime], Offer],
    *,
    way: str,
    alternative_id: UUID | None = None,
) -> ResponseReturnValue:
    """Carry out an answer, unless whoever gives it lacks what proves that they are the client."""
    page = _page(token)
    runtime = visit.runtime()
    try:
        if page.state is OfferState.OPEN:  # whoever is late changes nothing anyway, and is shown how it ended
            _check_code(page)
        with runtime.database.begin() as db:
            apply(db, page.offer_id, Actor(role=Role.CLIENT, name=page.client_name), runtime.clock())
    except NotFoundError:
        raise
    except CodeRefusedError as error:
        speaking.to(page)
        return _question(token, way, notice=visit.refusal(error)), visit.status_of(error)
    except RuleError as error:
        return _refused(error, token, page, alternative_id)
    return _to_show(token)


def _check_code(page: AnswerPage) -> None:
    runtime, typed = visit.runtime(), request.form.get("code", "")
    codes.check(runtime.database, runtime.policy, runtime.seal, page.offer_id, page.came_by, typed, now=runtime.clock())


def _question(token: str, way: str, *, notice: str) -> str:
    """Show once more what somebody was about to answer; the page itself where that is not asked any more."""
    page = _page(token)
    kind, _, identity = way.partition("/")
    choice = next((choice for choice in page.choices if str(choice.id) == identity), None)
    is_asked = page.state is OfferState.OPEN and _WAY.fullmatch(way)
    if not is_asked or (kind == "choose" and (choice is None or choice.gone)):
        return _render("answer/show.html", token, page, notice=notice)
    return _render(f"answer/{kind}.html", token, page, notice=notice, choice=choice)


def _refused(error: RuleError, token: str, page: AnswerPage, alternative_id: UUID | None) -> ResponseReturnValue:
    """Say why an answer was not accepted, above what stands now; `page` is how it stood before."""
    speaking.to(page)
    match error:
        case OfferClosedError(state=state) if state in _ANSWERED:
            return _show(token, notice=speaking.say(_ALREADY), status=409)
        case OfferClosedError():
            return _show(token, status=410)
        case StaleAnswerError():
            return _ask_again(token, alternative_id, notice=speaking.say(_STALE))
        case PastSpanError():
            return _show(token, notice=speaking.say(_BEGUN), status=409)
        case TimeTakenError():
            return _show(token, notice=speaking.say(_GONE), status=409)
        case _:
            is_gone = alternative_id is not None and _page(token).choice(alternative_id).gone
            return _show(token, notice=speaking.say(_GONE if is_gone else _REFUSED), status=409)


def _ask_again(token: str, alternative_id: UUID | None, *, notice: str) -> ResponseReturnValue:
    page = _page(token)
    choice = next((choice for choice in page.choices if choice.id == alternative_id), None)
    return _render("answer/choose.html", token, page, notice=notice, choice=choice), 409


def _start_on_page() -> datetime:
    """Return the start that the page showed; one long past if the form names none, for then it proves nothing."""
    return moment(request.form.get("shown", "")) or datetime(2000, 1, 1, tzinfo=UTC)


def _page(token: str) -> AnswerPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return answer_page(db, runtime.policy, runtime.seal, token, now=runtime.clock())


def _show(token: str, *, notice: str = "", status: int = 200) -> ResponseReturnValue:
    return _render("answer/show.html", token, _page(token), notice=notice), status


def _to_show(token: str) -> ResponseReturnValue:
    return redirect(url_for("answer.show", token=token), 303)


def _render(template: str, token: str, page: AnswerPage, *, notice: str = "", **more: object) -> str:
    return speaking.render(
        template,
        token=token,
        page=page,
        reader=speaking.to(page),
        notice=notice,
        subscription="" if page.gets_mail else subscriptions.address_of(page.session_id),
        typed=request.form.get("code", ""),
        state="" if visit.acting() else page.version,
        own_page=url_for("mine.show", token=page.own_page),
        written="written" in request.args and page.says_more,
        **({"wish": WishInput.from_form(request.form, page.when), "most": wishes.LONGEST} | more),
    )
