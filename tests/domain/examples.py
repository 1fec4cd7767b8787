"""People, sessions and times for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from connector.domain.facts import Attestation
from connector.domain.people import Actor, Client, Practitioner, Role
from connector.domain.session import Location, LocationKind, Session, book
from connector.domain.span import Span, When

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KIM = Actor(role=Role.PRACTITIONER, name="Kim Beispiel")
ALEX = Actor(role=Role.CLIENT, name="Alex Client")
SUPPORT = Actor(role=Role.SUPPORT, name="Robin", reason="client called, cannot open the link")
PRACTICE = Location(kind=LocationKind.IN_PERSON, text="Lindenstr. 3, Berlin")
ATTESTED = Attestation(who="Kim Beispiel", at=NOW, channel="phone")


def when(hours: float, *, minutes: int = 50, zone: str = "Europe/Berlin") -> When:
    """A time `hours` after NOW."""
    return When.of(Span.of(NOW + timedelta(hours=hours), timedelta(minutes=minutes)), zone=zone)


def practitioner(*, buffer: int = 0, email: str = "kim@practice.example") -> Practitioner:
    """Kim, who has a practice in Berlin."""
    return Practitioner(
        id=uuid4(), name="Kim Beispiel", email=email, zone="Europe/Berlin", buffer=timedelta(minutes=buffer)
    )


def client(*, name: str = "Alex Client", email: str = "alex@client.example", phone: str = "") -> Client:
    """Alex, who lives in London."""
    return Client(id=uuid4(), name=name, email=email, phone=phone, zone="Europe/London")


def session(hours: float = 48, *, practitioner_id: UUID | None = None) -> Session:
    """A session that stands `hours` after NOW."""
    return book(
        practitioner_id=practitioner_id or uuid4(),
        client_id=uuid4(),
        when=when(hours),
        location=PRACTICE,
        organizer="sessions@pencilled.example",
        by=KIM,
        now=NOW,
    ).session
