"""Calendars behind Outlook: Microsoft 365 of work and school, and personal accounts, through Microsoft Graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from connector.errors import InstallationError, RuleError
from connector.ports import Network, RemoteCalendarInfo, SignInBegun, TokenStore
from providers.outlook import tokens as _graph_tokens
from providers.outlook.calendar import OutlookCalendar
from providers.outlook.http import Graph, Web
from providers.outlook.protocol import Call, nonsense
from providers.outlook.tokens import Authority, Directory, Tokens

_PAGES = 20


def _clock() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)  # noqa: TID251 - where no network brings one


class OutlookAccount:
    """One Microsoft account with its calendars."""

    def __init__(self, graph: Graph, tokens: Tokens, *, clock: Callable[[], datetime]) -> None:
        self._graph = graph
        self._tokens = tokens
        self._clock = clock
        self._open: dict[str, OutlookCalendar] = {}

    def calendars(self) -> Sequence[RemoteCalendarInfo]:
        """Return the account's calendars, those that others share with it included.

        Raises: ProviderError.
        """
        first = Call(method="GET", path="/me/calendars?$select=id,name,canEdit&$top=100")
        return tuple(
            RemoteCalendarInfo(
                remote_id=str(item.get("id")),
                name=str(item.get("name") or ""),
                writable=bool(item.get("canEdit")),
                identity=str(item.get("id")),  # of this mailbox: whom it is shared with knows it by another
            )
            for page in self._graph.pages(first, most=_PAGES)
            for item in page.value()
        )

    def create_calendar(self, name: str) -> RemoteCalendarInfo:
        """Make a calendar; one of that name is taken as it is.

        The listing is asked afterwards: for some accounts the creation's own answer names another id.

        Raises: ProviderError.
        """
        calendar = self._named(name)
        if calendar is None:
            self._graph.call(Call(method="POST", path="/me/calendars", body={"name": name}, repeatable=False)).done()
            calendar = self._named(name)
        if calendar is None:
            raise nonsense()
        return calendar

    def open(self, remote_id: str) -> OutlookCalendar:
        """Return one calendar by its id."""
        if remote_id not in self._open:
            self._open[remote_id] = OutlookCalendar(self._graph, self._tokens, remote_id, clock=self._clock)
        return self._open[remote_id]

    def _named(self, name: str) -> RemoteCalendarInfo | None:
        return next((info for info in self.calendars() if info.name == name and info.writable), None)


class Outlook:
    """Outlook as a provider; all its accounts share the connections of `web`."""

    slug = "outlook"
    label = "Outlook"

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = _clock,
        monotonic: Callable[[], float] = time.monotonic,
        web: Web | None = None,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._web = web or Web()
        self._authority = Authority(self._web, monotonic=monotonic)

    def begin(self, network: Network, state: str) -> SignInBegun:
        """Start a sign-in at Microsoft.

        Raises: RuleError where Outlook is not set up; TransientError.
        """
        try:
            directory = Directory.of(network)
        except InstallationError as error:
            raise RuleError(
                "Outlook is not set up correctly here (%(reason)s). Please ask whoever runs this installation.",
                code="outlook_not_set_up",
                reason=error.sentence,
            ) from error
        return _graph_tokens.begin(self._authority, directory, state)

    def complete(self, network: Network, memory: Mapping[str, str], answer: Mapping[str, str]) -> Mapping[str, str]:
        """Turn the answer of a sign-in into the credentials to keep."""
        return _graph_tokens.complete(self._authority, Directory.of(network), memory, answer)

    def account_key(self, credentials: Mapping[str, str]) -> str | None:
        """Return the id Microsoft has for the account."""
        return credentials.get("home_account_id") or None

    def connect(self, form: Mapping[str, str], network: Network) -> Mapping[str, str]:  # noqa: ARG002 - no form will do
        """Refuse: Microsoft asks for the password itself.

        Raises: RuleError.
        """
        raise RuleError(
            "Outlook is connected by signing in at Microsoft, not by a password.", code="outlook_not_by_password"
        )

    def account(self, tokens: TokenStore, network: Network) -> OutlookAccount:
        """Return the account of these credentials.

        Raises: InstallationError if Outlook is not set up here.
        """
        directory = Directory.of(network)
        bearer = Tokens(tokens, directory, self._authority, monotonic=self._monotonic)
        graph = Graph(self._web, directory.root, bearer, monotonic=self._monotonic)
        return OutlookAccount(graph, bearer, clock=network.clock or self._clock)

    def close(self) -> None:
        """Close all connections."""
        self._web.close()


PROVIDER = Outlook()
