"""Google Calendar, by way of Google's own client library; none of it is imported before an account is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from connector.errors import RuleError
from connector.ports import HTTP_TIMEOUT, Network, SignInBegun, TokenStore
from providers.google.tokens import Site

if TYPE_CHECKING:
    from providers.google.calendar import GoogleAccount
    from providers.google.http import Pool


def _clock() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)  # noqa: TID251 - where no network brings one


class Google:
    """Google as a provider. Connections belong to threads and serve every account."""

    slug = "google"
    label = "Google Calendar"

    def __init__(self, *, clock: Callable[[], datetime] = _clock, timeout: timedelta = HTTP_TIMEOUT) -> None:
        self._clock = clock
        self._timeout = timeout
        self._pool: Pool | None = None
        self._lock = Lock()

    def begin(self, network: Network, state: str) -> SignInBegun:
        """Start a sign-in.

        Raises: RuleError if this installation is not registered with Google.
        """
        from providers.google import sign_in  # noqa: PLC0415 - heavy, and rarely needed

        return sign_in.begin(self._site(network), state)

    def complete(self, network: Network, memory: Mapping[str, str], answer: Mapping[str, str]) -> Mapping[str, str]:
        """Turn the answer into credentials.

        Returns: `refresh_token`, `access_token`, `expires_at` (ISO 8601, UTC), `scopes` (separated by blanks),
            `account_id`, `email`; pass them through `reauthorized` before keeping them.
        Raises: RuleError in words for the person; InstallationError; TransientError.
        """
        from providers.google import sign_in  # noqa: PLC0415 - heavy, and rarely needed

        site = self._site(network)
        return sign_in.complete(site, memory, answer, self._connections().post, now=(network.clock or self._clock)())

    def reauthorized(self, kept: Mapping[str, str], fresh: Mapping[str, str]) -> Mapping[str, str]:
        """Return what to keep after a sign-in; `kept` is what the connection had before, empty for a new one.

        Raises: RuleError if Google gave no lasting permission and there was none, or the account is another one.
        """
        from providers.google import sign_in  # noqa: PLC0415 - heavy, and rarely needed

        return sign_in.reauthorized(kept, fresh)

    def account_key(self, credentials: Mapping[str, str]) -> str | None:
        """Return the id Google has for the person, if we know it."""
        return credentials.get("account_id") or None

    def connect(self, form: Mapping[str, str], network: Network) -> Mapping[str, str]:  # noqa: ARG002 - the port's
        """Refuse: there is no form.

        Raises: RuleError.
        """
        raise RuleError(
            "Google Calendar is connected by signing in to Google, not by a password.", code="google_not_by_password"
        )

    def account(self, tokens: TokenStore, network: Network) -> GoogleAccount:
        """Return the account whose credentials are kept there; keep it, and with it the access token in hand.

        Raises: InstallationError if this installation is not registered with Google.
        """
        from providers.google.calendar import GoogleAccount  # noqa: PLC0415 - heavy: see above

        return GoogleAccount(Site.of(network), tokens, self._connections(), network.clock or self._clock)

    def close(self) -> None:
        """Close all connections; nobody may be using them."""
        with self._lock:
            if self._pool:
                self._pool.close()

    def _connections(self) -> Pool:
        from providers.google.http import Pool  # noqa: PLC0415 - heavy: see above

        with self._lock:
            self._pool = self._pool or Pool(self._timeout)
            return self._pool

    def _site(self, network: Network) -> Site:
        if "google" not in network.apps:
            raise RuleError(
                "Google Calendar is not set up here. Please ask whoever runs this installation.",
                code="google_not_set_up",
            )
        return Site.of(network)


PROVIDER = Google()
