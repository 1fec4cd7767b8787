"""A strict subscriber finds what others have got wrong in calendars that are fetched."""

from __future__ import annotations

import pytest

from connector.domain.notice import NoticeKind
from connector.domain.session import Session
from connector.ical.publishing import publish
from connector.language.offered import ENGLISH_ONLY
from connector.language.telling import Teller
from connector.services.views.published import for_client
from tests.receivers.broken import LIFE, Change, doubled, put, shown, without
from tests.receivers.subscribers import Subscriber


def fetch(*sessions: Session, change: Change = bytes) -> Subscriber:
    """Return a program that has fetched these one after another; something is wrong with the last."""
    subscriber, teller = Subscriber(), Teller.to(locale="en", zone="Europe/Berlin", languages=ENGLISH_ONLY)
    for session in sessions:
        text = publish([for_client(session, teller, "Kim")], name="Sessions")
        subscriber.fetch(change(text) if session is sessions[-1] else text)
    return subscriber


BOOKED, MOVED = LIFE[NoticeKind.BOOKED], LIFE[NoticeKind.MOVED]


def test_every_change_of_a_session_is_taken_and_a_cancelled_one_goes() -> None:
    lived: list[Session] = []
    for session in LIFE.values():
        lived.append(session)
        subscriber = fetch(*lived)
        assert (subscriber.entries, subscriber.faults) == (shown(session), [])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(put("SEQUENCE", "1"), id="SEQUENCE not raised"),
        pytest.param(put("SEQUENCE", "0"), id="SEQUENCE begun anew"),
        pytest.param(put("DTSTAMP", "20261101T090000Z"), id="an older stamp"),
        pytest.param(put("METHOD", "REQUEST"), id="another METHOD"),
        pytest.param(without("ORGANIZER"), id="no organizer"),
        pytest.param(lambda text: doubled(text).replace(b"another", MOVED.uid.encode()), id="a UID twice"),
        pytest.param(
            lambda text: text.replace(b"STATUS:", b"ATTENDEE:mailto:alex@client.example\r\nSTATUS:"), id="an attendee"
        ),
    ],
)
def test_a_strict_subscriber_finds_what_is_wrong(change: Change) -> None:
    assert fetch(BOOKED, MOVED, change=change).faults


def test_what_is_no_longer_there_goes() -> None:
    subscriber = fetch(BOOKED)
    subscriber.fetch(publish([], name="Sessions"))
    assert (subscriber.entries, subscriber.faults) == ([], [])
