"""What receivers ask of an invitation before they act on it, each rule with its public source.

A rule says why a message is not acted on, or nothing. "Observed": no vendor promises it, but it has been seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.receivers.mails import Invitation

_ONCE = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "ORGANIZER", "SUMMARY", "STATUS", "CREATED", "LAST-MODIFIED")
_OF_A_REQUEST = ("ATTENDEE", "DTSTAMP", "DTSTART", "ORGANIZER", "SUMMARY", "UID")
_OF_A_CANCEL = ("ATTENDEE", "DTSTAMP", "ORGANIZER", "SEQUENCE", "UID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a receiver's calendar holds under one key.

    Attributes:
        sequence: Of the last message that was acted on; so are the others.
        is_invitation: It came by a REQUEST, so that it can be updated.
    """

    uid: str
    organizer: str
    sequence: int
    stamp: datetime | None
    start: datetime | None
    end: datetime | None
    place: str
    is_cancelled: bool = False
    is_invitation: bool = True


Rule = Callable[[Invitation, Entry | None], str]


def asks_for_something(message: Invitation, _held: Entry | None) -> str:
    """METHOD is one that an organizer changes calendars with.

    Source: RFC 5546 section 1.4; a REQUEST that says STATUS:CANCELLED is none, and leaves the entry where it is,
    github.com/calcom/cal.diy/issues/29706.
    """
    return "" if message.method in ("REQUEST", "CANCEL") else "no METHOD that asks for something"


def has_the_method_twice(message: Invitation, _held: Entry | None) -> str:
    """The part's parameter equals METHOD.

    Source: RFC 6047 section 2.4: without the parameter it is no iMIP; Gmail shows what lacks it and does nothing,
    github.com/Couchers-org/couchers/issues/8557.
    """
    return "" if message.method and message.method == message.method_parameter else "METHOD and the parameter differ"


def names_its_method_first(message: Invitation, _held: Entry | None) -> str:
    """METHOD stands above the event.

    Source: RFC 5545 section 3.6: `icalbody = calprops component`.
    """
    return "" if any(line.name == "METHOD" for line in message.head) else "no METHOD above the event"


def is_about_one_event(message: Invitation, _held: Entry | None) -> str:
    """One message is about one UID.

    Source: RFC 5546 section 3.2.2: all events of a REQUEST have the same UID.
    """
    return "" if len(message.events) == 1 and message.uid else "not one event with one UID"


def says_each_thing_once(message: Invitation, _held: Entry | None) -> str:
    """No property that may stand once stands twice.

    Source: RFC 5545 section 3.6.1; Gmail does not act on two SEQUENCEs, github.com/Couchers-org/couchers/pull/8646.
    """
    return next((f"{name} twice" for name in _ONCE if len(message.all(name)) > 1), "")


def is_whole(message: Invitation, _held: Entry | None) -> str:
    """What its method asks for is there.

    Source: RFC 5546 sections 3.2.2 (REQUEST) and 3.2.5 (CANCEL: who is uninvited, and STATUS is CANCELLED).
    """
    names = _OF_A_CANCEL if message.method == "CANCEL" else _OF_A_REQUEST
    missing = [name for name in names if not message.value(name)]
    if missing:
        return f"lacks {', '.join(missing)}"
    is_cancelled = message.value("STATUS") == "CANCELLED"
    return "" if is_cancelled is (message.method == "CANCEL") else "STATUS contradicts METHOD"


def ends_its_lines_as_it_must(message: Invitation, _held: Entry | None) -> str:
    """Lines end in CRLF.

    Source: RFC 5545 section 3.1.
    """
    text = message.text.replace(b"\r\n", b"")
    return "" if b"\r" not in text and b"\n" not in text else "a line does not end in CRLF"


def is_stamped_in_utc(message: Invitation, _held: Entry | None) -> str:
    """DTSTAMP is there, in UTC.

    Source: RFC 5545 section 3.8.7.2; Gmail ignores updates with local stamps (observed).
    """
    return "" if message.value("DTSTAMP").endswith("Z") else "DTSTAMP is not in UTC"


def ends_after_its_start(message: Invitation, _held: Entry | None) -> str:
    """DTEND is later than DTSTART.

    Source: RFC 5545 section 3.8.2.2.
    """
    start, end = message.one("DTSTART"), message.one("DTEND")
    times = [line.instant("UTC") if line else None for line in (start, end)]
    return "" if times[0] and times[1] and times[0] < times[1] else "it does not end after its start"


