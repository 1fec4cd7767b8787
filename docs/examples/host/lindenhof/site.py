"""The platform's pages. What keeps its times is plugged in by `use`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask import (
    Flask,
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.cli import with_appcontext
from flask.typing import ResponseReturnValue

from lindenhof import bookings, people, storage
from lindenhof.people import Person, Role
from lindenhof.rearranging import MINUTES, AwayError, Rearranging, TakenError

ZONE = "Europe/Berlin"
DAYS = 14
_FEWEST_CHARACTERS = 8
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Make the platform without anything that keeps its times; settings also come from `LINDENHOF_…` variables."""
    app = Flask("lindenhof")
    app.config.from_mapping(DATABASE="lindenhof.sqlite3", HASHING="scrypt", SESSION_COOKIE_SAMESITE="Lax")
    app.config.from_prefixed_env("LINDENHOF")
    app.config.from_mapping(settings)
    app.extensions["without_form_token"] = set()
    storage.attach(app)
    app.before_request(_check_form)
    app.after_request(_harden)
    app.add_template_filter(_clock, "clock")
    app.add_template_filter(_day, "day")
    app.add_template_global(_form_token, "form_token")
    app.add_template_global(people.present, "present")
    app.add_url_rule("/", view_func=home)
    app.add_url_rule("/sign-in", view_func=sign_in, methods=["GET", "POST"])
    app.add_url_rule("/join", view_func=join, methods=["GET", "POST"])
    app.add_url_rule("/sign-out", view_func=sign_out, methods=["POST"])
    app.add_url_rule("/with/<int:practitioner_id>", view_func=times)
    app.add_url_rule("/with/<int:practitioner_id>/<start>", view_func=book, methods=["GET", "POST"])
    app.add_url_rule("/bookings", view_func=mine)
    app.add_url_rule("/bookings/<int:booking_id>/cancel", view_func=cancel, methods=["POST"])
    app.add_url_rule("/calendars", view_func=calendars)
    app.register_error_handler(AwayError, _away)
    app.cli.add_command(_begin)
    return app


def use(app: Flask, rearranging: Rearranging) -> None:
    """Plug in what keeps the times."""
    app.extensions["rearranging"] = rearranging


def without_form_token(app: Flask, view: Callable[[], ResponseReturnValue]) -> None:
    """Let a view be posted to by programs, which have no form."""
    app.extensions["without_form_token"].add(view.__name__)


def setting(name: str) -> str:
    """Return a setting of the platform that runs."""
    return str(current_app.config[name])


# Pages


def home() -> ResponseReturnValue:
    """Say who there is to book with."""
    return render_template("home.html", practitioners=people.practitioners())


def sign_in() -> ResponseReturnValue:
    """Let somebody in who knows their password, and lead them to where they were going."""
    if request.method == "GET":
        return render_template("sign_in.html", email="")
    email = request.form.get("email", "").strip()
    person = people.check(email, request.form.get("password", ""))
    if person is None:
        flash("That is not a known address with its password.")
        return render_template("sign_in.html", email=email), 422
    return _welcome(person)


def join() -> ResponseReturnValue:
    """Take a new client in."""
    if request.method == "GET":
        return render_template("join.html", name="", email="")
    name, email, password = (request.form.get(field, "").strip() for field in ("name", "email", "password"))
    if not name or "@" not in email or len(password) < _FEWEST_CHARACTERS:
        flash(f"We need your name, your address, and a password of at least {_FEWEST_CHARACTERS} characters.")
        return render_template("join.html", name=name, email=email), 422
    try:
        person = people.add(Role.CLIENT, name=name, email=email, zone=ZONE, password=password)
    except people.EmailTakenError:
        flash("There is an account with this address. Please sign in.")
        return render_template("join.html", name=name, email=email), 422
    return _welcome(person)


def sign_out() -> ResponseReturnValue:
    """Let nobody be signed in any more."""
    people.sign_out()
    return redirect(url_for("home"), 303)


def times(practitioner_id: int) -> ResponseReturnValue:
    """Say when a practitioner is free."""
    practitioner, now = _practitioner(practitioner_id), _now()
    zone = ZoneInfo(practitioner.zone)
    starts = [at.astimezone(zone) for at in _rearranging().free(practitioner, now, now + timedelta(days=DAYS))]
    days = [(day, list(times)) for day, times in groupby(starts, key=datetime.date)]
    return render_template("times.html", practitioner=practitioner, days=days)


