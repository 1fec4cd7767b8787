"""What every story has: it is told step by step, and an independent look follows each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from rich.console import Console
from rich.table import Table

from connector import paths
from connector.cli.demo.evidence import CalendarServer, Seen, eventually, invitation, local
from connector.cli.demo.stage import Mailbox

ZONE = "Europe/Berlin"


class StoryError(Exception):
    """A step did not end as the story says."""


@dataclass(kw_only=True)
class Telling:
    """Who tells, and whom they ask what has become of it."""

    mailbox: Mailbox
    calendar: CalendarServer
    console: Console
    mails_read: int = 0

    def play(self, steps: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Play every step, each with its number and title.

        Raises: StoryError at the first that does not end as the story says.
        """
        for number, (title, step) in enumerate(steps, 1):
            self.console.rule(f"[bold]{number}. {title}", align="left")
            step()

    def events(self, right: Callable[[list[Seen]], bool]) -> list[Seen]:
        """Return what stands in the calendar once it is right, or what stood there last."""
        return eventually(self.calendar.events, right)

    def mails(self, count: int) -> list[EmailMessage]:
        """Return the mails that came since, of which there must be so many."""
        mails = self.mailbox.wait_for(self.mails_read + count)[self.mails_read :]
        self.mails_read += len(mails)
        for mail in mails:
            self._tell(mail)
        check(len(mails) == count, f"{count} mail{'s' if count > 1 else ''} arrived (there came {len(mails)})")
        return mails

    def latest_offer(self) -> EmailMessage:
        """Return the newest letter with a link to answer by."""

        def has_link(mail: EmailMessage) -> bool:
            body = mail.get_body(("plain",))
            return body is not None and paths.answer("") in body.get_content()

        return next(mail for mail in reversed(self.mailbox.mails) if has_link(mail))

    def _tell(self, mail: EmailMessage) -> None:
        update = invitation(mail)
        line = f"   Mail to {mail['To']}: [italic]{str(mail['Subject']).strip()}[/italic]"
        if update is not None:
            when = local(update.start, ZONE)
            line += f"\n      {update.method}, UID {update.uid[:8]}…, SEQUENCE {update.sequence}, {when} {ZONE}"
        self.console.print(line, highlight=False)

    def show(self, events: Sequence[Seen]) -> None:
        """Print what stands in the calendar."""
        table = Table("in the calendar", "time", "STATUS", "TRANSP", "event", box=None, padding=(0, 2), pad_edge=False)
        for event in events:
            table.add_row(
                f"   {event.title}", local(event.start, ZONE), event.status, event.transparency, f"{event.uid[:8]}…"
            )
        self.console.print(table)


def check(holds: bool, words: str) -> None:  # noqa: FBT001 - reads as a sentence at each use
    """Raise a StoryError with these words unless it holds."""
    if not holds:
        raise StoryError(words)
