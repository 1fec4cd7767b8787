"""What keeps a calendar from being read or written, as everybody is shown it: since when, why, and the next try.

Pages, timelines, commands and doctor all ask here. A trouble stands in a timeline as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, TroubleKind
from connector.language.messages import marked
from connector.sentence import Sentence
from connector.services.views.timeline import Line
from connector.storage import ledger
from connector.storage.ledger import Key, Kind

if TYPE_CHECKING:
    from connector.language.telling import Teller

PHRASES = {"written": "takes no entries", "read": "cannot be read", "compared": "cannot be compared as a whole"}
_IN_TIMELINES = {
    "written": marked("The calendar “%(calendar)s” takes no entries"),
    "read": marked("The calendar “%(calendar)s” cannot be read"),
    "compared": marked("The calendar “%(calendar)s” cannot be compared as a whole"),
}
WHO = {
    TroubleKind.REFUSED: marked("The calendar service refuses it to this account."),
    TroubleKind.INSTALLATION: marked(
        "The service refuses this installation, not the account; its operator has been told."
    ),
    TroubleKind.OUTAGE: marked("That usually passes."),
    TroubleKind.OURS: marked("That is no fault of the calendar; its operator finds the cause in the log."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleView:
    """One thing that does not go through.

    Attributes:
        calendar: The name of the calendar.
        what: "read", "written" or "compared".
        why: What went wrong last, a part of a sentence.
        who: Who can do something about it, a sentence in English.
        again_at: When it is tried again, aware UTC; None if that is not known.
    """

    calendar: str
    what: str
    since: datetime
    why: Sentence
    who: str
    again_at: datetime | None

    @property
    def phrase(self) -> str:
        """What the calendar does, or does not."""
        return PHRASES[self.what]

    def line(self, teller: Teller) -> Line:
        """Return the same in a timeline."""
        what = teller.say(_IN_TIMELINES[self.what], calendar=self.calendar)
        why = f"{teller.language.sentence(self.why)}. {teller.say(self.who)}"
        if self.again_at is not None:
            why = f"{why} {teller.say('Next try: %(at)s.', at=self.again_at)}"
        return Line(at=self.since, who=teller.say("automatically"), what=what, why=why)

    @property
    def sentence(self) -> str:
        """All of it for whoever reads UTC, to be ended with a full stop."""
        again = f" Next try: {self.again_at:%d %b %Y, %H:%M:%S} UTC" if self.again_at else ""
        who = self.who if again else self.who[:-1]
        return f"{self.phrase} (since {self.since:%d %b %Y, %H:%M} UTC): {self.why}. {who}{again}"


def of_calendar(db: Db, calendar: Calendar) -> tuple[TroubleView, ...]:
    """Return what does not go through in a calendar; nothing if the last look, comparison and write did."""
    faults = (
        ("written", calendar.write_fault, ledger.next_try(db, Key(Kind.CALENDAR, str(calendar.id)))),
        ("read", calendar.read_fault, ledger.next_try(db, Key(Kind.PULL, str(calendar.id)))),
        ("compared", calendar.compare_fault, calendar.compare_at),
    )
    return tuple(
        TroubleView(
            calendar=calendar.name,
            what=what,
            since=fault.since,
            why=fault.words,
            who=WHO[fault.kind],
            again_at=again_at,
        )
        for what, fault, again_at in faults
        if fault is not None
    )


def with_troubles(lines: Iterable[Line], troubles: Iterable[TroubleView], teller: Teller) -> tuple[Line, ...]:
    """Return a timeline with what does not go through at present, in its place."""
    return tuple(sorted((*lines, *(trouble.line(teller) for trouble in troubles)), key=lambda line: line.at))
