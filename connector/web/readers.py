"""Whom a request is for: asked by every page that nobody else has said it of, faults among them."""

from __future__ import annotations

import structlog
from flask import request

from connector import paths
from connector.domain.notice_table import Link
from connector.services.views import readers
from connector.web import visit

_LINKS = {
    paths.answer(""): Link.ANSWER,
    paths.question(""): Link.QUESTION,
    paths.conflict(""): Link.CONFLICT,
    paths.paused(""): Link.PAUSED,
    paths.sign_in(""): Link.SIGN_IN,
}

log = structlog.get_logger(__name__)


def locale() -> str | None:
    """Return the locale of whom a request is for; None if nobody knows.

    That is whom its mailed link is for, whatever follows the token; else who is signed in, or was last in this browser,
    so that they are told that it has ended, and can sign in again, in their language.
    """
    try:
        return _of_link() or _of_browser()
    except Exception as error:  # noqa: BLE001  whatever has failed, the page that says so speaks some language
        log.warning("reader_unknown", endpoint=request.endpoint, error=type(error).__name__)
        return None


def _of_link() -> str | None:
    for path, link in _LINKS.items():
        if request.path.startswith(path):
            token, here = request.path.removeprefix(path).partition("/")[0], visit.runtime()
            with here.database.read() as db:
                reader = readers.of_link(db, here.seal, link, token)
            return reader.locale if reader is not None else None
    return None


def _of_browser() -> str | None:
    browser = visit.browser()
    return browser.locale if browser is not None else visit.last_locale()
