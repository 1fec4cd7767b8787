"""Pages that may show more than they did a moment ago: whoever has one open asks whether they do, by its state."""

from __future__ import annotations

from flask import Response, make_response, request


def state(word: str) -> Response:
    """Answer in which state a page's subject is: 304 if it is the one that was named, else nothing but its ETag."""
    response = make_response("")
    response.mimetype = "text/plain"
    response.set_etag(word)
    response.make_conditional(request)
    return response
