# ruff: noqa: RUF001 - it is about such characters
from __future__ import annotations

from dataclasses import replace

import pytest

from connector.domain.notice import NoticeKind
from connector.domain.notice_table import ROWS, Audience
from connector.domain.session import Location, LocationKind
from connector.language.offered import Languages
from connector.outbox.sms.gsm7 import folded, segments, septets
from connector.outbox.sms.texts import compose
from tests.outbox.people import CLIENT, SESSION, at, letter

LINK = f"https://{'p' * 12}.example/s/{'a' * 16}"  # a domain of 20 characters
TO_CLIENTS = [row.kind for row in ROWS if row.to is Audience.CLIENT]
# German summer, New York in winter with its twelve hours, and a zone that has no abbreviation.
READERS = [("en", "Europe/Berlin"), ("de", "Europe/Berlin"), ("en_US", "America/New_York"), ("de", "Asia/Kathmandu")]


def told(kind: NoticeKind, *, locale: str = "en", zone: str = "Europe/Berlin", **changes: object) -> str:
    to = replace(CLIENT, locale=locale, zone=zone)
    return compose(letter(kind, link=LINK, to=to, **changes), languages=Languages())


@pytest.mark.parametrize("kind", TO_CLIENTS)
@pytest.mark.parametrize(("locale", "zone"), READERS)
def test_every_text_travels_in_one_piece(kind: NoticeKind, locale: str, zone: str) -> None:
    for month in range(1, 13):  # September is the longest
        session = replace(SESSION, when=at(f"2027-{month:02}-24T22:45", zone=zone))
        old = at(f"2027-{month:02}-21T22:15", zone=zone)
        text = told(
            kind, locale=locale, zone=zone, session=session, old_when=old, expires_at=old.span.start,
            practitioner_name="Dr. Maximiliane von Großmann-Ołęcka", old_location=None,
        )  # fmt: skip
        assert segments(text) == 1, text
        assert septets(text) is not None
        assert "Dr. Maximiliane von" in text


def test_an_offer_names_the_time_the_deadline_and_where_to_choose() -> None:
    text = told(NoticeKind.OFFERED)

    assert text == (
        f"Dr. Kim Beispiel cannot make Tue, 1 Dec, 14:00 CET. Choose another time by Wed, 25 Nov, 10:00 CET: {LINK}"
    )


def test_a_move_names_both_times_and_a_correction_says_which_was_a_mistake() -> None:
    assert told(NoticeKind.MOVED) == (
        "Dr. Kim Beispiel: your session is now on Tue, 1 Dec, 14:00 CET instead of Thu, 26 Nov, 10:00 CET."
    )
    assert "Thu, 26 Nov, 10:00 CET was a mistake" in told(NoticeKind.CORRECTED)


def test_a_place_is_told_whole_however_long_it_is() -> None:
    place = Location(kind=LocationKind.IN_PERSON, text="Haus 7, " + "Am langen Weg, " * 20)

    text = told(NoticeKind.RELOCATED, session=replace(SESSION, location=place))

    assert place.text in text
    assert segments(text) > 1


def test_a_text_in_other_letters_stays_readable() -> None:
    assert told(NoticeKind.CANCELLED, practitioner_name="Нина Орлова").startswith("Нина Орлова: ")


@pytest.mark.parametrize("kind", [row.kind for row in ROWS if row.to is not Audience.CLIENT])
def test_nobody_but_clients_is_told_by_text(kind: NoticeKind) -> None:
    with pytest.raises(ValueError, match="lacks"):
        told(kind)


def test_an_offer_without_its_link_is_not_written() -> None:
    with pytest.raises(ValueError, match="link"):
        compose(letter(NoticeKind.OFFERED, link=None), languages=Languages())


@pytest.mark.parametrize(
    ("text", "length", "pieces"),
    [
        ("", 0, 1),
        ("a" * 160, 160, 1),
        ("a" * 161, 161, 2),
        ("a" * 306, 306, 2),
        ("a" * 307, 307, 3),
        ("€" * 80, 160, 1),
        ("€" * 81, 162, 2),
        ("äöüßÄÖÜàéèìòùñøåæ§¿", 19, 1),
        ("ç", None, 1),
        ("я" * 70, None, 1),
        ("я" * 71, None, 2),
        ("😀" * 35, None, 1),
        ("😀" * 36, None, 2),
    ],
)
def test_a_text_is_counted_as_networks_count(text: str, length: int | None, pieces: int) -> None:
    assert septets(text) == length
    assert segments(text) == pieces


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Ça va – très bien", "Ça va - très bien"),
        ("„Łódź“", '"Lodz"'),
        ("naïve cœur", "naive coeur"),
        ("Ω я €", "Ω я €"),
    ],
)
def test_what_has_a_plain_counterpart_is_written_plainly(text: str, plain: str) -> None:
    assert folded(text) == plain
