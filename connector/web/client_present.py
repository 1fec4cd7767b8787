"""Where the host says who answers: nobody but the client is shown anything of an offer, or can answer it.

A host in this process is asked at every request. One in another process hands over an assertion; whoever that lets in
keeps a cookie for this one offer, which is good until the browser is closed or nothing was looked at for a while.
It is none of the cookies that the pages keep otherwise: a browser that another site has post here shows none of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, after_this_request, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.answering import AnswerPolicy, Present, who_is_present
from connector.domain.people import Client
from connector.errors import AssertionRefusedError, NotFoundError
from connector.services.scheduling import answers, assertions, session_links
from connector.services.signing_in.log import Event, note
from connector.web import presence, speaking, visit

_COOKIE = "pencilled_client"
_CANCELLING = ("mine.cancel", "mine.cancel_session")  # whose links are of another purpose


def only_the_client() -> ResponseReturnValue | None:
    """Let nobody through to the pages of an offer but its client, where the host says who that is.

    Raises: NotFoundError if the link leads nowhere.
    """
    runtime = visit.runtime()
    if runtime.policy.answers is not AnswerPolicy.HOST or "token" not in (request.view_args or {}):
        return None
    with runtime.database.read() as db:
        offer, client = answers.asked(db, runtime.seal, _token(), now=runtime.clock())
    return _only(client, [offer.id])


def only_the_sessions_client() -> ResponseReturnValue | None:
    """Let nobody through to a client's page of a session but that client, where the host says who that is.

    A host in another process says so of an offer: whoever it has let in to one of this session's, is.

    Raises: NotFoundError if the link leads nowhere.
    """
    runtime = visit.runtime()
    if runtime.policy.answers is not AnswerPolicy.HOST:
        return None
    with runtime.database.read() as db:
        if request.endpoint in _CANCELLING:
            session, client, _ = session_links.find_to_cancel(db, runtime.seal, _token(), now=runtime.clock())
        else:
            session, client = session_links.find(db, runtime.seal, _token(), now=runtime.clock())
        sent = session_links.offers_sent(db, session.id)
    return _only(client, sent)


def _only(client: Client, offer_ids: Sequence[UUID]) -> ResponseReturnValue | None:
    match _present(offer_ids, client):
        case Present.THE_CLIENT:
            return None
        case Present.NOBODY:
            return (visit.once_more() if _is_asked_here() else None) or _page(
                "nobody", 403 if visit.acting() else 200, sign_in=_sign_in(offer_ids)
            )
        case Present.ANOTHER:
            note(Event.OTHER_CLIENT, offer=str(offer_ids[-1]) if offer_ids else "")
            return _page("another", 404, sign_in=_sign_in(offer_ids))
        case never:
            assert_never(never)


def take() -> ResponseReturnValue:
    """Let in whom a host in another process says to be signed in there, and lead them to their offer.

    Raises: NotFoundError where no host says that.
    """
    runtime = visit.runtime()
    settings, now = runtime.settings, runtime.clock()
    if runtime.policy.answers is not AnswerPolicy.HOST or not settings.assertion_keys:
        raise NotFoundError("No sign-ins are taken in here.", code="no_assertions_here")
    try:
        said = assertions.read(
            request.form.get("assertion", ""), keys=settings.assertion_keys, audience=settings.public_url, now=now
        )
        with runtime.database.begin() as db:
            token, mark = assertions.take(db, runtime.seal, said, now=now)
    except AssertionRefusedError as error:
        note(Event.ASSERTION_REFUSED, kind=error.code)
        return _page("refused", visit.status_of(error), message=visit.refusal(error))
    note(Event.ASSERTED, offer=str(said.offer_id))
    return _marked(make_response(redirect(url_for("answer.show", token=token), 303)), said.offer_id, mark)


def _is_asked_here() -> bool:
    """Whether a host in this process is asked, and no assertion looked for."""
    here = presence.of_host()
    return here is not None and here.names_clients


def _present(offer_ids: Sequence[UUID], client: Client) -> Present:
    here = presence.of_host()
    if here is not None and here.names_clients:
        return who_is_present(here.client(), client=client.external_id)
    runtime, now = visit.runtime(), visit.runtime().clock()
    offer_id = next((one for one in reversed(offer_ids) if _is_marked(one, client, now)), None)
    if offer_id is None:
        return Present.NOBODY
    mark = assertions.mark(runtime.seal, offer_id, client.id, now=now)
    after_this_request(lambda response: _marked(response, offer_id, mark))
    return Present.THE_CLIENT


def _is_marked(offer_id: UUID, client: Client, now: datetime) -> bool:
    kept = request.cookies.get(_cookie(offer_id), "")
    return assertions.is_marked(visit.runtime().seal, kept, offer_id, client.id, now=now)


def _sign_in(offer_ids: Sequence[UUID]) -> str:
    """Return where the host signs clients in; the way back is this page, or an assertion. Empty for nowhere."""
    here = presence.of_host()
    if here is not None and here.names_clients:
        is_own = request.path.startswith(paths.mine(""))  # its page of cancelling has a token of its own
        return here.sign_in(request.script_root + (request.path if is_own else paths.answer(_token())))
    if not offer_ids:
        return ""
    address = visit.runtime().settings.host_sign_in_url
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'offer': str(offer_ids[-1])})}"


def _marked(response: Response, offer_id: UUID, mark: str) -> Response:
    """Have a browser keep a mark for the pages of one offer, until it is closed."""
    response.set_cookie(
        _cookie(offer_id),
        mark,
        path=f"{request.script_root}/",  # of the offer, and of the client's page of its session
        secure=_secure(),
        httponly=True,
        samesite="Lax",  # a host on another site posts, and what follows is to be shown
    )
    return response


def _cookie(offer_id: UUID) -> str:
    return f"{'__Secure-' if _secure() else ''}{_COOKIE}_{offer_id.hex}"


def _secure() -> bool:
    return visit.runtime().settings.public_url.startswith("https://")


def _page(kind: str, status: int, *, sign_in: str = "", message: str = "") -> ResponseReturnValue:
    return speaking.render("answer/who.html", kind=kind, sign_in=sign_in, message=message), status


def _token() -> str:
    return str((request.view_args or {})["token"])