def book(practitioner_id: int, start: str) -> ResponseReturnValue:
    """Show what would be booked, and book it."""
    practitioner, at = _practitioner(practitioner_id), _moment(start)
    client = people.present()
    if client is None:
        return redirect(url_for("sign_in", next=request.path))
    if client.role is not Role.CLIENT:
        flash("Sessions are booked by clients. You are signed in as somebody else.")
        return redirect(url_for("times", practitioner_id=practitioner.id), 303)
    at = at.astimezone(ZoneInfo(practitioner.zone))
    if request.method == "GET":
        return render_template("book.html", practitioner=practitioner, start=at, minutes=MINUTES)
    booking = bookings.ask(practitioner, client, at, MINUTES)
    try:
        name = _rearranging().book(booking, practitioner, client)
    except TakenError:
        bookings.forget(booking)
        flash("Somebody was quicker: this time is taken. Here is what is free.")
        return redirect(url_for("times", practitioner_id=practitioner.id), 303)
    bookings.confirm(booking, name)
    flash("You are booked.")
    return redirect(url_for("mine"), 303)


def mine() -> ResponseReturnValue:
    """Show somebody's bookings: a client's own, a practitioner's day, or all of them to the staff."""
    person = people.present()
    if person is None:
        return redirect(url_for("sign_in", next=request.path))
    coming = [booking for booking in bookings.of(person) if booking.end > _now()]
    rows = [(booking, _rearranging().session_page(booking, person)) for booking in coming]
    return render_template("bookings.html", rows=rows, zone=ZoneInfo(person.zone))


def cancel(booking_id: int) -> ResponseReturnValue:
    """Let a client cancel what is theirs."""
    person = people.present()
    try:
        booking = bookings.get(booking_id)
    except LookupError:
        abort(404)
    if person is None or person.id != booking.client_id:
        abort(404)
    _rearranging().cancel(booking)
    bookings.cancel(booking)
    flash("The session is cancelled.")
    return redirect(url_for("mine"), 303)


def calendars() -> ResponseReturnValue:
    """Lead a practitioner to where calendars are connected; they come back to their bookings."""
    person = people.present()
    if person is None or person.role is not Role.PRACTITIONER:
        return redirect(url_for("sign_in", next=request.path))
    return redirect(_rearranging().calendars_page(person, url_for("mine", _external=True)) or url_for("mine"))


# What they share


@click.command("begin")
@click.option("--password", prompt=True, hide_input=True, help="What everybody signs in with, to try it out.")
@with_appcontext
def _begin(password: str) -> None:
    """Make the tables, and somebody of each kind: Kim, Alex and Robin, each @lindenhof.example."""
    storage.begin()
    for role, name in ((Role.PRACTITIONER, "Kim"), (Role.CLIENT, "Alex"), (Role.STAFF, "Robin")):
        email = f"{name.lower()}@lindenhof.example"
        try:
            person = people.add(role, name=f"{name} Beispiel", email=email, zone=ZONE, password=password)
        except people.EmailTakenError:
            click.echo(f"{email} is there already.")
        else:
            _introduce(person)
            click.echo(f"{email} can sign in.")


def _rearranging() -> Rearranging:
    plugged: Rearranging = current_app.extensions["rearranging"]
    return plugged


def _welcome(person: Person) -> ResponseReturnValue:
    people.sign_in(person)
    _introduce(person)
    following = request.args.get("next", "")
    is_ours = following.startswith("/") and not following.startswith(("//", "/\\"))
    return redirect(following if is_ours else url_for("mine"), 303)


def _introduce(person: Person) -> None:
    with suppress(AwayError):  # nobody is kept out for that; the next time is soon enough
        _rearranging().introduce(person)


def _practitioner(practitioner_id: int) -> Person:
    person = people.find(practitioner_id)
    if person is None or person.role is not Role.PRACTITIONER:
        abort(404)
    return person


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        abort(404)
    return moment if moment.tzinfo else abort(404)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _away(_error: AwayError) -> ResponseReturnValue:
    return render_template("away.html"), 503


def _form_token() -> str:
    if "form_token" not in session:
        session["form_token"] = secrets.token_urlsafe(16)
    return str(session["form_token"])


def _check_form() -> None:
    """Refuse what was posted from elsewhere."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint in current_app.extensions["without_form_token"]:
        return
    expected = session.get("form_token", "")
    if not expected or not secrets.compare_digest(request.form.get("form_token", "").encode(), expected.encode()):
        abort(400, "This form is too old. Please go back, load the page anew, and try again.")


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _clock(moment: datetime, zone: ZoneInfo | None = None) -> str:
    return f"{moment.astimezone(zone) if zone else moment:%H:%M}"


def _day(moment: datetime | date, zone: ZoneInfo | None = None) -> str:
    if zone is not None and isinstance(moment, datetime):
        moment = moment.astimezone(zone)
    return f"{moment:%A, %-d %B}"
