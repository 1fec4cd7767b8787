from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from connector.domain import session as sessions
from connector.domain.facts import MoveReason
from connector.domain.notice import Recipient
from connector.domain.people import LONGEST_NAME, Actor, Role
from connector.domain.session import Edit, Session
from connector.domain.span import When
from connector.errors import RuleError
from connector.ical import itip
from tests.outbox.people import CLIENT, PRACTICE, SESSION, VIDEO, at

GOLDEN = Path(__file__).parent.parent / "data" / "letters"
HOST = Actor(role=Role.HOST)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=LONGEST_NAME)


def request(session: Session = SESSION, *, name: str = "Dr. Kim Beispiel", accepted: bool = False) -> bytes:
    return itip.request(
        session,
        practitioner_name=name,
        client=CLIENT,
        summary="Session with Dr. Kim Beispiel",
        description=f"Session with Dr. Kim Beispiel, {session.location.text}\n\nThis entry is kept up to date.",
        accepted=accepted,
    )


def cancel(session: Session = SESSION) -> bytes:
    return itip.cancel(
        session, practitioner_name="Dr. Kim Beispiel", client=CLIENT, summary="Session with Dr. Kim Beispiel"
    )


def event(text: bytes) -> Event:
    (vevent,) = Calendar.from_ical(text).walk("VEVENT")
    assert isinstance(vevent, Event)
    return vevent


def lines(text: bytes) -> list[str]:
    return text.decode().replace("\r\n ", "").split("\r\n")


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("request", request()),
        ("request-accepted", request(accepted=True)),
        ("request-online", request(replace(SESSION, location=VIDEO, revision=2))),
        ("cancel", cancel(replace(SESSION, revision=3))),
    ],
)
def test_message_is_the_one_a_person_has_read(name: str, built: bytes) -> None:
    assert built == (GOLDEN / f"{name}.ics").read_bytes()


@pytest.mark.parametrize(("method", "built"), [("REQUEST", request()), ("CANCEL", cancel())])
def test_method_stands_above_the_event(method: str, built: bytes) -> None:
    written = lines(built)

    assert written.index(f"METHOD:{method}") < written.index("BEGIN:VEVENT")


def test_every_time_is_in_utc_and_needs_no_zone_block() -> None:
    written = lines(request())

    for name in ("DTSTART", "DTEND", "DTSTAMP", "CREATED", "LAST-MODIFIED"):
        (value,) = [line.partition(":")[2] for line in written if line.startswith(name)]
        assert value.endswith("Z")
    assert not [line for line in written if "TZID" in line or "VTIMEZONE" in line or "VALARM" in line]


@pytest.mark.parametrize(
    ("when", "start"),
    [
        (at("2026-10-25T02:30", fold=0), "20261025T003000Z"),
        (at("2026-10-25T02:30", fold=1), "20261025T013000Z"),
        (at("2027-03-14T03:00", zone="America/New_York"), "20270314T070000Z"),
        (at("2026-10-04T03:30", zone="Australia/Sydney"), "20261003T163000Z"),
    ],
    ids=["Berlin, earlier of two", "Berlin, later of two", "New York, after the gap", "Sydney, after the gap"],
)
def test_instant_is_right_where_the_clocks_change(when: When, start: str) -> None:
    assert f"DTSTART:{start}" in lines(request(replace(SESSION, when=when)))


def test_life_of_a_session_keeps_its_identity_and_only_ever_counts_up() -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    revisions = [SESSION]
    for edit in (
        Edit(when=at("2026-12-02T14:00"), reason=MoveReason.CORRECTION),
        Edit(location=VIDEO),
        Edit(when=at("2026-12-03T14:00"), location=PRACTICE, reason=MoveReason.CORRECTION),
    ):
        revisions.append(sessions.edit(revisions[-1], edit, by=HOST, now=now).session)
    ended = sessions.cancel(revisions[-1], by=HOST, now=now - timedelta(seconds=30)).session

    events = [event(request(session)) for session in revisions] + [event(cancel(ended))]

    assert len({str(each["UID"]) for each in events}) == 1
    assert len({str(each["ORGANIZER"]) for each in events}) == 1
    assert len({each.decoded("CREATED") for each in events}) == 1
    assert [each["SEQUENCE"] for each in events] == [1, 2, 3, 4, 5]
    stamps = [each.decoded("DTSTAMP") for each in events]
    assert stamps == sorted(set(stamps))


