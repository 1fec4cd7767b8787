"""Small executable models of what clients read our mails with: which entry a message is about, and which is the newer.

They are no copies of those programs. Each is as demanding as the strictest public account of its original, so that what
all of them understand is understood; decision 50 tells what they leave out.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from tests.receivers import rules
from tests.receivers.mails import Invitation, read
from tests.receivers.rules import Entry, Rule

Shown = tuple[datetime | None, datetime | None, str]
"""From when, until when, and where."""


class Receiver:
    """One person's calendar, and the program that reads their mail.

    Attributes:
        name: Of the program.
        sound: What must hold for a message to be an invitation at all.
        newer: What must hold for it to change what is there.
        held: What the calendar has, mostly by UID.
        unheeded: Why messages were not acted on, in the order in which they came.
    """

    name: ClassVar[str]
    sound: ClassVar[tuple[Rule, ...]]
    newer: ClassVar[tuple[Rule, ...]]

    def __init__(self, zone: str = "Europe/London") -> None:
        self.zone = zone
        self.held: dict[str, Entry] = {}
        self.unheeded: list[str] = []

    def receive(self, mail: bytes) -> None:
        """Read one mail, and act on it."""
        message = read(mail)
        if message is None:
            return
        held = self.held.get(message.uid)
        reasons = [rule(message, held) for rule in (rules.asks_for_something, *self.sound)]
        if any(reasons):
            self.unheeded += [reason for reason in reasons if reason]
            self._not_an_invitation(message)
            return
        reasons = [rule(message, held) for rule in self.newer]
        if any(reasons):
            self.unheeded += [reason for reason in reasons if reason]
        elif message.method == "CANCEL" and held is None:
            self._cancels_the_unknown(message)
        else:
            self.held[message.uid] = self._entry(message)

    @property
    def entries(self) -> list[Shown]:
        """Where something stands that is not cancelled."""
        return [(entry.start, entry.end, entry.place) for entry in self.held.values() if not entry.is_cancelled]

    def _entry(self, message: Invitation, *, is_invitation: bool = True) -> Entry:
        start, end = message.one("DTSTART"), message.one("DTEND")
        return Entry(
            uid=message.uid,
            organizer=message.organizer,
            sequence=message.sequence,
            stamp=message.stamp,
            start=start.instant(self.zone) if start else None,
            end=end.instant(self.zone) if end else None,
            place=message.place,
            is_cancelled=message.method == "CANCEL",
            is_invitation=is_invitation,
        )

    def _not_an_invitation(self, message: Invitation) -> None:
        """Deal with what is no invitation: a dead attachment."""

    def _cancels_the_unknown(self, _message: Invitation) -> None:
        """Deal with the cancellation of what is not there; `processCancel` of Apple's server needs an event, too."""
        self.unheeded.append("nothing to cancel")


class Strict(Receiver):
    """Holds to RFC 5545, 5546 and 6047 to the letter, and forgets nothing."""

    name = "strict"
    sound = (
        rules.has_the_method_twice,
        rules.names_its_method_first,
        rules.is_about_one_event,
        rules.says_each_thing_once,
        rules.is_whole,
        rules.ends_its_lines_as_it_must,
        rules.is_stamped_in_utc,
        rules.ends_after_its_start,
        rules.invites_its_reader,
        rules.keeps_its_organizer,
    )
    newer = (rules.is_newer_by_sequence_and_stamp, rules.raises_its_sequence_with_its_time)

    def _cancels_the_unknown(self, message: Invitation) -> None:
        """Remember it: the highest SEQUENCE obsoletes all lower ones, whenever they come (RFC 5546 section 2.1.5)."""
        self.held[message.uid] = self._entry(message)


class Gmail(Receiver):
    """Gmail with Google Calendar."""

    name = "Gmail"
    sound = (
        rules.has_the_method_twice,
        rules.is_about_one_event,
        rules.says_each_thing_once,
        rules.is_stamped_in_utc,
        rules.invites_its_reader,
        rules.comes_from_its_organizer,
        rules.keeps_its_organizer,
    )
    newer = (rules.is_newer_by_both, rules.was_invited_before)

    def _not_an_invitation(self, message: Invitation) -> None:
        """Add what is published, as its reader does by the button that is shown instead of an answer."""
        if message.method in ("", "PUBLISH") and message.uid and message.uid not in self.held:
            self.held[message.uid] = self._entry(message, is_invitation=False)


class ClassicOutlook(Receiver):
    """Outlook for Windows, which processes meeting requests itself; a cancelled one stays, struck, until removed.

    Source of the latter: `RemoveItem` of Exchange Web Services, which is the reader's act.
    """

    name = "Outlook classic"
    sound = (
        rules.names_its_method_first,
        rules.is_about_one_event,
        rules.ends_its_lines_as_it_must,
        rules.invites_its_reader,
        rules.keeps_its_organizer,
    )
    newer = (rules.is_not_out_of_date,)

    def _not_an_invitation(self, message: Invitation) -> None:
        """Open it as a file: each time a new item with an identity of its own.

        Source: github.com/mangstadt/biweekly/issues/97; github.com/ical4j/ical4j/issues/423.
        """
        if message.method in ("", "PUBLISH"):
            self.held[f"{message.uid} {len(self.held)}"] = self._entry(message, is_invitation=False)


class NewOutlook(Receiver):
    """The new Outlook and Outlook on the web, for which the server processes what comes in."""

    name = "Outlook new"
    sound = (
        rules.has_the_method_twice,
        rules.is_about_one_event,
        rules.is_stamped_in_utc,
        rules.invites_its_reader,
        rules.comes_from_its_organizer,
        rules.keeps_its_organizer,
    )
    newer = (rules.is_not_out_of_date,)


class Apple(Receiver):
    """Apple Mail and iOS with iCloud, whose server's code is public."""

    name = "Apple"
    sound = (
        rules.has_the_method_twice,
        rules.is_about_one_event,
        rules.is_stamped_in_utc,
        rules.invites_its_reader,
        rules.comes_from_its_organizer,
    )
    newer = (rules.is_newer_by_sequence_and_stamp,)


RECEIVERS: tuple[type[Receiver], ...] = (Strict, Gmail, ClassicOutlook, NewOutlook, Apple)


def after(mails: list[bytes], kind: type[Receiver], *, zone: str = "Europe/London") -> Receiver:
    """Return a receiver that has read these mails."""
    receiver = kind(zone)
    for mail in mails:
        receiver.receive(mail)
    return receiver
