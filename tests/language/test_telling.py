# ruff: noqa: RUF001  the dash between two times is the one that letters print
from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest

from connector.domain.session import Location, LocationKind
from connector.errors import RuleError
from connector.language.offered import Languages
from connector.language.telling import Teller
from tests.outbox.people import VIDEO, at


def teller(*, locale: str, zone: str) -> Teller:
    return Teller.to(locale=locale, zone=zone, languages=Languages())


BERLIN = teller(locale="en", zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("locale", "zone", "told"),
    [
        ("en", "Europe/Berlin", "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Berlin)"),
        ("en_GB", "Europe/Berlin", "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Berlin)"),
        ("de", "Europe/Berlin", "Dienstag, 1. Dezember 2026, 14:00–14:50\xa0Uhr (Mitteleuropäische Zeit, Berlin)"),
        ("de-AT", "Europe/Vienna", "Dienstag, 1. Dezember 2026, 14:00–14:50\xa0Uhr (Mitteleuropäische Zeit, Wien)"),
        ("tlh", "Europe/Berlin", "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Berlin)"),
        ("", "Europe/Berlin", "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Berlin)"),
        ("not a locale", "Europe/Berlin", "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Berlin)"),
    ],
)
def test_time_is_written_as_the_reader_writes_it(locale: str, zone: str, told: str) -> None:
    assert teller(locale=locale, zone=zone).when(at("2026-12-01T14:00")) == told


def test_reader_in_another_zone_is_told_both_clocks() -> None:
    told = teller(locale="en_US", zone="America/New_York").when(at("2026-12-01T14:00"))

    assert told == (
        "Tuesday, December 1, 2026, 8:00\xa0AM–8:50\xa0AM (Eastern Time, New York), "
        "which is 2:00\xa0PM–2:50\xa0PM (Central European Time, Berlin)"
    )


def test_day_is_named_on_both_clocks_where_it_differs() -> None:
    told = teller(locale="de", zone="Australia/Sydney").when(at("2026-12-01T14:00"))

    assert told == (
        "Mittwoch, 2. Dezember 2026, 00:00–00:50\xa0Uhr (Ostaustralische Zeit, Sydney), "
        "das ist Dienstag, 1. Dezember 2026, 14:00–14:50\xa0Uhr (Mitteleuropäische Zeit, Berlin)"
    )


def test_another_zone_with_the_same_hour_is_not_mentioned() -> None:
    told = teller(locale="en", zone="Europe/Madrid").when(at("2026-12-01T14:00"))

    assert told == "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Madrid)"


def test_session_over_midnight_names_both_days() -> None:
    assert BERLIN.when(at("2026-12-01T23:30")) == (
        "Tuesday, 1 December 2026, 23:30 until Wednesday, 2 December 2026, 00:20 (Central European Time, Berlin)"
    )


@pytest.mark.parametrize(
    ("fold", "told"),
    [
        (0, "02:05–02:55 (Central European Summer Time, Berlin, UTC+2)"),
        (1, "02:05–02:55 (Central European Standard Time, Berlin, UTC+1)"),
    ],
)
def test_hour_that_comes_twice_in_berlin_says_which_one(fold: int, told: str) -> None:
    when = at("2026-10-25T02:05", fold=1 if fold else 0)

    assert BERLIN.when(when) == f"Sunday, 25 October 2026, {told}"


def test_session_across_the_turning_of_the_clock_names_both_offsets() -> None:
    assert BERLIN.when(at("2026-10-25T02:30", fold=0)) == (
        "Sunday, 25 October 2026, 02:30 [UTC+2]–02:20 [UTC+1] (Central European Time, Berlin)"
    )


