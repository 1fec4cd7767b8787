"""Where programs fetch the calendars that people subscribe to: whoever knows the address gets it."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.http import is_resource_modified

from connector import paths
from connector.ical.publishing import publish
from connector.services import publishing
from connector.services.views import published
from connector.web import speaking, visit
from connector.web.limits import unguessable

pages = Blueprint("published", __name__)

_CACHING = "private, no-cache"  # kept by whoever asks, for nobody else, and asked about each time


@pages.get(paths.published("<token>"))
def fetch(token: str) -> ResponseReturnValue:
    """Return a calendar, or that it is still the one that the program has."""
    runtime = visit.runtime()
    brand, languages, now = runtime.settings.brand, runtime.languages, runtime.clock()
    with unguessable(), runtime.database.read() as db:
        fetched = published.fetched(db, token, brand=brand, languages=languages, now=now)
    if fetched is None:
        return speaking.render("fault/show.html", kind="ended"), 410
    content, etag = fetched.content, fetched.content.etag
    changed_at = publishing.note_fetched(runtime.database, fetched.calendar, etag, now=now)
    response = Response(content_type="text/calendar; charset=utf-8")
    response.set_etag(etag)
    response.last_modified = changed_at
    response.headers["Cache-Control"] = _CACHING
    if is_resource_modified(request.environ, etag=response.headers["ETag"], last_modified=changed_at):
        response.data = publish(content.events, name=content.name, anonymous=content.anonymous)
        response.headers["Content-Disposition"] = 'inline; filename="sessions.ics"'
    else:
        response.status_code = 304
    return response
