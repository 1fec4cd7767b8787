"""Who of a host's own users makes a request, where the host runs in this process and says so."""

from __future__ import annotations

from typing import Protocol

from flask import Flask, current_app

_EXTENSION = "pencilled_presence"


class PresenceError(Exception):
    """The host could not say who is present: which of its functions has failed. It is in the log already."""


class StrangerError(Exception):
    """Whom the host names is no practitioner here, or not any more."""


class Presence(Protocol):
    """What a host says of the request that is being answered.

    It is asked while no transaction is open, since it may take its time, and at most once a request for each of the
    three. What it says holds for this request alone: the next one asks again.
    """

    @property
    def names_practitioners(self) -> bool:
        """Whether the host signs practitioners in; else they sign in here, by a mailed link."""

    @property
    def names_support(self) -> bool:
        """Whether the host says when somebody of its support is present; else there are no pages for support."""

    @property
    def names_clients(self) -> bool:
        """Whether the host says which client is present, as the answer policy `host` asks."""

    def practitioner(self) -> str | None:
        """Return the host's own id of the practitioner who is present; None for nobody. Raises: PresenceError."""

    def support(self) -> str | None:
        """Return the name of the support person who is present; None for nobody. Raises: PresenceError."""

    def client(self) -> str | None:
        """Return the host's own id of the client who is present; None for nobody. Raises: PresenceError."""

    def sign_in(self, next_url: str) -> str:
        """Return where whoever is not signed in is sent; `next_url`, a path on this host, is where they come back.

        Raises: PresenceError.
        """


def prepare(app: Flask, presence: Presence) -> None:
    """Have the pages of an application ask a host who is present."""
    app.extensions[_EXTENSION] = presence


def of_host() -> Presence | None:
    """Return who says who is present; None where no host runs in this process."""
    found: Presence | None = current_app.extensions.get(_EXTENSION)
    return found
