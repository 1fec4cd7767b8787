"""The story the demo plays, through public doors only, and what an independent look must find after each step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

from connector import paths
from connector.cli.demo.evidence import Seen, by_status, invitation, link_in, local
from connector.cli.demo.phone import Phone
from connector.cli.demo.stage import PASSWORD, USER, Product, Wire
from connector.cli.demo.telling import ZONE, Telling, check
from connector.cli.demo.visitor import Page, Visitor

KIM, ALEX = "kim@practice.example", "alex@client.example"
NUMBER = "+447700900123"  # of the numbers that are kept for stories (Ofcom)
NOTE = "Bring the blue folder."
WINDOW_SECONDS = 4
_QUIET_SECONDS = 1.5  # longer than the pump sleeps: what has not happened by then was not due
_OK = 200


@dataclass(kw_only=True)
class Story(Telling):
    """Everybody in it, and what is kept from the steps before."""

    product: Product
    phone: Phone
    wire: Wire
    folder: Path
    first_day: datetime
    kim: Visitor = field(default_factory=Visitor)
    session: str = ""
    event: Seen | None = None
    invitation_uid: str = ""

    # The steps

    def tell(self) -> None:
        """Play every step.

        Raises: StoryError at the first that does not end as the story says.
        """
        self._introduce()
        steps: Sequence[tuple[str, Callable[[], None]]] = (
            ("A session is booked", self.book),
            ("Three other times are drafted; nobody is told", self.draft),
            ("The offer is sent: three holds, one letter, one text", self.send),
            ("The client takes the second time", self.accept),
            ("The place is corrected, and the client asks for another time", self.change),
            (f"A second offer is left unanswered for {WINDOW_SECONDS} seconds", self.lapse),
            ("Pencilled is killed while it sends a third offer, and started again", self.kill),
            ("The practitioner deletes the holds in their own calendar", self.delete),
            ("The practitioner drags the session in their own calendar, and is asked", self.drag),
        )
        self.play(steps)

    def book(self) -> None:
        """One confirmed event; the client is invited."""
        at = self._at(0, 14)
        words = ["sessions", "book", "--client", ALEX, "--at", at, "--duration", "50"]
        answer = json.loads(self.product.command(*words, "--in-person", "Lindenstr. 3, Berlin", "--json"))
        self.session = answer["sessions"][0]["id"]
        events = self.events(lambda events: len(events) == 1)
        (mail,) = self.mails(1)
        self.show(events)
        check(len(by_status(events, "CONFIRMED")) == 1 == len(events), "one confirmed event stands in the calendar")
        check(local(events[0].start, ZONE).endswith("14:00"), "it stands at 14:00")
        self.event = events[0]
        self._check_invitation(mail, "REQUEST", 0, events[0].start)
        update = invitation(mail)
        self.invitation_uid = update.uid if update else ""
        check(self.invitation_uid != self.event.uid, "the invitation has a UID of its own")
        self.calendar.type_note(self.event.href, NOTE)
        self.console.print(f"   The practitioner types into the event: “{NOTE}”")

    def draft(self) -> None:
        """Nothing in the calendar, no mail."""
        self.kim.press(self.kim.open(self.sign_in_link()), "Sign in now")
        page = self._session_page()
        page = self.kim.follow(page, "Offer alternatives")
        times = {f"date-{n}": self._day(n + 1) for n in range(3)} | {f"time-{n}": "10:00" for n in range(3)}
        page = self.kim.press(page, "Continue", fill=times)
        check("Nothing has been sent" in page.text, "the page says plainly that nothing has been sent")
        time.sleep(_QUIET_SECONDS)
        events = self.calendar.events()
        self.show(events)
        check(len(events) == 1, "the calendar is as it was")
        check(len(self.mailbox.mails) == self.mails_read, "no mail was sent")

    def send(self) -> None:
        """Three tentative, busy holds; the link is in the letter, and opening it changes nothing."""
        page = self.kim.open(f"{self.product.url}{paths.session(self.session)}/offer/review")
        start_seconds = time.monotonic()
        page = self.kim.press(page, "Send to")
        events = self.events(lambda events: len(by_status(events, "TENTATIVE")) == 3)
        delay_seconds = time.monotonic() - start_seconds
        check("The offer is sent" in page.text, "the page says that it is sent")
        holds = by_status(events, "TENTATIVE")
        (mail,) = self.mails(1)
        self.show(events)
        check(len(holds) == 3 and len(events) == 4, "three tentative holds stand beside the session")
        check({hold.transparency for hold in holds} == {"OPAQUE"}, "each of them keeps the time busy")
        self.console.print(f"   All holds were visible {delay_seconds:.2f} s after the button was pressed.")
        check(invitation(mail) is None, "the offer travels as a link, not as calendar entries")
        page = Visitor().open(link_in(mail, paths.answer("")))
        check(page.status == _OK, "the link opens the answer page")
        self._check_text(page)
        time.sleep(_QUIET_SECONDS)
        check(self.calendar.events() == events, "opening the link changed nothing")
        check(len(self.mailbox.mails) == self.mails_read, "and no mail was sent")

    def accept(self) -> None:
        """The session's own event moves, its note with it; the holds go; the client's entry moves."""
        client = Visitor()
        offer = self.latest_offer()
        page = client.open(link_in(offer, paths.answer("")))
        page = client.follow(page, "Choose this time", nth=1)
        page = client.press(page, "Yes, take this time")
        check(page.status == _OK, f"the answer is taken ({page.text[:_OK]})")
        events = self.events(lambda events: len(events) == 1 and events[0].start.day == self._when(2, 10).day)
        mails = self.mails(2)
        self.show(events)
        event = self._only(events)
        check(event.start == self._when(2, 10), "it stands at the accepted time")
        check(NOTE in event.notes, "the practitioner's note is still in it")
        (to_client,) = [mail for mail in mails if ALEX in str(mail["To"])]
        self._check_invitation(to_client, "REQUEST", 1, event.start)

    def change(self) -> None:
        """One mail each, the revision rising by one."""
        page = self._session_page()
        page = self.kim.follow(page, "Edit location")
        self.kim.press(page, "Save and tell", fill={"place_text": "Lindenstr. 5, Berlin"})
        (mail,) = self.mails(1)
        self._check_invitation(mail, "REQUEST", 2, self._when(2, 10))
        words = ["sessions", "reschedule", self.session, "--at", self._at(4, 16)]
        self.product.command(*words, "--agreed-by", "Alex Client", "--channel", "on the phone")
        (mail,) = self.mails(1)
        events = self.events(lambda events: len(events) == 1 and events[0].start == self._when(4, 16))
        self.show(events)
        event = self._only(events)
        check(event.start == self._when(4, 16), "it stands at the agreed time")
        self._check_invitation(mail, "REQUEST", 3, event.start)

    def lapse(self) -> None:
        """The holds go at the deadline; the session is where it was, and flagged; both are told."""
        at = [word for day in (5, 6) for word in ("--at", self._at(day, 11))]
        self.product.command("offers", "draft", self.session, *at, "--window", f"{WINDOW_SECONDS}s")
        self.product.command("offers", "send", self.session)
        events = self.events(lambda events: len(by_status(events, "TENTATIVE")) == 2)
        check(len(by_status(events, "TENTATIVE")) == 2, "two holds stand in the calendar")
        self.mails(1)
        events = self.events(lambda events: len(events) == 1)
        mails = self.mails(2)
        self.show(events)
        event = self._only(events)
        check(event.start == self._when(4, 16), "the session has not moved")
        session = json.loads(self.product.command("sessions", "show", self.session, "--json"))
        check(session["needs_attention"] == "lapsed", "the session is flagged: the offer lapsed")
        check(_recipients(mails) == {ALEX, KIM}, "both are told")

    def kill(self) -> None:
        """SIGKILL after the first hold has landed: after the restart exactly the wanted events stand, none twice."""
        at = [word for day in (7, 8, 9) for word in ("--at", self._at(day, 9))]
        self.product.command("offers", "draft", self.session, *at)
        self.wire.cut_after_next_put()
        self.product.command("offers", "send", self.session)
        check(self.wire.landed.wait(20), "the first hold has been written")
        self.product.kill()
        between = self.calendar.events()
        self.console.print(f"   Killed. In the calendar at this moment: {len(between)} of 4 events.")
        check(len(between) < 4, "the kill came in the middle")
        self.wire.repair()
        self.product.start()
        events = self.events(lambda events: len(events) == 4)
        time.sleep(_QUIET_SECONDS)
        events = self.calendar.events()
        self.show(events)
        starts = sorted([self._when(4, 16), *(self._when(day, 9) for day in (7, 8, 9))])
        check([event.start for event in events] == starts, "exactly the wanted events stand there")
        check(len({event.uid for event in events}) == 4, "none of them twice")
        session = next(event for event in events if event.status == "CONFIRMED")
        check(self.event is not None and session.href == self.event.href, "the session's event is still the same one")
        self.mails(1)

    def delete(self) -> None:
        """Deleting the last hold withdraws the offer; both are told."""
        for hold in by_status(self.calendar.events(), "TENTATIVE"):
            self.calendar.delete(hold.href)
        mails = self.mails(2)
        events = self.events(lambda events: len(events) == 1)
        self.show(events)
        self._only(events)
        check(_recipients(mails) == {ALEX, KIM}, "both are told that the offer was taken back")

    def drag(self) -> None:
        """The session does not move by itself: the practitioner is asked, and has the client asked."""
        event = self._only(self.calendar.events())
        self.calendar.drag(event.href, self._when(10, 15))
        (mail,) = self.mails(1)
        check(KIM in str(mail["To"]), "the practitioner is asked what they meant, and nobody else hears of it")
        self.show(self.events(lambda events: [event.start for event in events] == [self._when(10, 15)]))
        kim = Visitor()
        page = kim.open(link_in(mail, "/ask"))
        time.sleep(_QUIET_SECONDS)
        check(len(self.mailbox.mails) == self.mails_read, "opening the link decided nothing")
        page = kim.press(page, "Yes, ask")
        check(page.status == _OK, f"the answer is taken ({page.text[:_OK]})")
        (mail,) = self.mails(1)
        check(ALEX in str(mail["To"]) and invitation(mail) is None, "now the client is asked")
        events = self.events(
            lambda events: [event.start for event in events] == [self._when(4, 16), self._when(10, 15)]
        )
        self.show(events)
        check([event.status for event in events] == ["CONFIRMED", "TENTATIVE"], "the session is back, beside a hold")

    # What they share

    def _introduce(self) -> None:
        run = self.product.command
        run("practitioners", "add", "--name", "Kim Beispiel", "--email", KIM, "--zone", ZONE)
        alex = ["clients", "add", "--name", "Alex Client", "--email", ALEX, "--zone", "Europe/London"]
        run(*alex, "--phone", NUMBER, "--channel", "email", "--channel", "sms", "--texts-agreed")
        address = f"{self.wire.url}/{USER}/work/"
        connect = ["connections", "add", "--address", address, "--username", USER, "--password-stdin"]
        run(*connect, "--label", "Kim's calendar", typed=f"{PASSWORD}\n")

    def _check_text(self, page: Page) -> None:
        """Check that the offer is on the client's phone, too, with a short link to the same page."""
        text = self.phone.wait_for(paths.short(""))
        link = text[text.rfind("http") :]
        self.console.print(f"   Text to {NUMBER}: [italic]{text.removesuffix(link).strip()}[/italic]", highlight=False)
        check(bool(text), "the offer is on the client's phone as well")
        check(Visitor().open(link).text == page.text, "the short link in it leads to the same page")

    def _session_page(self) -> Page:
        return self.kim.open(f"{self.product.url}{paths.session(self.session)}")

    def sign_in_link(self) -> str:
        """Ask for a one-time link and take it out of the letter."""
        page = self.kim.open(f"{self.product.url}{paths.SIGN_IN}")
        self.kim.press(page, "Mail me a link", fill={"email": KIM})
        (mail,) = self.mails(1)
        return link_in(mail, paths.sign_in(""))

    def _only(self, events: Sequence[Seen]) -> Seen:
        check(len(events) == 1, f"one event is left (there are {len(events)})")
        event = events[0]
        is_same = self.event is not None and (event.href, event.uid) == (self.event.href, self.event.uid)
        check(is_same, "it is the session's own event, same href and UID as in step 1")
        check(event.status == "CONFIRMED", "it is confirmed")
        return event

    def _check_invitation(self, mail: EmailMessage, method: str, sequence: int, start: datetime) -> None:
        update = invitation(mail)
        check(update is not None, "the mail has an iCalendar part")
        if update is None:
            return
        actual = (update.method, update.sequence, update.start)
        words = f"it carries {method}, SEQUENCE {sequence} and the right time ({actual})"
        check(actual == (method, sequence, start), words)
        if self.invitation_uid:
            check(update.uid == self.invitation_uid, "it has the invitation UID of step 1")

    def _day(self, days: int) -> str:
        return f"{self.first_day + timedelta(days=days):%Y-%m-%d}"

    def _at(self, days: int, hour: int) -> str:
        return f"{self._day(days)} {hour:02}:00"

    def _when(self, days: int, hour: int) -> datetime:
        naive = datetime.fromisoformat(self._at(days, hour))
        return naive.replace(tzinfo=ZoneInfo(ZONE))


def _recipients(mails: Sequence[EmailMessage]) -> set[str]:
    """Return which of the two people the mails went to."""
    return {address for address in (ALEX, KIM) for mail in mails if address in str(mail["To"])}
