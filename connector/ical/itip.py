"""A session as the message that keeps a client's calendar right (iTIP, RFC 5546).

Times go out in UTC, so without a VTIMEZONE: all mail programs we tried show them right across clock changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from icalendar import Calendar, Event, vCalAddress

from connector.domain.notice import Recipient
from connector.domain.people import check_address
from connector.domain.session import Session
from connector.domain.text import JOINERS, NO_BREAKS, collapse

PRODID = "-//Pencilled//Pencilled//EN"

_LONGEST_NAME = 200
_KEPT = JOINERS | NO_BREAKS
_UNFIT_FOR_CN = re.compile(r'["^\\]')  # RFC 6868 would write them as ^', ^^: readers print that as it stands


def request(
    session: Session,
    *,
    practitioner_name: str,
    client: Recipient,
    summary: str,
    description: str,
    accepted: bool = False,
    answers_read: bool = False,
) -> bytes:
    """Build the message that tells a client where a session now stands.

    Args:
        session: Its `revision` becomes SEQUENCE and its `stamp` DTSTAMP; `uid` and `organizer` never change.
        practitioner_name: Shown beside the organizer's address.
        client: The address must be the very one the mail goes to.
        summary: Neutral: it shows on lock screens and in shared calendars.
        description: As neutral, and short.
        accepted: The client has already chosen this time on our page, so nobody asks again.
        answers_read: Somebody reads what a calendar program sends back: yes, no, or another time.
    Returns: One VCALENDAR with one VEVENT, in CRLF lines of at most 75 octets.
    Raises: RuleError if an address could not stand bare in a property.
    Source: RFC 5546 section 3.2.2; SEQUENCE in RFC 5545 section 3.8.7.4.
    """
    asked = "TRUE" if answers_read and not accepted else "FALSE"
    answer = {"PARTSTAT": "ACCEPTED" if accepted else "NEEDS-ACTION", "RSVP": asked}
    event = _event(session, practitioner_name=practitioner_name, client=client, answer=answer)
    event.add("summary", one_line(summary))
    event.add("description", description)
    event.add("location", session.location.text)
    event.add("status", "CONFIRMED")
    event.add("transp", "OPAQUE")
    event.add("x-microsoft-cdo-busystatus", "BUSY")
    if not answers_read:
        event.add("x-microsoft-disallow-counter", "TRUE")
    return _message("REQUEST", event)


def cancel(session: Session, *, practitioner_name: str, client: Recipient, summary: str) -> bytes:
    """Build the message that takes a cancelled session out of a client's calendar.

    Args:
        session: Its `revision` must be higher than in the last message; time and place are repeated for weak readers.
        practitioner_name: Shown beside the organizer's address.
        client: As in the request.
        summary: As in the request, so that a person recognises what is cancelled.
    Returns: One VCALENDAR with one VEVENT, in CRLF lines of at most 75 octets.
    Raises: RuleError if an address could not stand bare in a property.
    Source: RFC 5546 section 3.2.5.
    """
    event = _event(session, practitioner_name=practitioner_name, client=client, answer={})
    event.add("summary", one_line(summary))
    event.add("location", session.location.text)
    event.add("status", "CANCELLED")
    event.add("transp", "TRANSPARENT")
    event.add("x-microsoft-cdo-busystatus", "FREE")
    return _message("CANCEL", event)


def one_line(text: str) -> str:
    """Return `text` with everything unprintable (line breaks, controls, direction marks) turned into single spaces.

    But for the two joiners, which are part of how names are written, and for blanks at which no line may end.
    """
    return collapse("".join(c if c.isprintable() or c in _KEPT else " " for c in text))


def _event(session: Session, *, practitioner_name: str, client: Recipient, answer: Mapping[str, str]) -> Event:
    event = Event()
    event.add("uid", session.uid)
    event.add("sequence", session.revision)
    event.add("dtstamp", session.stamp)
    event.add("created", session.created_at)
    event.add("last-modified", session.stamp)
    event.add("dtstart", session.when.span.start)
    event.add("dtend", session.when.span.end)
    event.add("class", "PRIVATE")
    event.add("organizer", _person(practitioner_name, session.organizer, {}), encode=False)
    role = {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT"}
    event.add("attendee", _person(client.name, client.address, {**role, **answer}), encode=False)
    return event


def _person(name: str, address: str, parameters: Mapping[str, str]) -> vCalAddress:
    person = vCalAddress(f"mailto:{check_address(address)}")
    if common_name := one_line(_UNFIT_FOR_CN.sub(" ", name))[:_LONGEST_NAME]:
        person.params["CN"] = common_name
    person.params.update(parameters)
    return person


def _message(method: str, event: Event) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)  # written above the event: weak parsers look for it only there
    calendar.add_component(event)
    serialised: bytes = calendar.to_ical()
    return serialised
