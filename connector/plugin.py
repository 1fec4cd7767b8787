"""The extension for Flask: Pencilled in a host's own process, in about ten lines.

::

    pencilled = Pencilled(url_prefix="/rearrange", who=current_practitioner_id, sign_in="/login")
    pencilled.init_app(app)

See docs/integrating.md.
"""

from __future__ import annotations

import inspect
import os
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Flask, current_app, has_app_context

from connector.errors import SettingsError
from connector.hosted.face import Face
from connector.hosted.names import refuse_taken

if TYPE_CHECKING:
    from connector.hosted.installation import Installation
    from connector.hosted.outcome_hook import OnOutcome
    from connector.runtime import Runtime

EXTENSION = "pencilled"
_STARTS = ("elected", "command")


class Pencilled(Face):
    """Our pages, API and hooks within a host's application, under one path.

    Nothing is opened, started or asked while a host is made: that happens at the first request, or the first use, in
    each process. One object can serve several hosts, as the tests of a host make them.

    Args:
        host: The host, for whoever makes no application factory.
        url_prefix: The path under which everything of ours is.
        settings: `CONNECTOR_*` names and their values; None for those of the environment.
        who: Returns the host's own id (external_id) of the practitioner who is present, None for nobody. Left out,
            practitioners sign in by a mailed link.
        support: Returns the name of a support person who is present, None for nobody.
        client: Returns the host's own id of the client who is present, None for nobody; for the answer policy `host`.
        sign_in: Where whoever is not signed in is sent: a path of the host's, to which `next` is added, or a function
            that is given where they are to come back and returns the address.
        frame: A template of the host's that has our pages put into it; None for a layout of our own.
        frame_answers: Have the pages in it, too, that letters lead to; its scripts can then read their links.
        templates: A folder with templates that take the place of ours of the same name.
        on_outcome: Called with each outcome, within the host's application context, where due work is carried out.
        start: `elected` if one of the host's web processes carries out due work; `command` if `flask pencilled work`
            does. Where the host is TESTING nobody does.
    Raises: SettingsError naming every fault at once, here or at `init_app`.
    """

    def __init__(
        self,
        host: Flask | None = None,
        *,
        url_prefix: str = "/pencilled",
        settings: Mapping[str, str] | None = None,
        who: Callable[[], str | None] | None = None,
        support: Callable[[], str | None] | None = None,
        client: Callable[[], str | None] | None = None,
        sign_in: str | Callable[[str], str] | None = None,
        frame: str | None = None,
        frame_answers: bool = False,
        templates: str | os.PathLike[str] | None = None,
        on_outcome: OnOutcome | None = None,
        start: str = "elected",
    ) -> None:
        self._url_prefix = url_prefix
        self._settings = settings
        self._who, self._support, self._client = who, support, client
        self._sign_in = sign_in
        self._frame, self._frame_answers, self._templates = frame, frame_answers, templates
        self._on_outcome = on_outcome
        self._start = start
        self._hosts = weakref.WeakSet[Flask]()
        self._last: weakref.ref[Flask] | None = None
        refuse_taken()
        if faults := self._faults():
            raise SettingsError(faults)
        if host is not None:
            self.init_app(host)

    def init_app(self, host: Flask) -> None:
        """Mount our application in a host's. Raises: SettingsError."""
        # What these need is imported once nothing of the host's goes by a name of ours.
        from connector import app  # noqa: PLC0415
        from connector.hosted import commands, frames, mounting, outcome_hook, overrides  # noqa: PLC0415
        from connector.hosted.election import Election  # noqa: PLC0415
        from connector.hosted.installation import Installation  # noqa: PLC0415
        from connector.hosted.presence import AskedPresence  # noqa: PLC0415

        if EXTENSION in host.extensions:
            raise SettingsError([f"{host.name} has a Pencilled already: one application takes one"])
        environ = os.environ if self._settings is None else self._settings  # noqa: TID251 - handed on to Settings
        settings = app.read_settings(environ)
        prefix = self._url_prefix
        faults = [*mounting.address_faults(prefix, settings.public_url), *mounting.rule_faults(host, prefix)]
        folder = Path(host.root_path) / self._templates if self._templates is not None else None
        if folder is not None:
            faults += overrides.faults(folder)
        faults += app.answer_faults(settings, names_clients=self._client is not None)
        if self._frame is not None:
            faults += frames.faults(host, self._frame)
        if settings.trusted_proxies:
            faults.append("CONNECTOR_TRUSTED_PROXIES: a host says so itself, by its ProxyFix; leave this at 0")
        if faults:
            raise SettingsError(faults)
        frame = None
        if self._frame is not None:
            frame = frames.HostFrame(host, self._frame, takes_mailed=self._frame_answers)

        def make(runtime: Runtime) -> Flask:
            if self._frame is not None:
                frames.refuse_missing(host, self._frame)
            outcome_hook.equip(runtime, host, self._on_outcome)
            return app.create_app(runtime, presence=presence, frame=frame, overrides=folder)

        installation = Installation(host, settings, prefix=prefix, make=make)
        presence = AskedPresence(
            host,
            root=installation.path.removesuffix(prefix),
            who=self._who,
            support=self._support,
            client=self._client,
            sign_in=self._sign_in,
        )
        election = Election(lambda: installation.runtime, stands=self._start == "elected")
        installation.ending.append(election.stop)
        mounting.mount(
            host,
            lambda inner: mounting.Mount(
                inner,
                prefix=prefix,
                mounted=installation.mounted,
                application=installation,
                check=mounting.Check(host, prefix),
                begin=lambda: None if host.testing else election.take_part(),
            ),
        )
        host.extensions[EXTENSION] = installation
        host.cli.add_command(commands.group(self._settings))
        self._hosts.add(host)
        self._last = weakref.ref(host)

    @property
    def installation(self) -> Installation:
        """The installation of the host that is at work, or of the one that was made last.

        Raises: RuntimeError if there is none.
        """
        host = self._last() if self._last is not None else None
        for one in self._hosts:
            if has_app_context() and current_app == one:  # else another application is at work, such as ours
                host = one
        if host is None:
            raise RuntimeError("this Pencilled is in no application: call init_app first")
        installation: Installation = host.extensions[EXTENSION]
        return installation

    @property
    def runtime(self) -> Runtime:
        """The parts of the installation, opened at first use, once in each process.

        Raises: NotReadyError if there is no database yet, or it is not up to date.
        """
        return self.installation.runtime

    def close(self) -> None:
        """End what this process carries out, and leave the database, as the tests of a host do at their end."""
        self.installation.close()

    def url(self, page: str, identity: UUID | str | None = None, *, absolute: bool = False) -> str:
        """Return the address of a page of ours, for links in the host's templates.

        Args:
            page: `sessions`, `calendars`, `account`, `subscription` or `support`; with an id `session`, `offer` (on
                which other times are offered for a session), `connection` or `support_session`.
            identity: Of what it is about: a `UUID` is ours; text is the host's own id of a session, or ours written
                out (for `connection` and `support_session` ours alone).
            absolute: Give the whole address, as for letters.
        """
        from connector.hosted.addresses import path_of  # noqa: PLC0415 - as in `init_app`

        installation = self.installation
        start = installation.settings.public_url.rstrip("/") if absolute else installation.path
        return start + path_of(page, identity)

    def _faults(self) -> list[str]:
        from connector.hosted.mounting import prefix_faults  # noqa: PLC0415 - as in `init_app`

        faults = [*prefix_faults(self._url_prefix)]
        given: Mapping[Any, Any] = self._settings or {}
        faults += [
            f"settings: {name}: give text, as the environment has it, and not {type(value).__name__}"
            for name, value in given.items()
            if not isinstance(value, str)
        ]
        functions: Mapping[str, Any] = {
            "who": self._who,
            "support": self._support,
            "client": self._client,
            "on_outcome": self._on_outcome,
        }
        faults += [
            f"{name}: give a function, and not its result: {name}=my_function"
            for name, function in functions.items()
            if function is not None and not callable(function)
        ]
        faults += [
            f"{name}: give a plain function: a generator, which is what this one returns, has done nothing yet"
            for name, function in {**functions, "sign_in": self._sign_in}.items()
            if _generates(function)
        ]
        sign_in = self._sign_in
        if isinstance(sign_in, str) and not sign_in.startswith(("/", "http://", "https://")):
            faults.append(f"sign_in: {sign_in!r} is no path of a page; begin it with a slash, such as /login")
        elif sign_in is not None and not isinstance(sign_in, str) and not callable(sign_in):
            faults.append("sign_in: give a path such as /login, or a function that returns one")
        names_somebody = any(function is not None for function in (self._who, self._support, self._client))
        if names_somebody and sign_in is None:
            faults.append("sign_in: say where whoever is not signed in is sent, such as /login")
        if sign_in is not None and not names_somebody:
            faults.append("sign_in: leads nowhere without who, support or client; give one of them")
        if self._frame_answers and self._frame is None:
            faults.append("frame_answers: there is no frame for them; give one")
        if self._start not in _STARTS:
            faults.append(f"start: {self._start!r} is none of {', '.join(_STARTS)}")
        return faults


def _generates(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