def answer(*, accepted: bool = False, answers_read: bool = False) -> tuple[str, str]:
    built = itip.request(
        SESSION,
        practitioner_name="K",
        client=CLIENT,
        summary="S",
        description="D",
        accepted=accepted,
        answers_read=answers_read,
    )
    parameters = event(built)["ATTENDEE"].params
    return parameters["PARTSTAT"], parameters["RSVP"]


def test_client_is_asked_only_where_somebody_reads_the_answer_and_they_have_not_chosen_the_time_themselves() -> None:
    assert answer() == ("NEEDS-ACTION", "FALSE")
    assert answer(answers_read=True) == ("NEEDS-ACTION", "TRUE")
    assert answer(accepted=True, answers_read=True) == ("ACCEPTED", "FALSE")


def test_counter_proposals_are_invited_only_where_somebody_reads_them() -> None:
    silent = itip.request(SESSION, practitioner_name="K", client=CLIENT, summary="S", description="D")
    read = itip.request(SESSION, practitioner_name="K", client=CLIENT, summary="S", description="D", answers_read=True)

    assert "X-MICROSOFT-DISALLOW-COUNTER:TRUE" in lines(silent)
    assert "X-MICROSOFT-DISALLOW-COUNTER:TRUE" not in lines(read)


def test_lines_are_folded_at_75_octets_and_never_inside_a_letter() -> None:
    name = "Dr. Žofie-Öłmütz Čiğdem 😀 שלום " * 6

    built = request(name=name)

    assert max(len(line) for line in built.split(b"\r\n")) <= 75
    assert b"\r\r\n" not in built
    assert b"\n" not in built.replace(b"\r\n", b"")
    for line in built.split(b"\r\n"):
        line.decode()  # each line is whole UTF-8 on its own
    assert event(built)["ORGANIZER"].params["CN"] == name.strip()


def test_the_joiners_in_a_name_stay_where_they_are() -> None:
    assert event(request(name="Zo\u200cra"))["ORGANIZER"].params["CN"] == "Zo\u200cra"


@pytest.mark.parametrize("held", ["Dr.\u00a0Kim", "Dr.\u202fKim"])
def test_blank_at_which_no_line_may_end_stays_where_it_is(held: str) -> None:
    assert itip.one_line(f" {held}\t \u2028 Beispiel\n") == f"{held} Beispiel"


@pytest.mark.parametrize(
    "name",
    ['Kim "Kimmy" Beispiel', "Kim\r\nATTENDEE:mailto:eve@example.org", "Kim ^n Beispiel", "Kim\x00\x07\u2028Beispiel"],
)
def test_names_cannot_write_properties_or_caret_codes(name: str) -> None:
    built = request(name=name)

    assert b"^" not in built
    assert len([line for line in lines(built) if line.startswith("ATTENDEE")]) == 1
    assert str(event(built)["ORGANIZER"].params["CN"]).startswith("Kim")


@given(name=names, summary=names, description=names)
def test_any_name_leaves_the_message_readable(name: str, summary: str, description: str) -> None:
    client = replace(CLIENT, name=name)

    read = event(itip.request(SESSION, practitioner_name=name, client=client, summary=summary, description=description))

    assert read.errors == []
    assert str(read["ORGANIZER"]) == f"mailto:{SESSION.organizer}"
    assert str(read["ATTENDEE"]) == f"mailto:{CLIENT.address}"
    assert str(read["UID"]) == SESSION.uid


@pytest.mark.parametrize("address", ["", "alex", "a@b\r\nX:1", "a b@example.org", '"a"@example.org', "Alex <a@b.c>"])
def test_address_that_cannot_stand_bare_is_refused(address: str) -> None:
    client = Recipient(name="Alex", address=address, zone="UTC", locale="en")

    with pytest.raises(RuleError):
        itip.request(SESSION, practitioner_name="Kim", client=client, summary="S", description="D")
    with pytest.raises(RuleError):
        itip.cancel(replace(SESSION, organizer=address), practitioner_name="Kim", client=CLIENT, summary="S")


def test_cancelled_time_no_longer_blocks_the_client() -> None:
    written = lines(cancel())

    assert "STATUS:CANCELLED" in written
    assert "TRANSP:TRANSPARENT" in written
    assert "X-MICROSOFT-CDO-BUSYSTATUS:FREE" in written
