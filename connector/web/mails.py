"""What clients have written, decided about from the letter that tells of it, without signing in.

Opening any of it decides nothing: only a POST does, and what a client would be told of is asked once more before.
"""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.client_mail import TOLD, ClientMail
from connector.domain.facts import MailChoice
from connector.domain.people import Actor, Role
from connector.errors import ConflictError, NotFoundError, QuestionClosedError, RuleError
from connector.language.telling import Teller
from connector.services.scheduling import mails
from connector.services.scheduling.conflicts import Consent
from connector.services.views.client_mails import MailPage, mail_page
from connector.web import speaking, visit

pages = Blueprint("mails", __name__, url_prefix=paths.mail("<token>"))


def address(mail: ClientMail, choice: MailChoice | None = None) -> str:
    """Return the path of a mail's page, or of one decision about it."""
    token = visit.runtime().seal.token(mails.PURPOSE, mail.id)
    if choice is None:
        return url_for("mails.show", token=token)
    return url_for("mails.decide", token=token, choice=choice.value)


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show what was written, and what can be decided about it, or what was."""
    return _show(token)


@pages.route("/<choice>", methods=["GET", "POST"])
def decide(token: str, choice: str) -> ResponseReturnValue:
    """Ask once more and say what will happen; the POST does it."""
    page = _page(token)
    chosen = next((one for one in page.mail.row.choices if one.value == choice), None)
    if chosen is None:
        if page.mail.choice is not None and page.mail.choice.value == choice:
            return _to_show(token)
        raise NotFoundError("Nothing of the sort can be decided about this mail.", code="mail_choice_not_found")
    which = _which(page.mail, chosen)
    if not visit.acting():
        return _confirm(token, page, chosen, which) if page.is_open else _to_show(token)
    return _decide(token, page, chosen, which)


def _which(mail: ClientMail, choice: MailChoice) -> int:
    """Return which of the wished times is agreed to, counted from 0.

    Raises: NotFoundError if the page names none of them: nothing is agreed to by guessing.
    """
    if choice is not MailChoice.AGREE or not mail.wishes:
        return 0
    places = {str(place): place for place in range(len(mail.times))}
    typed = request.values.get("which", "")
    if typed not in places:
        raise NotFoundError("Nothing of the sort can be decided about this mail.", code="mail_choice_not_found")
    return places[typed]


def _decide(token: str, page: MailPage, choice: MailChoice, which: int) -> ResponseReturnValue:
    runtime, mail = visit.runtime(), page.mail
    if choice is MailChoice.AGREE and mail.times and page.is_open:
        runtime.read_busy(mail.practitioner_id, [mail.times[which]])
    by = Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    consent = Consent(shown=request.form.get("despite", ""))
    try:
        with runtime.database.begin() as db:
            mails.decide(db, runtime.policy, mail.id, choice, by=by, now=runtime.clock(), consent=consent, which=which)
    except NotFoundError:
        raise
    except QuestionClosedError as error:
        return _show(token, notice=visit.refusal(error), status=409)
    except RuleError as error:
        return _confirm(token, _page(token), choice, which, error=error)
    return _to_show(token)


def _page(token: str) -> MailPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return mail_page(db, runtime.policy, runtime.seal, token, now=runtime.clock(), languages=runtime.languages)


def _show(token: str, *, notice: str = "", status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    body = speaking.render("mail/show.html", token=token, page=page, reader=_reader(page), notice=notice, told=TOLD)
    return body, status


def _to_show(token: str) -> ResponseReturnValue:
    return redirect(url_for("mails.show", token=token), 303)


def _confirm(
    token: str, page: MailPage, choice: MailChoice, which: int, *, error: RuleError | None = None
) -> ResponseReturnValue:
    body = speaking.render(
        "mail/confirm.html",
        token=token,
        page=page,
        reader=_reader(page),
        choice=choice.value,
        which=which,
        action=address(page.mail, choice),
        error=visit.refusal(error) if error else "",
        conflict=error.key if isinstance(error, ConflictError) else "",
    )
    return body, visit.status_of(error) if error else 200


def _reader(page: MailPage) -> Teller:
    return speaking.to(page.practitioner)