def test_deadline_in_the_hour_that_comes_twice_says_which_one() -> None:
    assert BERLIN.instant(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == (
        "Sunday, 25 October 2026, 02:30 (Central European Summer Time, Berlin, UTC+2)"
    )


def test_hours_beside_the_change_need_no_offset() -> None:
    assert BERLIN.when(at("2026-10-25T01:00")).endswith("01:00–01:50 (Central European Time, Berlin)")
    assert BERLIN.when(at("2026-10-25T03:00")).endswith("03:00–03:50 (Central European Time, Berlin)")


def test_spring_in_new_york_jumps_over_the_missing_hour() -> None:
    when = at("2027-03-14T01:30", zone="America/New_York")

    assert teller(locale="en", zone="America/New_York").when(when) == (
        "Sunday, 14 March 2027, 01:30–03:20 (Eastern Time, New York)"
    )


@pytest.mark.parametrize(
    ("local", "fold", "told"),
    [
        ("2026-10-04T03:30", None, "Sunday, 4 October 2026, 03:30–04:20 (Australian Eastern Time, Sydney)"),
        (
            "2027-04-04T02:05",
            1,
            "Sunday, 4 April 2027, 02:05–02:55 (Australian Eastern Standard Time, Sydney, UTC+10)",
        ),
    ],
    ids=["southern spring", "southern autumn"],
)
def test_sydney_changes_its_clocks_the_other_way_round(local: str, fold: int | None, told: str) -> None:
    when = at(local, zone="Australia/Sydney", fold=None if fold is None else 1)

    assert teller(locale="en", zone="Australia/Sydney").when(when) == told


@pytest.mark.parametrize(
    ("zone", "locale", "named"),
    [
        ("UTC", "en", "(Coordinated Universal Time)"),
        ("UTC", "de", "(Koordinierte Weltzeit)"),
        ("Europe/Kyiv", "en", "(local time in Kyiv)"),
        ("Asia/Kolkata", "de", "(Ortszeit in Kolkata)"),
        ("America/Argentina/Buenos_Aires", "en", "(local time in Buenos Aires)"),
        ("Europe/London", "de", "(Mittlere Greenwich-Zeit, London)"),
        ("Etc/GMT+5", "en", "(GMT-05:00)"),
    ],
)
def test_zone_is_named_in_plain_words(zone: str, locale: str, named: str) -> None:
    assert teller(locale=locale, zone=zone).instant(datetime(2026, 12, 1, 13, tzinfo=UTC)).endswith(named)


@pytest.mark.parametrize("locale", ["en", "en_US", "en-GB", "de", "de_AT", "fr"])
def test_what_is_refused_is_told_in_the_same_style_as_any_other_time(locale: str) -> None:
    berlin, when = teller(locale=locale, zone="Europe/Berlin"), at("2026-01-20T14:00")
    refused = RuleError("%(when)s is over.", code="test", when=when.local)

    day = berlin.parts(when).day
    assert berlin.language.refusal(refused).startswith(f"{day}, ")
    assert berlin.instant(when.span.start).partition(" (")[0] in berlin.language.refusal(refused)


@pytest.mark.parametrize("locale", ["en", "en_US", "de"])
def test_every_zone_there_is_can_be_told(locale: str) -> None:
    for zone in sorted(available_timezones()):
        told = teller(locale=locale, zone=zone).instant(datetime(2026, 12, 1, 13, tzinfo=UTC))

        assert "Unknown" not in told
        assert "()" not in told
        assert told.replace("\xa0", " ").isprintable()


@pytest.mark.parametrize(
    ("locale", "zone", "told"),
    [
        ("en", "Europe/Berlin", "Tue, 1 Dec, 14:00 CET"),
        ("de", "Europe/Berlin", "Di., 1. Dez., 14:00\xa0Uhr MEZ"),
        ("en_US", "America/New_York", "Tue, Dec 1, 8:00\xa0AM EST"),
        ("de", "Asia/Kathmandu", "Di., 1. Dez., 18:45\xa0Uhr UTC+5:45"),
        ("en", "America/Sao_Paulo", "Tue, 1 Dec, 10:00 UTC-3"),
    ],
)
def test_subject_line_has_day_time_and_zone_in_short(locale: str, zone: str, told: str) -> None:
    assert teller(locale=locale, zone=zone).brief(datetime(2026, 12, 1, 13, tzinfo=UTC)) == told


def test_place_says_how_the_two_meet() -> None:
    phone = Location(kind=LocationKind.PHONE, text="+49 30 123456, Dr. Kim calls you")

    assert BERLIN.place(VIDEO) == "online, https://meet.example.org/kim?room=1&lang=en"
    assert BERLIN.place(phone) == "by phone, +49 30 123456, Dr. Kim calls you"


@pytest.mark.parametrize(
    ("locale", "pieces"),
    [
        ("en", ("Tuesday, 1 December 2026", "14:00–14:50", "Central European Time, Berlin", "")),
        ("de", ("Dienstag, 1. Dezember 2026", "14:00–14:50\xa0Uhr", "Mitteleuropäische Zeit, Berlin", "")),
    ],
)
def test_time_in_pieces_says_what_it_says_in_full(locale: str, pieces: tuple[str, ...]) -> None:
    tells = teller(locale=locale, zone="Europe/Berlin")
    text = tells.parts(at("2026-12-01T14:00"))

    assert (text.day, text.hours, text.zone, text.elsewhere) == pieces
    assert tells.when(at("2026-12-01T14:00")) == f"{text.day}, {text.hours} ({text.zone})"


@pytest.mark.parametrize(
    ("zone", "other", "elsewhere"),
    [
        ("Europe/Berlin", "Europe/Madrid", ""),
        ("Europe/Berlin", "America/New_York", "08:00–08:50 (Eastern Time, New York)"),
        ("America/New_York", "", "14:00–14:50 (Central European Time, Berlin)"),
        ("Australia/Sydney", "", "Tuesday, 1 December 2026, 14:00–14:50 (Central European Time, Berlin)"),
    ],
)
def test_time_in_pieces_is_told_on_the_other_clock_where_that_differs(zone: str, other: str, elsewhere: str) -> None:
    assert teller(locale="en", zone=zone).parts(at("2026-12-01T14:00"), other=other).elsewhere == elsewhere


@pytest.mark.parametrize(("locale", "line"), [("en", "1 Dec 2026, 14:00"), ("de", "1. Dez. 2026, 14:00\xa0Uhr")])
def test_line_of_a_table_has_the_day_in_short(locale: str, line: str) -> None:
    assert teller(locale=locale, zone="Europe/Berlin").line(datetime(2026, 12, 1, 13, tzinfo=UTC)) == line


def test_zone_is_named_as_it_is_called_at_that_instant() -> None:
    assert BERLIN.zone_at(datetime(2026, 12, 1, 13, tzinfo=UTC)) == "Central European Time, Berlin"
    assert BERLIN.zone_at(datetime(2026, 12, 1, 13, tzinfo=UTC), "America/New_York") == "Eastern Time, New York"


def test_page_sets_day_hours_and_zone_apart() -> None:
    told = BERLIN.parts(at("2026-12-01T14:00"))

    assert (told.day, told.hours, told.zone) == (
        "Tuesday, 1 December 2026",
        "14:00–14:50",
        "Central European Time, Berlin",
    )
    assert told.elsewhere == ""


def test_other_clock_is_told_on_a_page_only_where_it_shows_another_time() -> None:
    when = at("2026-12-01T14:00")

    assert teller(locale="en", zone="Europe/Paris").parts(when).elsewhere == ""
    assert (
        teller(locale="en", zone="Asia/Kolkata").parts(when).elsewhere == "14:00–14:50 (Central European Time, Berlin)"
    )
    assert BERLIN.parts(when, other="Pacific/Auckland").elsewhere == (
        "Wednesday, 2 December 2026, 02:00–02:50 (New Zealand Time, Auckland)"
    )


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("en", "from Tue, 1 Dec 2026, 14:00 CET"),
        ("de", "from Di., 1. Dez. 2026, 14:00\xa0Uhr MEZ"),
        ("en_US", "from Tue, Dec 1, 2026, 2:00\xa0PM CET"),
    ],
)
def test_time_in_a_sentence_has_its_day_and_zone_in_short(locale: str, told: str) -> None:
    assert teller(locale=locale, zone="Europe/Berlin").say("from %(when)s", when=at("2026-12-01T14:00")) == told
