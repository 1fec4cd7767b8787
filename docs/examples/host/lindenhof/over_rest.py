"""Pencilled beside the platform, as a service of its own: its API is asked, and its webhooks are heard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
from uuid import uuid4
from zoneinfo import ZoneInfo

import jwt
from flask import Flask, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from standardwebhooks import Webhook, WebhookVerificationError

from lindenhof import bookings, people, site
from lindenhof.bookings import Booking
from lindenhof.people import Person, Role
from lindenhof.rearranging import MINUTES, PLACE, STEP_MINUTES, AwayError, TakenError

_SECONDS, _ASSERTED_SECONDS = 20, 60
_TIME_GONE = {"time_taken", "conflict_in_calendar", "time_passed"}


def create_app(**settings: object) -> Flask:
    """Make the platform; `PENCILLED_URL`, `PENCILLED_KEY` and `PENCILLED_WEBHOOK_SECRET` are its settings beside.

    With a `PENCILLED_ASSERTION_KEY` clients answer signed in here: `/answer` is what Pencilled sends them to.
    """
    app = site.create_app(settings)
    site.use(app, OverRest(app.config["PENCILLED_URL"], app.config["PENCILLED_KEY"]))
    site.without_form_token(app, receive)
    app.add_url_rule("/outcomes", view_func=receive, methods=["POST"])
    if app.config.get("PENCILLED_ASSERTION_KEY"):
        app.add_url_rule("/answer", view_func=answer)
    return app


def receive() -> ResponseReturnValue:
    """Take in an outcome that Pencilled has signed; whatever else comes is refused."""
    secret = site.setting("PENCILLED_WEBHOOK_SECRET")
    try:
        outcome = Webhook(secret).verify(request.get_data(), dict(request.headers))
    except (WebhookVerificationError, ValueError):
        abort(400)
    bookings.hear(request.headers["webhook-id"], outcome["type"], outcome["data"])
    return "", 204


def answer() -> ResponseReturnValue:
    """Have a client sign in, and say to Pencilled who they are: for one offer, for a minute, once."""
    person, url = people.present(), site.setting("PENCILLED_URL").rstrip("/")
    if person is None:
        return redirect(url_for("sign_in", next=request.full_path))
    now = int(datetime.now(UTC).timestamp())
    said = {
        "aud": url,
        "offer": request.args.get("offer", ""),
        "sub": person.external_id,
        "iat": now,
        "exp": now + _ASSERTED_SECONDS,
        "jti": uuid4().hex,
    }
    text = jwt.encode(said, site.setting("PENCILLED_ASSERTION_KEY"), algorithm="HS256")
    page = make_response(render_template("answer.html", url=f"{url}/answer/assertion", assertion=text))
    page.headers["Content-Security-Policy"] = f"{site.POLICY} {url}"  # whose last word is where forms may go
    page.headers["Cache-Control"] = "no-store"
    return page


class Refused(Exception):  # noqa: N818 - an answer, not always an error
    """Pencilled said no."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.code = code


class OverRest:
    """Asks a Pencilled by HTTP."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._ids: dict[str, str] = {}

    def introduce(self, person: Person) -> None:
        """Put the person there under the id that they have here."""
        if person.role is Role.STAFF:
            return
        body = {"name": person.name, "email": person.email, "zone": person.zone}
        path = f"/{person.role}s/by-external-id/{quote(person.external_id)}"
        self._ids[person.external_id] = self._ask("PUT", path, body)["id"]

    def free(self, practitioner: Person, start: datetime, end: datetime) -> list[datetime]:
        """Ask when somebody is free, in their calendars, too.

        Raises: AwayError while that is not known.
        """
        span = {"from": start.isoformat(), "to": end.isoformat(), "minutes": MINUTES, "step": STEP_MINUTES}
        path = f"/practitioners/{self._id(practitioner)}/availability?{urlencode(span)}"
        found = self._ask("GET", path)
        if not found["starts"] and not found["complete"]:  # a calendar is being read, for the first time perhaps
            raise AwayError
        return [datetime.fromisoformat(at) for at in found["starts"]]

    def book(self, booking: Booking, practitioner: Person, client: Person) -> str:
        """Book it under its own name: however often this is sent, it is booked once."""
        self.introduce(client)
        zone = ZoneInfo(practitioner.zone)
        body = {
            "practitioner_external_id": practitioner.external_id,
            "client_external_id": client.external_id,
            "external_id": booking.external_id,
            "time": {
                "start": booking.start.astimezone(zone).isoformat(),
                "end": booking.end.astimezone(zone).isoformat(),
                "zone": practitioner.zone,
            },
            "location": {"kind": "in_person", "text": PLACE},
        }
        try:
            session = self._ask("POST", "/sessions", body, Idempotency_Key=booking.external_id)
        except Refused as refused:
            if refused.code in _TIME_GONE:
                raise TakenError from refused
            raise
        return str(session["id"])

    def cancel(self, booking: Booking) -> None:
        """Cancel it; its client is told, and it leaves the calendars."""
        try:
            self._ask("POST", f"/sessions/{booking.session}/cancel", {}, If_Match="*")
        except Refused as refused:
            if refused.code != "session_cancelled":
                raise

    def session_page(self, booking: Booking, person: Person) -> str:
        """Its page there, where the practitioner signs in by a mailed link; the staff would ask over REST."""
        if person.role is not Role.PRACTITIONER:
            return ""
        return f"{self._url}/sessions/{booking.session}"

    def calendars_page(self, practitioner: Person, back: str) -> str:
        """Have a link made that connects one account, and leads back."""
        path = f"/practitioners/{self._id(practitioner)}/connect-links"
        return str(self._ask("POST", path, {"return_url": back})["url"])

    def _id(self, person: Person) -> str:
        if person.external_id not in self._ids:
            self.introduce(person)
        return self._ids[person.external_id]

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Ask for something.

        Raises: Refused with its code; AwayError when to ask again is all that can be done.
        """
        sent = {"Authorization": f"Bearer {self._key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        try:
            asking = Request(f"{self._url}/api/v1{path}", data, sent, method=method)  # noqa: S310 - of our settings
            with urlopen(asking, timeout=_SECONDS) as answer:  # noqa: S310 - likewise
                said: dict[str, Any] = json.load(answer)
                return said
        except HTTPError as error:
            with error:
                if error.code in (429, 502, 503, 504):
                    raise AwayError from error
                raise Refused(error.code, json.load(error).get("code", "")) from error
        except (URLError, TimeoutError) as error:
            raise AwayError from error
