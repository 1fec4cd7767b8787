"""The practitioner's clients: whom they know, one of them, and what can be mended about them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.notice import Notice
from connector.domain.people import Client, Consent, Medium, Practitioner
from connector.errors import NotFoundError, RuleError
from connector.language.telling import Teller
from connector.services import duplicates, people
from connector.services.capabilities import lost
from connector.services.duplicates import Acceptance
from connector.services.views import clients as views
from connector.services.views import practitioners
from connector.services.views.phrases import LETTERS
from connector.web import person_forms, speaking, visit
from connector.web.forms import moment
from connector.web.person_forms import ClientInput

_LONGEST_SEARCH = 200
_MOST_LETTERS = 5  # that are named after a change

pages = Blueprint("clients", __name__, url_prefix=paths.CLIENTS)
pages.before_request(visit.require)


@pages.get("")
def every() -> ResponseReturnValue:
    """List whom the practitioner knows, by name, a page at a time."""
    return _list(after=_id(request.args.get("after", "")))


@pages.post("")
def find() -> ResponseReturnValue:
    """List whom the practitioner looks for; what is searched for stands in no address, and so in no log."""
    return _list(text=request.form.get("text", "").strip()[:_LONGEST_SEARCH])


@pages.route("/new", methods=["GET", "POST"])
def add() -> ResponseReturnValue:
    """Add a client."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        practitioner = practitioners.get(db, visit.practitioner_id())
    if not visit.acting():
        form = ClientInput(zone=practitioner.zone, locale=practitioner.locale)
        return _form(None, form)
    by, now = practitioner.name, runtime.clock()
    values, form = ClientInput.from_form(request.form).checked(texts=_texts(), consent=Consent(at=now, by=by))
    if form.errors:
        return _form(None, form, status=422)
    try:
        client = Client(id=uuid4(), **values)
        with runtime.database.begin() as db:
            duplicates.check_new(db, client, of=practitioner.id, accepted=_accepted())
            client = people.add_client(db, client, made_for=practitioner.id, now=now)
    except RuleError as error:
        return _form(None, form.refused(error), status=visit.status_of(error))
    flash(speaking.say("%(client)s is added.", client=client.name), "done")
    return _to(client.id)


@pages.get("/<uuid:client_id>")
def show(client_id: UUID) -> ResponseReturnValue:
    """Show one client, and their sessions with the practitioner."""
    return _page(client_id)


@pages.route("/<uuid:client_id>/change", methods=["GET", "POST"])
def change(client_id: UUID) -> ResponseReturnValue:
    """Change what is given about a client; say before and after what they are told at a new address."""
    runtime, practitioner_id = visit.runtime(), visit.practitioner_id()
    page = _load(client_id)
    if page.client.erased or is_hosts(page.client):
        return _to(client_id)
    if not visit.acting():
        return _form(page, ClientInput.of(page.client))
    now = runtime.clock()
    consent = Consent(at=now, by=page.practitioner.name)
    typed = ClientInput.from_form(request.form)
    values, form = typed.checked(texts=_texts(), consent=consent, before=page.client)
    if form.errors:
        return _form(page, form, status=422)
    try:
        with runtime.database.begin() as db:
            before = views.known(db, practitioner_id, client_id)
            changed = people.change_client(
                db,
                client_id,
                values,
                by=visit.actor(db),
                now=now,
                match=person_forms.matching(typed.version),
                of=practitioner_id,
                accepted=_accepted(),
            )
            letters = views.letters_to(db, practitioner_id, client_id, now=now)
    except NotFoundError:
        raise
    except RuleError as error:
        if error.code == "person_changed":
            page = _load(client_id)
            form = replace(ClientInput.of(page.client), error=visit.refusal(error))
        else:
            form = form.refused(error)
        return _form(page, form, status=visit.status_of(error))
    _tell(page, before, changed, letters)
    return _to(client_id)


@pages.post("/<uuid:client_id>/retire")
def retire(client_id: UUID) -> ResponseReturnValue:
    """Have a client take no new bookings; whatever still stands is named, and has to end first."""
    return _act(client_id, retired=True)


@pages.post("/<uuid:client_id>/unretire")
def unretire(client_id: UUID) -> ResponseReturnValue:
    """Have a client take bookings again."""
    return _act(client_id, retired=False)


def is_hosts(client: Client) -> bool:
    """Whether a client's data are kept by a host in this process, which would soon put back what is changed here."""
    return not visit.signs_in_here() and client.external_id is not None


