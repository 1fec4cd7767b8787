"""The reader against others: rules against dateutil, objects against two libraries, zones against the system's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from icalendar import Calendar

from connector.domain.span import Span
from connector.ical.foreign import brought, lines, recurrence, rules
from connector.ical.foreign.budget import Budget
from connector.ical.foreign.clock import UNIVERSAL, Known
from connector.ical.foreign.occupied import occupied
from tests.ical.foreign.objects import calendar, event, timezone

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/Sao_Paulo")
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY")


def some(random: Random, low: int, high: int, *, most: int = 3, from_end: bool = False) -> str:
    signs = (1, -1) if from_end else (1,)
    numbers = {random.randint(low, high) * random.choice(signs) for _ in range(random.randint(1, most))}
    return ",".join(map(str, sorted(numbers)))


def days_of(random: Random, frequency: str) -> Iterator[str]:
    """Yield the parts that say on which days."""
    if random.random() < 0.3:
        yield f"BYMONTH={some(random, 1, 12)}"
    if random.random() < 0.3 and frequency != "WEEKLY":
        yield f"BYMONTHDAY={some(random, 1, 31, from_end=True)}"
    if random.random() < 0.15 and frequency in {"YEARLY", "HOURLY", "MINUTELY"}:
        yield f"BYYEARDAY={some(random, 1, 366, most=5, from_end=True)}"
    if random.random() < 0.2 and frequency in {"YEARLY", "MONTHLY"}:
        days = {f"{some(random, 1, 5, most=1, from_end=True)}{day}" for day in random.sample(DAYS, 3)}
        yield f"BYDAY={','.join(days)}"
    elif random.random() < 0.4:
        yield f"BYDAY={','.join(random.sample(DAYS, random.randint(1, 4)))}"
        if random.random() < 0.4 and frequency == "YEARLY":
            yield f"BYWEEKNO={some(random, 1, 53, most=4, from_end=True)}"


def parts(random: Random, frequency: str) -> Iterator[str]:
    """Yield the parts of a rule that dateutil reads as the standard says.

    It does not where BYDAY mixes days with and without a number, nor where BYWEEKNO stands without BYDAY.
    """
    yield f"FREQ={frequency}"
    if random.random() < 0.5:
        yield f"INTERVAL={random.choice((1, 2, 3, 4, 5, 7, 13, 40))}"
    yield from days_of(random, frequency)
    if random.random() < 0.2:
        yield f"BYHOUR={some(random, 0, 23)}"
    if random.random() < 0.2:
        yield f"BYMINUTE={some(random, 0, 59)}"
        if random.random() < 0.5:
            yield f"BYSETPOS={some(random, 1, 4, most=2, from_end=True)}"
    if random.random() < 0.3:
        yield f"WKST={random.choice(DAYS)}"


def compare_rules(numbers: range) -> None:
    for number in numbers:
        random = Random(number)
        frequency = random.choice(FREQUENCIES)
        text = ";".join(parts(random, frequency))
        low = datetime(2027, 1, 1) + timedelta(days=random.randint(0, 300))
        high = low + timedelta(days=3 if frequency == "MINUTELY" else 90)
        back, ahead = {"MINUTELY": (3, 3), "HOURLY": (100, 30)}.get(frequency, (9_000, 2_000))  # days
        first = low.replace(hour=random.randint(0, 23)) - timedelta(days=random.randint(-5, back))
        ours = times_of(text, first, low, high)
        if not times_of(text, first, high, high + timedelta(days=ahead)):
            continue  # dateutil goes through all, and would look for the next for ever
        if random.random() < 0.4:
            text += f";COUNT={random.randint(1, 300)}"
            ours = times_of(text, first, low, high)
        assert ours == rrulestr(text, dtstart=first).between(low, high, inc=True), (number, text, first)


def times_of(text: str, first: datetime, low: datetime, high: datetime) -> list[datetime]:
    rule = rules.read(text, zone=UNIVERSAL, home=UNIVERSAL)
    return list(recurrence.starts(rule, first, low=low, high=high, budget=Budget(10**9)))


def series(random: Random) -> str:
    """Return a series in the middle of the day, with exceptions, further dates, and occurrences that were moved."""
    zone, form = random.choice(ZONES), random.choice(("utc", "zone", "zone", "date"))

    def written(name: str, wall: datetime) -> str:
        if form == "date":
            return f"{name};VALUE=DATE:{wall:%Y%m%d}"
        return f"{name};TZID={zone}:{wall:%Y%m%dT%H%M%S}" if form == "zone" else f"{name}:{wall:%Y%m%dT%H%M%SZ}"

    start = datetime(
        random.randint(2020, 2027), random.randint(1, 12), random.randint(1, 28), random.randint(5, 18), 30
    )
    length = timedelta(days=random.randint(1, 3)) if form == "date" else timedelta(minutes=random.choice((15, 60, 90)))
    step = random.choice((1, 7, 28))
    near = [day for n in range(1, 400) if (day := start + timedelta(days=n * step)).year in {2026, 2027}]
    near = random.sample(near or [start], min(len(near) or 1, 8))
    rule = f"FREQ={ {1: 'DAILY', 7: 'WEEKLY', 28: 'MONTHLY'}[step] };INTERVAL={random.randint(1, 3)}"
    end = random.choice(("", f";COUNT={random.randint(1, 400)}", f";UNTIL={near[0]:%Y%m%dT%H%M%SZ}"))
    if end.startswith(";UNTIL") and form == "date":
        end = end[:15]
    body = [written("DTSTART", start), written("DTEND", start + length), f"RRULE:{rule}{end}"]
    body += [written("EXDATE", day) for day in near[:3]] + [
        written("RDATE", day + timedelta(days=1)) for day in near[3:5]
    ]
    events = [event(*body)]
    for day in near[5:7]:
        moved = day + timedelta(days=random.randint(-2, 2))
        status = random.choice(("CONFIRMED", "CANCELLED"))
        events.append(event(written("DTSTART", moved), written("DTEND", moved + length), written("RECURRENCE-ID", day),
                            f"STATUS:{status}"))  # fmt: skip
    return calendar(*events)


def instant(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def by_libraries(text: str, span: Span) -> set[Span]:
    found = recurring_ical_events.of(Calendar.from_ical(text)).between(
        span.start - timedelta(days=4), span.end + timedelta(days=4)
    )
    times = [Span.of(instant(one.start), instant(one.end)) for one in found if one.get("STATUS") != "CANCELLED"]
    return {time for time in times if time.overlaps(span)}


def compare_objects(numbers: range) -> None:
    for number in numbers:
        random = Random(number)
        text = series(random)
        span = Span.of(datetime(2027, random.randint(1, 10), 1, tzinfo=UTC), timedelta(days=90))
        assert set(occupied(text.encode(), span, home=UNIVERSAL).times) == by_libraries(text, span), (number, text)


def compare_zones(years: range, step: timedelta) -> None:
    content = timezone("Mine", onset="19700101T020000").replace("19700101T020000", "19700101T030000", 1)
    described = next(iter(lines.scan(lines.filtered(calendar(content).encode())).zones.values()))
    zone = brought.clock(described, Budget(10**9))
    berlin, wall = Known(ZoneInfo("Europe/Berlin")), datetime(years.start, 1, 1)
    assert zone
    while wall.year in years:
        assert zone.offset(wall) == berlin.offset(wall), wall
        wall += step


def test_rules_mean_what_dateutil_says() -> None:
    compare_rules(range(100))


def test_objects_mean_what_two_libraries_say() -> None:
    compare_objects(range(30))


def test_rules_of_a_zone_mean_what_the_system_says() -> None:
    compare_zones(range(2026, 2028), timedelta(minutes=30))


@pytest.mark.long
@pytest.mark.parametrize("thousand", range(1, 6))
def test_thousands_of_rules_mean_what_dateutil_says(thousand: int) -> None:
    compare_rules(range(thousand * 1000, thousand * 1000 + 1000))


@pytest.mark.long
@pytest.mark.parametrize("thousand", range(1, 6))
def test_thousands_of_objects_mean_what_two_libraries_say(thousand: int) -> None:
    compare_objects(range(thousand * 1000, thousand * 1000 + 1000))


@pytest.mark.long
def test_decades_of_a_zone_mean_what_the_system_says() -> None:
    compare_zones(range(1997, 2037), timedelta(minutes=15))