def raises_its_sequence_with_its_time(message: Invitation, held: Entry | None) -> str:
    """Another time, or an end, is a higher SEQUENCE.

    Source: RFC 5546 section 2.1.4.
    """
    start, end = message.one("DTSTART"), message.one("DTEND")
    if held is None or message.sequence != held.sequence:
        return ""
    is_other = (start and start.instant("UTC")) != held.start or (end and end.instant("UTC")) != held.end
    is_end = (message.method == "CANCEL") is not held.is_cancelled
    return "something has changed, and SEQUENCE has not" if is_other or is_end else ""


def invites_its_reader(message: Invitation, _held: Entry | None) -> str:
    """Whoever gets the mail is an attendee.

    Source: RFC 5546 section 3.2.2 (an attendee is whom it is sent to) and 3.2.5; without it Gmail and Apple Mail offer
    to add an event instead of answering an invitation (observed).
    """
    is_invited = any(line.address == message.recipient for line in message.all("ATTENDEE"))
    return "" if is_invited else "its reader is not among the attendees"


def comes_from_its_organizer(message: Invitation, _held: Entry | None) -> str:
    """From is the organizer.

    Source: RFC 6047 section 2.2 (whoever sends it must be allowed to speak for the organizer); Gmail, Exchange and
    Apple judge by it (observed).
    """
    return "" if message.sender == message.organizer else "From is not the organizer"


def keeps_its_organizer(message: Invitation, held: Entry | None) -> str:
    """An update comes from the organizer of what it updates.

    Source: RFC 5546 section 6.1.1 (nobody else may change an event), RFC 6638 section 11.2 item 5 (a UID that is known
    with another organizer is refused); Gmail and Outlook refuse or double it (observed).
    """
    return "" if held is None or held.organizer == message.organizer else "another organizer"


def was_invited_before(message: Invitation, held: Entry | None) -> str:
    """Only what came as an invitation can be cancelled.

    Source: github.com/Wunderbyte-GmbH/moodle-mod_booking/issues/1107: what was published stays in Google Calendar.
    """
    return "no invitation" if message.method == "CANCEL" and held is not None and not held.is_invitation else ""


def is_newer_by_sequence_and_stamp(message: Invitation, held: Entry | None) -> str:
    """SEQUENCE decides, and DTSTAMP between equals.

    Source: RFC 5546 section 2.1.5; Apple's server does so in `sequenceComparison` and `compareITIPInfo`,
    github.com/apple/ccs-calendarserver, txdav/caldav/datastore/scheduling/itip.py.
    """
    if held is None or message.sequence > held.sequence:
        return ""
    is_newer = bool(message.stamp and held.stamp and message.stamp > held.stamp)
    return "" if message.sequence == held.sequence and is_newer else "not newer"


def is_not_out_of_date(message: Invitation, held: Entry | None) -> str:
    """SEQUENCE is not lower; where it is equal, DTSTAMP is not earlier.

    Source: [MS-OXOCAL] on out-of-date objects, learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxocal/
    8e26c2ea-b721-4d0b-bb85-10dc4f1c1257: by PidLidAppointmentSequence, then PidLidOwnerCriticalChange; those are
    SEQUENCE ([MS-OXCICAL] 2.1.3.1.1.20.22) and DTSTAMP ([MS-XWDCAL] 2.2.2.5).
    """
    if held is None or message.sequence > held.sequence:
        return ""
    is_earlier = bool(message.stamp and held.stamp and message.stamp < held.stamp)
    return "out of date" if message.sequence < held.sequence or is_earlier else ""


def is_newer_by_both(message: Invitation, held: Entry | None) -> str:
    """SEQUENCE has risen, and DTSTAMP has not fallen.

    Source: synara.events/articles/ics-update-not-showing-in-google-calendar-root-cause-and-fix: UID, SEQUENCE and
    DTSTAMP decide, and without a higher SEQUENCE an update is stale. Observed; where accounts differ, the hardest one
    counts.
    """
    if held is None:
        return ""
    is_older = bool(message.stamp and held.stamp and message.stamp < held.stamp)
    return "stale" if message.sequence <= held.sequence or is_older else ""
