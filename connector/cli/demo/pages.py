"""The demo's own pages: short addresses that lead to everybody's real ones, mails, and what all pages are made of."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from flask import Flask, Response, abort, redirect, render_template
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

from connector import paths
from connector.cli.demo.evidence import eventually, invitation, links_in
from connector.cli.demo.stage import Mailbox
from connector.cli.demo.visitor import Visitor

_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


class NoLinkError(Exception):
    """There is nothing to lead to; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail as a person reads it.

    Attributes:
        number: Starts at 1, in the order in which the mails came.
        sent: On this machine's clock.
        method: What its calendar part asks for, such as REQUEST; empty without one.
    """

    number: int
    sender: str
    recipient: str
    subject: str
    sent: str
    text: str
    html: str
    calendar: str
    method: str

    @classmethod
    def of(cls, mail: EmailMessage, *, number: int) -> Letter:
        """Read one mail."""
        update = invitation(mail)
        return cls(
            number=number,
            sender=str(mail["From"]),
            recipient=str(mail["To"]),
            subject=str(mail["Subject"]).strip(),
            sent=f"{mail['Date'].datetime.astimezone():%H:%M:%S}",
            text=_part(mail, "text/plain"),
            html=_part(mail, "text/html"),
            calendar=_part(mail, "text/calendar"),
            method=update.method if update else "",
        )


class Pages:
    """A small web server on the loopback, beside the product and the mail catcher that it tells of."""

    def __init__(self, product_url: str, mailbox: Mailbox, *, practitioner: str, client: str) -> None:
        """Serve from now on, until it is stopped.

        Args:
            product_url: Where the product's own pages are.
            mailbox: What has been caught, and will be.
            practitioner: The address of whoever signs in.
            client: The address of whoever answers.
        """
        self._product_url = product_url
        self._mailbox = mailbox
        self._practitioner = practitioner
        self._client = client
        self._one_at_a_time = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._application(), threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where they are."""
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _application(self) -> Flask:
        app = Flask(__name__)
        app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
        app.add_url_rule("/", "home", lambda: redirect("/mails"))
        app.add_url_rule("/kim", "practitioner", lambda: redirect(self._sign_in_link()))
        app.add_url_rule("/alex", "client", lambda: redirect(self._answer_link()))
        app.add_url_rule("/mails", "mails", lambda: render_template("mails.html", letters=self._letters()[::-1]))
        app.add_url_rule("/mails/<int:number>", "mail", self._mail)
        app.add_url_rule("/mails/<int:number>/shown", "shown", self._shown)
        app.add_url_rule("/mails/<int:number>/calendar.ics", "calendar", self._calendar)
        app.add_url_rule("/design", "design", lambda: render_template("design.html"))
        app.add_url_rule("/style.css", "sheet", _sheet)
        app.register_error_handler(NoLinkError, _sorry)
        app.after_request(_harden)
        return app

    def _sign_in_link(self) -> str:
        """Have a link mailed as the practitioner would, since each works once; the last one if nobody has used it.

        Raises: NoLinkError if none comes.
        """
        with self._one_at_a_time:
            before = self._links_to(self._practitioner, paths.sign_in(""))
            visitor = Visitor()
            if before and visitor.open(before[-1]).status == HTTPStatus.OK:
                return before[-1]
            page = visitor.press(
                visitor.open(f"{self._product_url}{paths.SIGN_IN}"), "Mail me", fill={"email": self._practitioner}
            )
            if page.status != HTTPStatus.OK:
                raise NoLinkError(page.text)
            links = eventually(
                lambda: self._links_to(self._practitioner, paths.sign_in("")), lambda links: len(links) > len(before)
            )
        if len(links) == len(before):
            raise NoLinkError(
                "No sign-in link has been mailed. No more than five an hour are; where you are signed in, you still "
                "are. Is Pencilled still running?"
            )
        return links[-1]

    def _answer_link(self) -> str:
        links = self._links_to(self._client, paths.answer(""))
        if not links:
            raise NoLinkError("Nobody has been asked anything yet.")
        return links[-1]

    def _links_to(self, address: str, containing: str) -> list[str]:
        mails = [mail for mail in self._mailbox.caught() if address in str(mail["To"])]
        return [link for mail in mails for link in links_in(mail, containing)]

    def _letters(self) -> list[Letter]:
        return [Letter.of(mail, number=number) for number, mail in enumerate(self._mailbox.caught(), 1)]

    def _letter(self, number: int) -> Letter:
        return next((letter for letter in self._letters() if letter.number == number), None) or abort(
            HTTPStatus.NOT_FOUND
        )

    def _mail(self, number: int) -> ResponseReturnValue:
        return render_template("mail.html", letter=self._letter(number))

    def _shown(self, number: int) -> ResponseReturnValue:
        """Answer with the HTML of a mail, which can run nothing and fetch nothing; its links open beside it."""
        html = self._letter(number).html.replace("<head>", '<head><base target="_blank">', 1)
        return Response(html, headers={"Content-Security-Policy": _LETTER_POLICY})

    def _calendar(self, number: int) -> ResponseReturnValue:
        content = self._letter(number).calendar or abort(HTTPStatus.NOT_FOUND)
        return Response(content, mimetype="text/calendar", headers={"Content-Disposition": "attachment"})


class _Quiet(WSGIRequestHandler):
    """Logs nothing: the terminal shows the story."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


def _part(mail: EmailMessage, content_type: str) -> str:
    parts: Iterable[EmailMessage] = mail.walk()
    return next((str(part.get_content()) for part in parts if part.get_content_type() == content_type), "")


def _sheet() -> ResponseReturnValue:
    return Response((files("connector.web") / "static" / "style.css").read_text(encoding="utf-8"), mimetype="text/css")


def _sorry(error: NoLinkError) -> ResponseReturnValue:
    return render_template("sorry.html", words=str(error)), HTTPStatus.SERVICE_UNAVAILABLE


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
