"""What the entry in a client's calendar says: neutral, since it shows on lock screens and in shared calendars."""

from __future__ import annotations

from connector.domain.session import Location
from connector.language.telling import Teller


def summary(teller: Teller, practitioner: str) -> str:
    """Return the title of a session with this practitioner, whose name is one line."""
    return teller.language.say("Session with %(practitioner)s", practitioner=practitioner)


def description(teller: Teller, practitioner: str, location: Location) -> str:
    """Return what stands below it."""
    return teller.language.say(
        "Session with %(practitioner)s, %(place)s\n\nIf the time or the place changes, this entry is updated.",
        practitioner=practitioner,
        place=teller.place(location),
    )


def copy_description(teller: Teller, practitioner: str, location: Location) -> str:
    """Return what stands below an entry that the client has put there themselves, and that nobody changes."""
    return teller.language.say(
        "Session with %(practitioner)s, %(place)s\n\nThis is a copy. If the time or the place changes, you are told, "
        "and this entry stays as it is: please change it yourself.",
        practitioner=practitioner,
        place=teller.place(location),
    )
