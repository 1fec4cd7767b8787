"""Whom a request is for: asked by every page of which no view has said it, such as one that tells of a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from flask import request

from connector import paths
from connector.domain.notice_table import Link
from connector.services.accounts import connect_links
from connector.services.views import readers
from connector.web import visit

_LINKS = {
    paths.answer(""): Link.ANSWER,
    paths.mine(""): Link.MINE,
    paths.question(""): Link.QUESTION,
    paths.absence(""): Link.ABSENCE,
    paths.conflict(""): Link.CONFLICT,
    paths.paused(""): Link.PAUSED,
    paths.sign_in(""): Link.SIGN_IN,
    paths.support_sign_in(""): Link.SUPPORT_SIGN_IN,
    paths.mail(""): Link.MAIL,
}

_Reader = TypeVar("_Reader")

log = structlog.get_logger(__name__)


def locale() -> str | None:
    """Return the locale of whom a request is for; None if nobody knows.

    That is whom its mailed link is for, whatever follows the token; else who is signed in, or was last in this browser,
    so that they are told that it has ended, and can sign in again, in their language.
    """
    return _known(lambda: _locale_of_link() or _locale_of_connect_link() or _locale_of_browser())


def link() -> Link | None:
    """Return what kind of mailed link was followed, even if it is none of ours; None if none was."""
    return next((link for path, link in _LINKS.items() if request.path.startswith(path)), None)


def is_signed_in() -> bool:
    """Whether the request is of a practitioner who is signed in."""
    return _known(visit.visitor) is not None


def _locale_of_link() -> str | None:
    kind = link()
    if kind is None:
        return None
    start = next(path for path in _LINKS if request.path.startswith(path))
    token, here = request.path.removeprefix(start).split("/")[0], visit.runtime()
    with here.database.read() as db:
        reader = readers.of_link(db, here.seal, kind, token)
    return reader.locale if reader is not None else None


def _locale_of_connect_link() -> str | None:
    start, here = paths.connect(""), visit.runtime()
    if not request.path.startswith(start):
        return None
    with here.database.read() as db:
        return connect_links.locale(db, here.seal, request.path.removeprefix(start).split("/")[0])


def _locale_of_browser() -> str | None:
    if request.path.startswith(paths.SUPPORT) and visit.support_signs_in_here():
        supporter = visit.supporter()
        return supporter.locale if supporter is not None else None
    visitor = visit.visitor()
    return visitor.locale if visitor is not None else visit.last_locale()


def _known(find: Callable[[], _Reader | None]) -> _Reader | None:
    try:
        return find()
    except Exception as error:  # noqa: BLE001  whatever has failed, the page that says so is for somebody
        log.warning("reader_unknown", endpoint=request.endpoint, error=type(error).__name__)
        return None
