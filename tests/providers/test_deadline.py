"""An exchange with a server ends within its time, however much it says, and however little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from connector.domain.span import Span
from connector.errors import ProviderError, TransientError
from connector.ports import Account, ListsBusy, Network, OAuthApp, RemoteCalendar, UnsavedTokens, Watchable
from providers.caldav.provider import Caldav, CaldavAccount
from providers.google.provider import Google
from providers.google.tokens import URLS
from providers.outlook.http import Graph, Web
from providers.outlook.provider import Outlook, OutlookAccount
from providers.outlook.tokens import WORK, Tokens
from tests.fakes.dripping import HEADERS, HTTP, Drip, Dripping
from tests.providers.contract import creation, failure

LIMIT = timedelta(seconds=0.25)
WEB = Web(LIMIT)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SPAN = Span.of(NOW, NOW + timedelta(days=7))
LOOPBACK = frozenset({"127.0.0.1"})
LONG = pytest.mark.long
BODY = HTTP["a body of known length"]
DRIPS = [pytest.param(drip, id=name, marks=() if drip in {HEADERS, BODY} else LONG) for name, drip in HTTP.items()]


def at_caldav(url: str) -> Account:
    kept = {"username": "kim", "password": "secret", "principal": url, "homes": url}
    return Caldav(timeout=LIMIT).account(UnsavedTokens(kept), Network(inner_hosts=LOOPBACK))


def at_google(url: str) -> Account:
    kept = {"refresh_token": "r", "access_token": "a", "expires_at": (NOW + timedelta(days=1)).isoformat()}
    return Google(clock=lambda: NOW, timeout=LIMIT).account(UnsavedTokens(kept), registered("google", url))


def at_outlook(url: str) -> Account:
    signed = Signed()
    return OutlookAccount(Graph(WEB, url, signed, monotonic=monotonic), signed, clock=lambda: NOW)


class Signed(Tokens):
    """A token at hand."""

    def __init__(self) -> None:
        """Keep nothing."""

    def bearer(self, *, refused: str | None = None) -> str:  # noqa: ARG002 - the port's
        return "token"

    def credentials(self) -> Mapping[str, str]:
        return {"tenant": WORK, "username": "kim@practice.example"}


def registered(slug: str, url: str) -> Network:
    names = URLS if slug == "google" else ("authority", "graph")
    app = OAuthApp(client_id="id", client_secret="s", redirect_uri="https://x.example/", urls=dict.fromkeys(names, url))
    return Network(inner_hosts=LOOPBACK, apps={slug: app}, clock=lambda: NOW)


def is_read(calendar: RemoteCalendar) -> None:
    calendar.read([creation().ref, creation().ref])


def is_listed(calendar: RemoteCalendar) -> None:
    calendar.listing(NOW)


def is_followed(calendar: RemoteCalendar) -> None:
    calendar.changes(None)


def is_busy(calendar: RemoteCalendar) -> None:
    (calendar.list_busy if isinstance(calendar, ListsBusy) else calendar.busy)(SPAN)


def is_written(calendar: RemoteCalendar) -> None:
    raise failure(calendar.apply([creation()]))


def is_watched(calendar: RemoteCalendar) -> None:
    assert isinstance(calendar, Watchable)
    calendar.watch(channel_id="c", secret="s", address="https://x.example/hooks/x", now=NOW)


ACTS = (is_read, is_listed, is_followed, is_busy, is_written, is_watched)
PLACES = [
    pytest.param(at, act, id=f"{at.__name__} {act.__name__}", marks=() if act is is_read else LONG)
    for at in (at_caldav, at_google, at_outlook)
    for act in ACTS
]


@pytest.mark.parametrize(("at", "act"), PLACES)
@pytest.mark.parametrize("drip", DRIPS)
def test_whatever_is_asked_of_a_calendar_ends_in_time(
    at: Callable[[str], Account], act: Callable[[RemoteCalendar], None], drip: Drip
) -> None:
    with Dripping(drip) as server:
        account = at(server.url)
        with pytest.raises(ProviderError):  # a service that speaks in early hints is refused as soon as it does
            act(account.open(f"{server.url}work/"))
        if isinstance(account, CaldavAccount):
            account.close()


@pytest.mark.parametrize("at", [at_caldav, at_google, at_outlook])
def test_a_list_of_calendars_ends_in_time(at: Callable[[str], Account]) -> None:
    with Dripping(HEADERS) as server, pytest.raises(TransientError, match="in time"):
        at(server.url).calendars()


def test_a_sign_in_at_google_ends_in_time() -> None:
    with Dripping(HEADERS) as server:
        provider, network = Google(clock=lambda: NOW, timeout=LIMIT), registered("google", server.url)
        begun = provider.begin(network, "state")
        with pytest.raises(TransientError, match="in time"):
            provider.complete(network, begun.memory, {"code": "c", "state": "state"})


def test_a_sign_in_at_microsoft_ends_in_time() -> None:
    with Dripping(HEADERS) as server:
        provider = Outlook(clock=lambda: NOW, web=WEB)
        with pytest.raises(TransientError, match="in time"):
            provider.begin(registered("outlook", f"{server.url}common"), "state")
