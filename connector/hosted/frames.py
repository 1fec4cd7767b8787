"""Our pages in a host's layout: its template, its session, its headers, in a request of its own."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import structlog
from flask import Flask, Response, render_template, request
from jinja2 import TemplateNotFound, TemplateSyntaxError

from connector.errors import SettingsError
from connector.hosted.mounting import request_of_host
from connector.hosted.places import places
from connector.web.framing import FramedPage

log = structlog.get_logger(__name__)


class HostFrame:
    """The layout of a host.

    Args:
        host: The host.
        template: The name of its template.
        takes_mailed: Whether pages that letters lead to come into it, too.
    """

    def __init__(self, host: Flask, template: str, *, takes_mailed: bool) -> None:
        self.takes_mailed = takes_mailed
        self._host = host
        self._template = template
        self._told: set[str] = set()
        self._telling = Lock()

    def around(self, page: FramedPage, *, status: int) -> Response | None:
        """Return a page as the host answers its own: its functions after each request, and its session, come to it."""
        host = self._host
        try:
            with request_of_host(host, request.environ):
                answer = host.make_response(render_template(self._template, pencilled=page))
                answer.status_code = status
                return host.process_response(answer)
        except Exception as error:  # noqa: BLE001 - it is a stranger's template
            self._tell(error)
            return None

    def _tell(self, error: Exception) -> None:
        """Log each kind of fault once: the template fails for every page alike."""
        kind = type(error).__name__
        with self._telling:
            if kind in self._told:
                return
            self._told.add(kind)
        log.error("frame_failed", template=self._template, error=kind, where=places(error))


def faults(host: Flask, template: str) -> Iterator[str]:
    """Say what is wrong with a host's template, as far as it is known while the host is made.

    One that is not there yet may come with a blueprint.
    """
    try:
        _parse(host, template)
    except TemplateNotFound:
        return
    except TemplateSyntaxError as error:
        yield f"frame: line {error.lineno} of the template {template} is no Jinja: {error.message}"


def refuse_missing(host: Flask, template: str) -> None:
    """Raise SettingsError if the host stands, and has no such template, or one that cannot be read."""
    try:
        _parse(host, template)
    except TemplateNotFound:
        raise SettingsError([f"frame: the host has no template {template}"]) from None
    except TemplateSyntaxError as error:
        fault = f"frame: line {error.lineno} of the template {template} is no Jinja: {error.message}"
        raise SettingsError([fault]) from None


def _parse(host: Flask, template: str) -> None:
    environment = host.create_jinja_environment()  # one that is thrown away: the host's own may not be set up yet
    if environment.loader is None:
        raise TemplateNotFound(template)
    source, _, _ = environment.loader.get_source(environment, template)
    environment.parse(source)
