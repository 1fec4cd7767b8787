"""Google Calendar on the loopback: sign-in, the v3 API, batches and pushes, over real sockets.

Every request is held against Google's own description of its API: what that does not allow is answered 400 and noted
in `violations`, so that a test can fail for it. Odd answers are scripted, each for the next call of its method.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

from connector.ports import Network, OAuthApp
from tests.fakes._google_channels import Channels
from tests.fakes._google_oauth import OAuth
from tests.fakes._google_schema import Method, discovery, mask, selected
from tests.fakes._google_store import Calendar, RefusedByGoogle, refusal, refuse
from tests.fakes._google_wire import HangUp, Reply, Request, Server, joined, parts

Forward = Callable[[], Reply]
Script = Callable[[Request, Forward], Reply]
"""Answers one request; the second argument does what would be done without the script."""

MOST_IN_A_BATCH = 50


def says(status: int, reason: str = "backendError", *, retry_after: int | None = None) -> Script:
    """Answer with an error, and do nothing."""
    return lambda _, __: refusal(status, reason, retry_after=retry_after)


def answers(status: int, body: Any = None, **headers: str) -> Script:
    """Answer with anything, and do nothing."""
    return lambda _, __: Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def as_usual(_: Request, forward: Forward) -> Reply:
    return forward()


def hang_up(_: Request, __: Forward) -> Reply:
    raise HangUp


def lose_answer(_: Request, forward: Forward) -> Reply:
    """Do what was asked, and hang up instead of saying so."""
    forward()
    raise HangUp


def after(act: Callable[[], object]) -> Script:
    """Let somebody act just before the request is answered."""

    def script(_: Request, forward: Forward) -> Reply:
        act()
        return forward()

    return script


@dataclass
class Throttle:
    """Every so many calls one is turned away; who comes back too soon is noted in `early`."""

    every: int
    retry_after: int
    calls: int = 0


@dataclass
class Call:
    """One call of a method, alone or as part of a batch."""

    method: str
    request: Request


class Google:
    """Runs while it is used as a context manager.

    Attributes:
        oauth: The sign-in service, with switches of its own.
        calendars: By id.
        requests: HTTP requests as they came in; a batch is one.
        calls: Calls of methods, parts of batches one by one.
        violations: What came in that Google's description does not allow, or that we must never send.
        early: Requests that came before the time Google had named.
        not_configured: Whether the operator's Cloud project lacks the Calendar API, or its billing is off: every call
            of everybody is 403 `accessNotConfigured`.
        channels: Channels and pushes, with switches of their own.
        lock: Whoever changes something beside the requests holds it.
    """

    def __init__(self, clock: Callable[[], datetime], *, account: str = "kim@practice.example") -> None:
        self.clock = clock
        self.oauth = OAuth("client-1", "secret-1", "https://pencilled.example/connections/google", account)
        self.calendars: dict[str, Calendar] = {}
        self.requests: list[Request] = []
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.early: list[str] = []
        self.throttle: Throttle | None = None
        self.outer_401 = False
        self.not_configured = False
        self._not_before = datetime.min.replace(tzinfo=UTC)
        self._scripts: list[tuple[str, Script]] = []
        self._always: list[tuple[str, Script]] = []
        self.lock = threading.RLock()
        self.channels = Channels(clock, self.lock)
        self._server = Server(self._answer)
        self.add_calendar(account, summary="Kim Beispiel")

    @property
    def connections(self) -> int:
        return self._server.connections

    @property
    def network(self) -> Network:
        """What lets a provider reach this instead of Google."""
        root = self._server.url
        urls = {
            "authorize": f"{root}/o/oauth2/v2/auth",
            "token": f"{root}/token",
            "revoke": f"{root}/revoke",
            "api": f"{root}/calendar/v3/",
            "batch": f"{root}/batch/calendar/v3",
        }
        oauth = self.oauth
        app = OAuthApp(
            client_id=oauth.client_id, client_secret=oauth.client_secret, redirect_uri=oauth.redirect_uri, urls=urls
        )
        return Network(inner_hosts=frozenset({"127.0.0.1"}), apps={"google": app})

    def add_calendar(self, identity: str, *, summary: str = "", role: str = "owner", **more: Any) -> Calendar:
        account = self.oauth.account
        owner = account if role == "owner" else "somebody@else.example"
        calendar = Calendar(identity, summary or identity, owner, **more)
        calendar.roles[account] = role
        self.calendars[identity] = calendar
        return calendar

    def once(self, method: str, script: Script, *, times: int = 1) -> None:
        """Script the next calls of a method, of the `batch`, or of `token` and `revoke`; `any` is each of them."""
        self._scripts += [(method, script)] * times

    def always(self, method: str, script: Script) -> None:
        self._always.append((method, script))

    def as_ever(self) -> None:
        """Drop all scripts."""
        self._scripts.clear()
        self._always.clear()

    def forget(self) -> None:
        """Count from here on."""
        self.requests.clear()
        self.calls.clear()

    def count(self) -> Counter[str]:
        return Counter(call.method for call in self.calls)

    def __enter__(self) -> Self:
        self._server.begin()
        self.channels.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.channels.end()
        self._server.end()

    def hang_up(self) -> None:
        """Close every connection that is open."""
        self._server.hang_up()

    # How it works inside.

    def _answer(self, request: Request) -> Reply:
        with self.lock:
            self.requests.append(request)
            if self.clock() < self._not_before:
                self.early.append(f"{request.verb} {request.path}")
        match request.path:
            case "/batch/calendar/v3":
                return self._scripted("batch", request, lambda: self._batch(request))
            case "/token":
                return self._scripted("token", request, lambda: self._locked(self.oauth.token, request, self.clock()))
            case "/revoke":
                return self._scripted("revoke", request, lambda: self._locked(self.oauth.revoke, request))
            case "/o/oauth2/v2/auth":
                answer = self._locked(self.oauth.consent, request.target)
                return Reply(302, None, {"Location": f"{self.oauth.redirect_uri}?{urlencode(answer)}"})
            case _:
                return self._call(request)

    def _locked(self, act: Callable[..., Any], *arguments: Any) -> Any:
        with self.lock:
            return act(*arguments)

    def _scripted(self, method: str, request: Request, forward: Forward) -> Reply:
        with self.lock:
            script = next((one for one in self._scripts if one[0] in {method, "any"}), None)
            if script:
                self._scripts.remove(script)
            else:
                script = next((one for one in self._always if one[0] in {method, "any"}), None)
        return script[1](request, forward) if script else forward()

    def _batch(self, request: Request) -> Reply:
        if self.outer_401 and self.oauth.holder(request, self.clock()) is None:
            return refusal(401, "authError")
        found = parts(request)
        if len(found) > MOST_IN_A_BATCH:
            self.violations.append(f"a batch of {len(found)}")
        return joined([(number, self._call(part)) for number, part in reversed(found)])  # in no order to rely on

    def _call(self, request: Request) -> Reply:
        found = discovery().find(request.verb, request.path)
        if found is None:
            self.violations.append(f"there is no {request.verb} {request.path}")
            return refusal(404, "notFound")
        method, place = found
        with self.lock:
            self.calls.append(Call(method.id, request))
        return self._scripted(method.id, request, lambda: self._do(method, place, request))

    def _do(self, method: Method, place: dict[str, str], request: Request) -> Reply:
        with self.lock:
            body = request.object
            faults = [*discovery().faults(method, request.query, body), *_never(method, request, body)]
            if faults:
                self.violations += faults
                return refusal(400, "badRequest")
            grant = self.oauth.holder(request, self.clock())
            if grant is None:
                return refusal(401, "authError")
            if self.not_configured:
                return refusal(403, "accessNotConfigured")
            if not grant.scopes & method.scopes:
                return refusal(403, "insufficientPermissions")
            if self.throttle is not None and self._is_too_much(self.throttle):
                return refusal(429, "rateLimitExceeded", retry_after=self.throttle.retry_after)
            query = {name: values[0] for name, values in request.query.items()}
            try:
                reply = self._done(method, place, query, body, request.headers.get("if-match"))
            except RefusedByGoogle as refused:
                return refused.reply
            if reply.body is not None:
                self.violations += discovery().answer_faults(method, reply.body)
            if "fields" in query:
                return Reply(reply.status, selected(reply.body, mask(query["fields"])), reply.headers)
            return reply

    def _is_too_much(self, throttle: Throttle) -> bool:
        throttle.calls += 1
        if throttle.calls % throttle.every:
            return False
        self._not_before = self.clock() + timedelta(seconds=throttle.retry_after)
        return True

    def _done(
        self, method: Method, place: dict[str, str], query: dict[str, str], body: Any, match: str | None
    ) -> Reply:
        if method.id == "calendarList.list":
            return Reply(200, self._calendar_list(query))
        if method.id == "calendars.insert":
            return Reply(200, self._new_calendar(body))
        if method.id == "freebusy.query":
            return Reply(200, self._free_busy(body))
        if method.id == "channels.stop":
            return self.channels.stop(body)
        writing = method.verb != "GET" and method.id != "events.watch"
        calendar = self._calendar(place["calendarId"], writing=writing, deleting=method.verb == "DELETE")
        match method.id:
            case "events.list":
                return Reply(200, calendar.page(query, self.clock()))
            case "events.get":
                return Reply(200, calendar.shown(calendar.found(place["eventId"])))
            case "events.watch":
                return Reply(200, self.channels.watch(calendar, body))
        event = self._write(calendar, method.id, place, body, match)
        self.channels.changed(calendar)
        return Reply(204) if event is None else Reply(200, calendar.shown(event), {"ETag": event["etag"]})

    def _write(
        self, calendar: Calendar, method: str, place: dict[str, str], body: Any, match: str | None
    ) -> dict[str, Any] | None:
        now = self.clock()
        if method == "events.insert":
            return calendar.insert(body, now)
        if method == "events.patch":
            return calendar.patch(place["eventId"], body, match, now)
        if method == "events.update":
            return calendar.update(place["eventId"], body, match, now)
        if method == "events.delete":
            calendar.delete(place["eventId"], match, now)
            return None
        raise refuse(501, f"{method} is not played here")

    def _calendar(self, identity: str, *, writing: bool, deleting: bool) -> Calendar:
        account = self.oauth.account
        calendar = self.calendars.get(account if identity == "primary" else identity)
        role = calendar.roles.get(account) if calendar else None
        if calendar is None or role is None:
            raise refuse(404, "notFound")
        if calendar.forbidden or role == "freeBusyReader":
            raise refuse(403, "forbidden")
        if writing and calendar.refuses_writes and not deleting:
            raise refuse(*calendar.refuses_writes)
        if writing and role != "owner":  # `events.owned` reaches no further, whatever the role
            raise refuse(403, "requiredAccessLevel")
        return calendar

    def _calendar_list(self, query: dict[str, str]) -> dict[str, Any]:
        account = self.oauth.account
        shown = [
            {
                "kind": "calendar#calendarListEntry",
                "id": calendar.id,
                "summary": calendar.summary,
                "timeZone": calendar.zone,
                "accessRole": calendar.roles[account],
                **({"primary": True} if calendar.id == account else {}),
            }
            for calendar in self.calendars.values()
            if account in calendar.roles
        ]
        start, size = int(query.get("pageToken", "0")), min(int(query.get("maxResults", "100")), 2)
        rest = {"nextPageToken": str(start + size)} if len(shown) > start + size else {}
        return {"kind": "calendar#calendarList", "etag": '"c"', "items": shown[start : start + size], **rest}

    def _new_calendar(self, body: dict[str, Any]) -> dict[str, Any]:
        calendar = self.add_calendar(
            f"c_{uuid4().hex}@group.calendar.google.com", summary=body["summary"], made_by_us=True
        )
        return {"kind": "calendar#calendar", "id": calendar.id, "summary": calendar.summary, "timeZone": calendar.zone}

    def _free_busy(self, body: dict[str, Any]) -> dict[str, Any]:
        start, end = (datetime.fromisoformat(body[edge]) for edge in ("timeMin", "timeMax"))
        found: dict[str, Any] = {}
        for item in body["items"]:
            calendar = self.calendars.get(item["id"])
            if calendar is None or calendar.forbidden or self.oauth.account not in calendar.roles:
                found[item["id"]] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
            else:
                found[item["id"]] = {"busy": calendar.busy(start, end)}
        return {"kind": "calendar#freeBusy", "timeMin": body["timeMin"], "timeMax": body["timeMax"], "calendars": found}


def _never(method: Method, request: Request, body: Any) -> list[str]:
    """Return what Google would take but we must never send."""
    if not method.id.startswith("events.") or method.id == "events.watch" or method.verb == "GET":
        return []
    faults = []
    if request.query.get("sendUpdates") != ["none"]:
        faults.append(f"{method.id}: Google might write to somebody")
    if isinstance(body, dict):
        forbidden = {"attendees", "organizer", "description", "conferenceData", "iCalUID"}
        faults += [f"{method.id}: {name} is not ours to send" for name in forbidden & body.keys()]
        source = body.get("source")
        is_address = source is None or source["url"].startswith(("http://", "https://"))
        if not is_address or (source is not None and set(source) != {"url", "title"}):
            faults.append(f"{method.id}: a source is an address of the web, and what it is called")
    return faults
