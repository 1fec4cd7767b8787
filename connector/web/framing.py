"""Pages in the layout of a host in this process: ours gives title and body, the host everything around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask, Response, current_app, g, request, url_for
from markupsafe import Markup

from connector import paths

STYLE = "framed_style"  # the endpoint of the stylesheet that touches nothing outside of what is ours

_EXTENSION, _PAGE, _LEFT_OUT = "pencilled_frame", "framed_page", "left_out_of_frame"
_OF_THE_DOCUMENT = frozenset(
    {"content-length", "content-security-policy", "content-type", "cross-origin-opener-policy"}
)
_UNLESS_THE_HOSTS = frozenset({"strict-transport-security", "x-frame-options"})
_BESIDE_THE_HOSTS = frozenset({"set-cookie", "vary"})
_FOR_PROGRAMS = (paths.NOTIFICATIONS, paths.METRICS, paths.published("").removesuffix(".ics"), "/static/")
SECRET = frozenset({"calendars.back"})  # endpoints whose queries nobody else is to read: what a service has sent us


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedPage:
    """What a host's template is given of a page, under the name `pencilled`.

    Attributes:
        title: What the window is called.
        stylesheet: The address of our stylesheet, for hosts whose policy wants links of their own making.
        script: The address of our script, a module, for hosts whose policy lets it run: it counts deadlines down and
            shows what is new by itself. Without it everything works.
        head: The link of the stylesheet, ready for the head of the document.
        body: The page.
    """

    title: Markup
    stylesheet: str
    script: str
    head: Markup
    body: Markup


class Frame(Protocol):
    """The layout of a host."""

    @property
    def takes_mailed(self) -> bool:
        """Whether pages that letters lead to come into it, too: its scripts can read their links."""

    def around(self, page: FramedPage, *, status: int) -> Response | None:
        """Return a page in the host's layout, with the host's headers; None if that cannot be made, which is logged."""


class Parts:
    """What a layout of ours hands over instead of a document."""

    def __init__(self, again: Any) -> None:
        self.again = again
        self._page: FramedPage | None = None

    @property
    def page(self) -> FramedPage:
        """What was handed over."""
        assert self._page is not None  # noqa: S101 - every page has the one layout
        return self._page

    def keep(self, *, title: str, body: str) -> str:
        """Take them, and leave nothing where the document would be."""
        stylesheet = url_for(STYLE)
        self._page = FramedPage(
            title=Markup(title.strip()),  # noqa: S704 - from our own template, escaped there
            stylesheet=stylesheet,
            script=url_for("static", filename="pencilled.js"),
            head=Markup('<link rel="stylesheet" href="{}">').format(stylesheet),
            body=Markup(body),  # noqa: S704 - as above
        )
        return ""


def prepare(app: Flask, frame: Frame) -> None:
    """Have pages of an application come in the layout of a host."""
    app.extensions[_EXTENSION] = frame
    app.after_request(_framed)


def leave_out() -> None:
    """Have the page of this request be a document of our own, whoever else has a layout."""
    setattr(g, _LEFT_OUT, True)


def parts(again: Any) -> Parts | None:
    """Return what takes the parts of the page that is about to be rendered; None for a document of our own.

    Args:
        again: Renders the same page as a document of our own.
    """
    frame: Frame | None = current_app.extensions.get(_EXTENSION)
    if frame is None or g.get(_LEFT_OUT) or request.endpoint in SECRET or request.path.startswith(_FOR_PROGRAMS):
        return None
    if request.path.startswith(paths.MAILED) and not frame.takes_mailed:
        return None
    found = Parts(again)
    setattr(g, _PAGE, found)
    return found


def _framed(response: Response) -> Response:
    """Put the page that was rendered last into the host's layout, or into our own if there that cannot be done."""
    found: Parts | None = g.pop(_PAGE, None)
    if found is None or response.get_data():
        return response
    frame: Frame = current_app.extensions[_EXTENSION]
    answer = frame.around(found.page, status=response.status_code)
    if answer is None:
        response.set_data(found.again())
        return response
    for name, value in response.headers:
        match name.lower():
            case own if own in _OF_THE_DOCUMENT:
                pass
            case own if own in _UNLESS_THE_HOSTS:
                answer.headers.setdefault(name, value)
            case own if own in _BESIDE_THE_HOSTS:
                answer.headers.add(name, value)
            case _:
                answer.headers[name] = value
    return answer
