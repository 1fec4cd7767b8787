"""What the metrics say: how the installation stands, and what its processes have counted.

Every word of a label is of a closed list or the slug of a provider: nobody's name, address, id or host is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection as Db

from connector.counters import COUNTERS, KINDS, TROUBLES, Series
from connector.domain.connection import CalendarRole, ConnectionState, TroubleKind
from connector.domain.people import Medium
from connector.storage import counters, installation, measures, troubles
from connector.storage.database import Database
from connector.storage.measures import CalendarGroup, Waiting

AT_WORK = "at_work"
NO_TROUBLE = "none"
_STATES = {ConnectionState.ACCESS_LOST: "access_lost", ConnectionState.DISCONNECTING: "disconnecting"}
Sample = tuple[Sequence[str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: Without what all names begin with.
        meaning: For the operator.
        labels: Their names.
        samples: The words of the labels, in their order, and the value.
        counts: Whether it is a counter, which only grows.
    """

    name: str
    meaning: str
    labels: Sequence[str] = ()
    samples: Sequence[Sample]
    counts: bool = False


def read(database: Database, providers: Sequence[str], *, now: datetime) -> Sequence[Metric]:
    """Return every metric, read from one snapshot in nine statements, however much is stored.

    Args:
        database: The installation's.
        providers: The slugs of those in use: what has not happened there yet is shown as zero.
        now: Aware UTC.
    """
    with database.read() as db:
        return [
            *_of_installation(db),
            *_of_calendars(measures.calendar_groups(db), now),
            *_of_registrations(db, providers),
            *_of_work(measures.work(db, now), now),
            *_of_letters(measures.letters(db, now), now),
            _of_endpoints(measures.endpoints_by_state(db)),
            *_of_counters(counters.totals(db), providers),
        ]


def _of_installation(db: Db) -> Iterator[Metric]:
    step = measures.schema_step(db)
    yield Metric(name="schema_info", meaning="The step of the schema.", labels=("step",), samples=[((step,), 1)])
    still = installation.stands_still(db)
    yield _gauge("standstill", "1 while nothing goes out, since the database was restored from a back-up.", still)
    yield _gauge("open_offers", "Offers that wait for an answer.", measures.open_offers(db))


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return Metric(name=name, meaning=meaning, samples=[((), float(value))])


def _of_calendars(groups: Sequence[CalendarGroup], now: datetime) -> Iterator[Metric]:
    yield Metric(
        name="calendars",
        meaning="Connected calendars by what they are to us and how they stand; paused ones by why.",
        labels=("provider", "role", "state"),
        samples=_sums(((group.provider, group.role.value, _state(group)), group.count) for group in groups),
    )
    yield Metric(
        name="troubled_calendars",
        meaning="Calendars that cannot be read or written, by who can end that.",
        labels=("provider", "access", "trouble"),
        samples=_sums(_troubles(groups)),
    )
    looked = [group for group in groups if group.role is CalendarRole.TARGET and _state(group) == AT_WORK]
    yield Metric(
        name="oldest_look_age_seconds",
        meaning="The longest time for which one of the calendars at work has not been read, by the trouble it has.",
        labels=("provider", "trouble"),
        samples=_oldest(((_by_trouble(group), group.looked_at) for group in looked), now),
    )
    yield Metric(
        name="oldest_comparison_age_seconds",
        meaning="Likewise, for which the whole of one has not been compared with what is believed of it.",
        labels=("provider", "trouble"),
        samples=_oldest(((_by_trouble(group), group.compared_at) for group in looked), now),
    )


def _by_trouble(group: CalendarGroup) -> Sequence[str]:
    trouble = TROUBLES[TroubleKind(group.unreadable)] if group.unreadable else NO_TROUBLE
    return group.provider, trouble


def _state(group: CalendarGroup) -> str:
    if group.state != ConnectionState.OK:
        return _STATES[ConnectionState(group.state)]
    return f"paused_{group.paused}" if group.paused else AT_WORK


def _troubles(groups: Iterable[CalendarGroup]) -> Iterator[tuple[Sequence[str], int]]:
    for group in groups:
        for access, kind in (("read", group.unreadable), ("write", group.unwritable)):
            if kind is not None:
                yield (group.provider, access, TROUBLES[TroubleKind(kind)]), group.count


def _of_registrations(db: Db, providers: Sequence[str]) -> Iterator[Metric]:
    refusing = {fault.provider for fault in troubles.every_registration_fault(db)}
    yield Metric(
        name="registration_refused",
        meaning="1 while a calendar service refuses this installation itself.",
        labels=("provider",),
        samples=[((provider,), float(provider in refusing)) for provider in sorted({*providers, *refusing})],
    )


def _of_work(waiting: Sequence[Waiting], now: datetime) -> Iterator[Metric]:
    none: dict[Sequence[str], float] = {(kind, state): 0.0 for kind in KINDS for state in measures.WORK_STATES}
    yield Metric(
        name="work",
        meaning="Work: waiting to be begun, by how long, or under way; what fails or is refused counts as that, too.",
        labels=("kind", "state"),
        samples=list((none | {(group.what, group.state): float(group.count) for group in waiting}).items()),
    )
    yield Metric(
        name="oldest_work_age_seconds",
        meaning="How long the oldest of them has been waiting, failing or refused.",
        labels=("kind", "state"),
        samples=_oldest((((group.what, group.state), group.since) for group in waiting), now),
    )


def _of_endpoints(found: Mapping[str, int]) -> Metric:
    none: dict[str, int] = dict.fromkeys(measures.ENDPOINT_STATES, 0)
    return Metric(
        name="endpoints",
        meaning="Addresses of hosts, by whether outcomes arrive; disabled ones by whether somebody did it.",
        labels=("state",),
        samples=[((state,), float(count)) for state, count in (none | dict(found)).items()],
    )


def _of_letters(waiting: Sequence[Waiting], now: datetime) -> Iterator[Metric]:
    none: dict[Sequence[str], float] = {(medium.value,): 0.0 for medium in Medium}
    yield Metric(
        name="letters_waiting",
        meaning="Readers for whom something waits to be told.",
        labels=("medium",),
        samples=list((none | {(group.what,): float(group.count) for group in waiting}).items()),
    )
    ages = dict(_oldest((((group.what,), group.since) for group in waiting), now))
    yield Metric(
        name="oldest_letter_age_seconds",
        meaning="How long the first of them has been waiting.",
        labels=("medium",),
        samples=list((none | ages).items()),
    )


def _of_counters(totals: Mapping[Series, int], providers: Sequence[str]) -> Iterator[Metric]:
    for counter in COUNTERS:
        none = dict.fromkeys(counter.every(tuple(providers)), 0)
        counted = {series: times for series, times in totals.items() if series.name == counter.name}
        samples = [(dict(series.labels), times) for series, times in (none | counted).items()]
        yield Metric(
            name=counter.name,
            meaning=counter.meaning,
            labels=tuple(counter.labels),
            samples=[([words.get(name, "") for name in counter.labels], float(times)) for words, times in samples],
            counts=True,
        )


def _sums(counts: Iterable[tuple[Sequence[str], int]]) -> list[Sample]:
    sums: Counter[Sequence[str]] = Counter()
    for words, count in counts:
        sums[words] += count
    return [(words, float(count)) for words, count in sums.items()]


def _oldest(instants: Iterable[tuple[Sequence[str], datetime | None]], now: datetime) -> list[Sample]:
    ages: dict[Sequence[str], float] = {}
    for words, instant in instants:
        if instant is not None:
            ages[words] = max(ages.get(words, 0.0), (now - instant).total_seconds())
    return list(ages.items())
