"""Templates that speak a language: `{% trans %}` and `_()` in them are messages of its catalogue."""

from __future__ import annotations

from jinja2 import Environment

from connector.language.catalogues import Language

EXTENSION = "jinja2.ext.i18n"


def speak(environment: Environment, language: Language) -> Environment:
    """Have an environment speak one language; one environment can speak no other afterwards.

    Line breaks and indentation inside a message are one blank. Values are escaped where the environment escapes, and
    messages are not: they are ours.
    """
    environment.add_extension(EXTENSION)
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # which the extension has just added
        language.gettext,
        language.ngettext,
        newstyle=True,
        pgettext=language.pgettext,
        npgettext=language.npgettext,
    )
    return environment
