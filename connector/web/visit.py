"""What a request is about: the installation, the practitioner who is signed in, the language to use."""

from __future__ import annotations

from uuid import UUID

from flask import current_app, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector.domain.people import Actor
from connector.errors import (
    ConflictError,
    InstallationError,
    NotFoundError,
    OfferClosedError,
    ProviderError,
    QuestionClosedError,
    RefusedError,
    RuleError,
    StaleAnswerError,
    TimeTakenError,
)
from connector.runtime import Runtime
from connector.services.views import practitioners
from connector.web.words import Words, words_in

EXTENSION = "pencilled"
_PRACTITIONER, _NEXT_PAGE = "practitioner", "wanted"  # the keys in the cookie


def runtime() -> Runtime:
    """Return the installation that this page belongs to."""
    installation: Runtime = current_app.extensions[EXTENSION]
    return installation


def acting() -> bool:
    """Whether this request may change anything: only a POST does, and HEAD is answered like GET."""
    return request.method == "POST"


def sign_in(practitioner_id: UUID) -> str:
    """Remember who this browser belongs to, and return the page they wanted to see."""
    next_page = str(cookie.get(_NEXT_PAGE, ""))
    cookie.clear()
    cookie.permanent = True
    cookie[_PRACTITIONER] = practitioner_id.hex
    return next_page or url_for("sessions.every")


def sign_out() -> None:
    """Forget who this browser belongs to."""
    cookie.clear()


def signed_in() -> UUID | None:
    """Return the practitioner this browser belongs to; None if nobody is signed in."""
    return UUID(hex=cookie[_PRACTITIONER]) if _PRACTITIONER in cookie else None


def practitioner_id() -> UUID:
    """Return the practitioner who is signed in, on a page that `require` guards."""
    identity = signed_in()
    if identity is None:
        raise NotFoundError("Nobody is signed in.")
    return identity


def require() -> ResponseReturnValue | None:
    """Send whoever is not signed in to the sign-in page, and remember what they wanted to see."""
    if signed_in() is not None:
        return None
    if request.method == "GET":
        cookie[_NEXT_PAGE] = request.script_root + request.path
    return redirect(url_for("signin.ask"), 303)


def actor(db: Connection) -> Actor:
    """Return the practitioner who is signed in as the one who acts."""
    return practitioners.actor(db, practitioner_id())


def reader_words() -> Words:
    """Return words in the language the browser prefers, for a page that knows no client."""
    return words_in(reader_language())


def reader_language() -> str:
    """Return the language the browser prefers of those we have."""
    return request.accept_languages.best_match(("en", "de"), "en")


def status_of(error: RuleError) -> int:
    """Return the HTTP status for what the domain has refused."""
    match error:
        case NotFoundError():
            return 404
        case OfferClosedError() | QuestionClosedError() | StaleAnswerError() | TimeTakenError() | ConflictError():
            return 409
        case _:
            return 422


def sentence(error: RuleError | ProviderError) -> str:
    """Say what went wrong as a sentence, with what to do about it."""
    text = str(error).strip() or "The calendar service did not do what was asked"
    text = text[0].upper() + text[1:]
    full = text if text.endswith((".", "?", "!")) else f"{text}."
    if isinstance(error, RuleError | RefusedError):
        return full
    if isinstance(error, InstallationError):
        return (
            f"{full} This is not about your account: whoever runs this installation is told, and has to put it right. "
            "Please try again later."
        )
    return f"{full} Please try again."
