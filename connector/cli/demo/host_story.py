"""The story of a booking platform whose times Pencilled keeps, told through the pages of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import unquote, urljoin
from zoneinfo import ZoneInfo

from connector import paths
from connector.cli.demo.evidence import by_status, eventually, invitation, link_in
from connector.cli.demo.telling import ZONE, Telling, check
from connector.cli.demo.visitor import Page, Visitor

KIM, ALEX = "kim@lindenhof.example", "alex@lindenhof.example"
_NOTICE = timedelta(days=2)
_TIME = re.compile(r"/with/1/(?P<start>[^/]+)$")


@dataclass(kw_only=True)
class HostStory(Telling):
    """Everybody in it, and what is kept from the steps before.

    Attributes:
        platform_url: Where the booking platform is.
        password: What everybody signs in with there.
        access: What is typed to connect the practitioner's calendar: `address`, `username`, `password`.
        signs_in_by_mail: Whether the practitioner signs in at Pencilled, too, which a host in its process spares them.
    """

    platform_url: str
    password: str
    access: dict[str, str]
    signs_in_by_mail: bool
    kim: Visitor = field(default_factory=Visitor)
    alex: Visitor = field(default_factory=Visitor)
    start: datetime | None = None
    offered: datetime | None = None

    def tell(self) -> None:
        """Play every step.

        Raises: StoryError or LookupError at the first that does not end as the story says.
        """
        steps: Sequence[tuple[str, Callable[[], None]]] = (
            ("The practitioner signs in at the platform, and connects a calendar", self.connect),
            ("A client books on the platform's own page", self.book),
            ("The practitioner offers two other times", self.offer),
            ("The client takes the second; the platform's own table moves", self.accept),
            ("The client cancels on the platform", self.cancel),
        )
        self.play(steps)

    def connect(self) -> None:
        """Through the platform's own page."""
        self._sign_in(self.kim, KIM)
        page = self.kim.follow(self.kim.open(f"{self.platform_url}/calendars"), "CalDAV")
        page = self.kim.press(page, "Connect", fill=self.access)
        calendars = page.tree.xpath("//input[@name='target']/@value")
        own = [href for href in calendars if _name(href) == _name(self.calendar.url)]
        check(len(own) == 1, f"the calendars of the account are shown ({page.text[:200]})")
        page = self.kim.press(page, "Connect this calendar", fill={"target": own[0]})
        check(page.status == HTTPStatus.OK, f"the calendar is connected ({page.text[:200]})")
        self.console.print(f"   {self.access['address']}")

    def book(self) -> None:
        """The time stands in the calendar, and the client is invited; nothing of the platform's was changed for it."""
        self._sign_in(self.alex, ALEX)
        page = eventually(
            lambda: self.alex.open(f"{self.platform_url}/with/1"), lambda page: page.status == HTTPStatus.OK
        )
        times = [found for href in page.tree.xpath("//a/@href") if (found := _TIME.search(unquote(href)))]
        starts = [datetime.fromisoformat(found["start"]) for found in times]
        check(len(starts) > 1, f"the page shows when the practitioner is free ({page.text[:200]})")
        self.start = next(at for at in starts if at > starts[0] + _NOTICE)
        page = self.alex.open(urljoin(page.url, f"/with/1/{self.start.isoformat().replace('+', '%2B')}"))
        page = self.alex.press(page, "Book it")
        check("You are booked" in page.text, f"the platform says that it is booked ({page.text[:200]})")
        events = self.events(lambda events: len(events) == 1)
        (mail,) = self.mails(1)
        self.show(events)
        check([event.start for event in events] == [self.start], "the session stands in the calendar, at its time")
        check(invitation(mail) is not None, "the client is invited")
        self._tell_of(page)

    def offer(self) -> None:
        """Two holds, one letter; the platform knows."""
        page = self.kim.follow(self.kim.open(f"{self.platform_url}/bookings"), "Rearrange")
        if self.signs_in_by_mail:
            self.kim.press(page, "Mail me a link", fill={"email": KIM})
            (mail,) = self.mails(1)
            self.kim.press(self.kim.open(link_in(mail, paths.sign_in(""))), "Sign in now")
            page = self.kim.follow(self.kim.open(f"{self.platform_url}/bookings"), "Rearrange")
        check(page.status == HTTPStatus.OK, f"the session's page is there ({page.text[:200]})")
        page = self.kim.follow(page, "Offer alternatives")
        first, second = (self._wall(days) for days in (1, 2))
        times = {"date-0": f"{first:%Y-%m-%d}", "time-0": "10:00", "date-1": f"{second:%Y-%m-%d}", "time-1": "11:00"}
        page = self.kim.press(page, "Continue", fill=times)
        page = self.kim.press(page, "Send to")
        check("The offer is sent" in page.text, f"the page says that it is sent ({page.text[:200]})")
        events = self.events(lambda events: len(by_status(events, "TENTATIVE")) == 2)
        self.mails(1)
        self.show(events)
        check(len(by_status(events, "TENTATIVE")) == 2, "two holds stand beside the session")
        self._shown(self.alex, "Other times were offered to you")

    def accept(self) -> None:
        """The event moves, the client's entry moves, and the platform hears of it."""
        page = self.alex.open(link_in(self.latest_offer(), paths.answer("")))
        page = self.alex.follow(page, "Choose this time", nth=1)
        page = self.alex.press(page, "Yes, take this time")
        check(page.status == HTTPStatus.OK, f"the answer is taken ({page.text[:200]})")
        self.offered = self._wall(2).replace(hour=11, minute=0, tzinfo=ZoneInfo(ZONE))
        events = self.events(lambda events: [event.start for event in events] == [self.offered])
        self.mails(2)
        self.show(events)
        check([event.start for event in events] == [self.offered], "the event has moved, and the holds are gone")
        page = self._shown(self.kim, f"{self.offered:%A, %-d %B, %H:%M}")
        check("no answer yet" not in page.text, "the platform waits for no answer any more")
        self._tell_of(page)

    def cancel(self) -> None:
        """The event goes."""
        page = self.alex.open(f"{self.platform_url}/bookings")
        page = self.alex.press(page, "Cancel this session")
        check("The session is cancelled" in page.text, f"the platform says so ({page.text[:200]})")
        events = self.events(lambda events: not events)
        check(not events, "nothing stands in the calendar any more")
        self.mails(2)

    # What they share

    def _sign_in(self, who: Visitor, email: str) -> None:
        page = who.open(f"{self.platform_url}/sign-in")
        page = who.press(page, "Sign in", fill={"email": email, "password": self.password})
        check(page.status == HTTPStatus.OK and "Sign out" in page.text, f"{email} is signed in ({page.text[:200]})")

    def _shown(self, who: Visitor, words: str) -> Page:
        page = eventually(lambda: who.open(f"{self.platform_url}/bookings"), lambda page: words in page.text)
        check(words in page.text, f"the platform's page says “{words}” ({page.text[:400]})")
        return page

    def _tell_of(self, page: Page) -> None:
        (booking, *_others) = page.tree.xpath("//ul[@class='bookings']/li/p[1]")
        words = " ".join(booking.text_content().split())
        self.console.print(f"   On the platform's own page: [italic]{words}[/italic]", highlight=False)

    def _wall(self, days: int) -> datetime:
        check(self.start is not None, "a session is booked")
        assert self.start is not None  # noqa: S101 - for the types, checked the line before
        return (self.start.astimezone(ZoneInfo(ZONE)) + timedelta(days=days)).replace(tzinfo=None)


def _name(calendar: str) -> str:
    return calendar.rstrip("/").rpartition("/")[2]