def _act(client_id: UUID, *, retired: bool) -> ResponseReturnValue:
    runtime, practitioner_id = visit.runtime(), visit.practitioner_id()
    try:
        with runtime.database.begin() as db:
            client = views.known(db, practitioner_id, client_id)
            if is_hosts(client):
                return _to(client_id)
            by, now = visit.actor(db), runtime.clock()
            people.check_theirs_alone(db, client_id, of=practitioner_id)
            if retired:
                people.retire_client(db, client_id, by=by, now=now)
            else:
                people.unretire_client(db, client_id, by=by, now=now)
    except NotFoundError:
        raise
    except RuleError as error:
        return _page(client_id, notice=visit.refusal(error)), visit.status_of(error)
    if retired:
        flash(speaking.say("%(client)s is retired and takes no new bookings.", client=client.name), "done")
    else:
        flash(speaking.say("%(client)s can be booked again.", client=client.name), "done")
    return _to(client_id)


def _tell(page: views.ClientPage, before: Client, changed: Client, letters: tuple[Notice, ...]) -> None:
    """Say what has become of a change: what ended with the former address, and what is sent now."""
    if before == changed and before.consent == changed.consent:
        flash(speaking.say("Nothing has changed, so nobody was told."), "done")
        return
    flash(speaking.say("Saved."), "done")
    ended = lost(before, changed)
    if ended:
        flash(speaking.say("Links that were sent to the former address or number let nobody in any more."), "warning")
    if ended and page.subscribes:
        subscribes = speaking.say(
            "The calendar subscription of %(client)s has ended with the former address. They are invited by mail "
            "again, and can subscribe anew by the link in these mails.",
            client=changed.name,
        )
        flash(subscribes, "warning")
    if letters:
        each = tuple(_letter(one, speaking.to(page.practitioner)) for one in letters[:_MOST_LETTERS])
        to = tuple(dict.fromkeys(one.to.address for one in letters))
        told = speaking.say(
            "%(client)s is being told at %(address)s: %(letters)s.", client=changed.name, address=to, letters=each
        )
        flash(told, "done")


def _letter(notice: Notice, reader: Teller) -> str:
    letter = reader.say(LETTERS[notice.kind])
    if notice.session is None:
        return letter
    return reader.say("%(letter)s (%(when)s)", letter=letter, when=reader.line(notice.session.when.span.start))


def _accepted() -> Acceptance:
    return Acceptance(shown=request.form.get("duplicate", ""))


def _texts() -> bool:
    """Whether this installation texts anybody."""
    return Medium.SMS in visit.runtime().policy.media


def _list(*, text: str = "", after: UUID | None = None) -> ResponseReturnValue:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        page = views.client_list(db, visit.practitioner_id(), text=text, after=after, now=runtime.clock())
    reader = speaking.to(page.practitioner)
    return speaking.render("clients/list.html", page=page, reader=reader, text=text, first=after is None)


def _load(client_id: UUID) -> views.ClientPage:
    runtime = visit.runtime()
    after, before = (moment(request.args.get(name, "")) for name in ("after", "before"))
    with runtime.database.read() as db:
        return views.client_page(
            db,
            runtime.policy,
            visit.practitioner_id(),
            client_id,
            after=after,
            before=None if after else before,
            now=runtime.clock(),
        )


def _page(client_id: UUID, *, notice: str = "") -> str:
    page, now = _load(client_id), visit.runtime().clock()
    reader = speaking.to(page.practitioner)
    language = person_forms.languages(visit.runtime().languages, page.client.locale)[page.client.locale]
    return speaking.render(
        "clients/show.html",
        page=page,
        reader=reader,
        now=now,
        notice=notice,
        is_hosts=is_hosts(page.client),
        told_in=language,
        texts=_texts(),
    )


def _form(page: views.ClientPage | None, form: ClientInput, *, status: int = 200) -> ResponseReturnValue:
    runtime = visit.runtime()
    practitioner = page.practitioner if page is not None else _practitioner()
    reader = speaking.to(practitioner)
    body = speaking.render(
        "clients/form.html",
        page=page,
        form=form,
        reader=reader,
        now=runtime.clock(),
        zones=person_forms.zones(),
        languages=person_forms.languages(runtime.languages, form.locale),
        texts=_texts(),
        others=_alike(form),
    )
    return body, status


def _practitioner() -> Practitioner:
    with visit.runtime().database.read() as db:
        return practitioners.get(db, visit.practitioner_id())


def _alike(form: ClientInput) -> list[Client]:
    """Return those like whom somebody would be, as they were shown."""
    if not form.found:
        return []
    with visit.runtime().database.read() as db:
        return [views.known(db, visit.practitioner_id(), one) for one in form.found]


def _id(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        abort(404)


def _to(client_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("clients.show", client_id=client_id), 303)
