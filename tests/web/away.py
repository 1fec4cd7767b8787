"""A practitioner at the pages for when they are away: the form as a browser sends it back."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from werkzeug.test import TestResponse

from connector.domain.people import Client
from connector.domain.session import Session
from tests.web.stage import Browser, Stage, add_client


@dataclass
class Field:
    name: str
    value: str
    is_sent: bool


class Form(HTMLParser):
    """The fields of a page's form, as a browser sends them: of boxes only the ticked ones."""

    def __init__(self, page: TestResponse) -> None:
        super().__init__()
        self.fields: list[Field] = []
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("name"):
            is_box = values.get("type") in ("checkbox", "radio")
            self.fields.append(Field(str(values["name"]), values.get("value") or "", not is_box or "checked" in values))

    @property
    def data(self) -> dict[str, list[str]]:
        data: dict[str, list[str]] = {}
        for field in self.fields:
            if field.is_sent:
                data.setdefault(field.name, []).append(field.value)
        return data

    def tick(self, name: str, *, n: int | None = None, off: bool = False) -> Form:
        """Tick each box of that name, or the n-th one."""
        boxes = [field for field in self.fields if field.name == name]
        for field in boxes if n is None else [boxes[n]]:
            field.is_sent = not off
        return self

    def type(self, **values: str) -> Form:
        for field in self.fields:
            name = field.name.replace("-", "_")
            if name in values:
                field.value = values[name]
        return self

    def row(self, session: Session) -> int | None:
        """Return which row is a session's."""
        named = [field.name for field in self.fields if field.value.startswith(f"{session.id.hex}.")]
        return int(named[0].removeprefix("shown-")) if named else None

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return the field of each session, which says which it is and how it was shown."""
        return [(name, values) for name, values in self.data.items() if name.startswith("shown-")]

    def picks(self, n: int) -> list[str]:
        return self.data.get(f"pick-{n}", [])


def send_form(browser: Browser, path: str, form: Form, **more: Any) -> TestResponse:
    return browser.http.post(path, data={**form.data, **more})


def full_day(stage: Stage, count: int = 5, *, days: int = 3, locale: str = "en") -> list[tuple[Client, Session]]:
    """Book as many sessions on one day, each of a client of its own."""
    booked = []
    for n in range(count):
        client = add_client(stage, name=f"Noa {n}", email=f"noa{n}@example.org", locale=locale)
        booked.append((client, stage.book(stage.at(days, 9 + n), client=client)))
    return booked


def days(stage: Stage, first: int, last: int | None = None) -> str:
    one, other = (stage.at(day, 12).local.date() for day in (first, first if last is None else last))
    return f"/away?from={one}&to={other}"
