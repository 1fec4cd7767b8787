"""In which language a page speaks: that of whom it is for, else the one that the browser prefers of those offered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from flask import Flask, current_app, g, request
from jinja2 import Environment

from connector.language.catalogues import Language
from connector.language.offered import Languages
from connector.language.telling import Teller
from connector.language.templates import speak
from connector.language.wishes import preferred
from connector.web.framing import Parts, parts

_VOICES = "pencilled_voices"


class Reader(Protocol):
    """Whom a page is for."""

    @property
    def locale(self) -> str:
        """Such as en, de_AT or en-US."""

    @property
    def zone(self) -> str:
        """An IANA name."""


@dataclass(frozen=True, slots=True)
class _Voices:
    """The languages that are offered, who asks whom a page is for, and for each language what renders its pages."""

    languages: Languages
    locale: Callable[[], str | None]
    environments: dict[str, Environment] = field(default_factory=dict)


def prepare(app: Flask, languages: Languages, locale: Callable[[], str | None]) -> None:
    """Have the pages of an application speak these languages.

    Args:
        app: The application.
        languages: What is offered.
        locale: Returns the locale of whom a request is for, or None; asked where no view has said it with `to`.
    """
    app.extensions[_VOICES] = _Voices(languages, locale)


def to(reader: Reader) -> Teller:
    """Have this page speak to somebody, and return who tells them of times and places."""
    teller = Teller.to(locale=reader.locale, zone=reader.zone, languages=_voices().languages)
    g.language = teller.language
    return teller


def language() -> Language:
    """Return the language of this page."""
    if "language" not in g:
        locale = _voices().locale()
        g.language = _preferred() if locale is None else _voices().languages.of(locale)
    spoken: Language = g.language
    return spoken


def say(message: str, /, **filled: Any) -> str:
    """Say a message in the language of this page."""
    return language().say(message, **filled)


def render(template: str, /, **content: Any) -> str:
    """Return a page in its language; nothing yet where it comes in the layout of a host, after everything else."""
    current_app.update_template_context(content)
    return _rendered(template, content, parts(partial(_rendered, template, content, None)))


def _rendered(template: str, content: dict[str, Any], framed: Parts | None) -> str:
    spoken = language()
    page = _environment(spoken).get_template(template).render({"language": spoken, "framed": framed, **content})
    return page if framed is None else ""


def _preferred() -> Language:
    """Return which of the languages on offer the browser prefers."""
    return preferred(_voices().languages, request.headers.get("Accept-Language", ""))


def _voices() -> _Voices:
    voices: _Voices = current_app.extensions[_VOICES]
    return voices


def _environment(spoken: Language) -> Environment:
    environments = _voices().environments
    if spoken.tag not in environments:
        environment = current_app.jinja_env.overlay()
        environment.globals = dict(current_app.jinja_env.globals)
        environment.policies = dict(current_app.jinja_env.policies)
        environments[spoken.tag] = speak(environment, spoken)
    return environments[spoken.tag]
