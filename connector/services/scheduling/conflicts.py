"""What stands at a time in other calendars is said before anything is saved there, and accepted knowingly.

One rule for every door and every use case that gives a session or an alternative a new time. A door has the calendars
read first (`free_busy.read_now`), outside any transaction; the use case looks again in its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import ConflictAccepted
from connector.domain.people import Actor
from connector.domain.span import Span, When, zone_named
from connector.errors import ConflictError, Finding
from connector.sentence import Paragraph, Sentence, Zone
from connector.services.policy import Policy
from connector.services.sync import free_busy
from connector.storage import busy
from connector.storage.busy import BlindSpot, BusyTime

_EXACT = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known against some times: what stands at them, and the calendars of which nobody knows."""

    times: tuple[When, ...]
    standing: tuple[tuple[When, BusyTime], ...]
    blind: tuple[BlindSpot, ...]

    def __bool__(self) -> bool:
        return bool(self.standing or self.blind)

    @property
    def key(self) -> str:
        """A digest equal exactly while the same stands at the same times: who has accepted one has not the next."""
        parts = [
            f"{when.span.start:%Y%m%dT%H%M%S} {other.calendar_id} {other.span.start:%Y%m%dT%H%M%S} "
            f"{other.span.end:%Y%m%dT%H%M%S}"
            for when, other in self.standing
        ]
        parts += [
            f"{when.span.start:%Y%m%dT%H%M%S} {spot.calendar} {spot.events or ''}".rstrip()
            for when in self.times
            for spot in self.blind
        ]
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]

    @property
    def each(self) -> tuple[Finding, ...]:
        """What there is, one by one: each thing that stands at one of the times, each blind spot at each of them."""
        return (*self._each_standing(), *self._each_blind())

    def _each_standing(self) -> Iterator[Finding]:
        seen: Counter[tuple[When, BusyTime]] = Counter()
        for when, other in self.standing:
            nth = seen[when, other]  # of those at one time in one calendar, which nothing else tells apart
            seen[when, other] += 1
            what = f"{other.span.start:{_EXACT}} {other.span.end:{_EXACT}}"
            yield Finding(
                id=_digest(when, other.calendar_id, f"{what} {nth}" if nth else what),
                start=other.span.start,
                end=other.span.end,
                is_blind=False,
                calendar=other.calendar,
            )

    def _each_blind(self) -> Iterator[Finding]:
        for when in self.times:
            for spot in self.blind:
                yield Finding(
                    id=_digest(when, spot.calendar_id, f"{spot.stale} {spot.events}"),
                    start=when.span.start,
                    end=when.span.end,
                    is_blind=True,
                    calendar=spot.calendar,
                )

    @property
    def sentences(self) -> Paragraph:
        """What there is to say to the practitioner."""
        standing = (_sentence(when, other) for when, other in dict.fromkeys(self.standing))
        return Paragraph((*standing, *(sentence for spot in self.blind for sentence in free_busy.blindness(spot))))

    def refusal(self) -> ConflictError:
        """Refuse to save anything before the practitioner has accepted this."""
        return ConflictError(
            "%(findings)s Nothing has been saved yet.",
            code="conflict_in_calendar",
            field="when",
            key=self.key,
            found=self.each,
            findings=self.sentences,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a person has said to the findings before something is saved.

    Attributes:
        shown: The key of those they were shown and accept; others they have to be shown first.
        each: The ids of those they accept one by one; what is none of these they have to be shown first.
        anything: Whether they accept whatever there is.
        unread: Whether calendars of which nobody knows are passed over: nobody was asked about them.
    """

    shown: str = ""
    each: frozenset[str] = frozenset()
    anything: bool = False
    unread: bool = False

    def covers(self, findings: Findings) -> bool:
        """Whether something may be saved in spite of these."""
        if self.anything or not findings or self.shown == findings.key:
            return True
        return self.each.issuperset(finding.id for finding in findings.each)


ANYTHING = Consent(anything=True)
NOT_ASKED = Consent(unread=True)  # what is known to stand there is refused all the same


def find(
    db: Connection,
    policy: Policy,
    practitioner_id: UUID,
    times: Sequence[When],
    *,
    now: datetime,
    unread: bool = False,
) -> Findings:
    """Return what is known against these times, as the practitioner's calendars were last read.

    `unread`: calendars of which nobody knows are passed over.
    """
    coming = tuple(when for when in times if when.span.end > now)
    until = max((when.span.end for when in coming), default=now)
    return Findings(
        times=coming,
        standing=tuple((when, other) for when in coming for other in busy.overlapping(db, practitioner_id, when.span)),
        blind=tuple(free_busy.blind_until(db, policy, practitioner_id, until, now=now))
        if coming and not unread
        else (),
    )


def find_each(
    db: Connection, practitioner_id: UUID, groups: Sequence[Sequence[When]], *, now: datetime
) -> list[Findings]:
    """Return what is known against each of several groups of times, as `find` does: in as many statements as for one.

    Calendars of which nobody knows are passed over.
    """
    coming = [tuple(when for when in times if when.span.end > now) for times in groups]
    every = [when.span for times in coming for when in times]
    if not every:
        return [Findings(times=(), standing=(), blind=()) for _times in groups]
    hull = Span(start=min(span.start for span in every), end=max(span.end for span in every))
    outside = busy.overlapping(db, practitioner_id, hull)
    return [
        Findings(
            times=times,
            standing=tuple((when, other) for when in times for other in outside if other.span.overlaps(when.span)),
            blind=(),
        )
        for times in coming
    ]


def check(
    db: Connection,
    policy: Policy,
    practitioner_id: UUID,
    times: Sequence[When],
    *,
    consent: Consent,
    now: datetime,
) -> Findings:
    """Return what is known against these times and was accepted.

    Raises: ConflictError if it was not: say it, and save nothing.
    """
    findings = find(db, policy, practitioner_id, times, now=now, unread=consent.unread)
    if not consent.covers(findings):
        raise findings.refusal()
    return findings


def accepted(
    findings: Findings, *, by: Actor, now: datetime, session_id: UUID, offer_id: UUID | None = None
) -> tuple[ConflictAccepted, ...]:
    """Return the facts that somebody has saved each of these times knowing of what stands there."""
    return tuple(
        ConflictAccepted(
            at=now,
            by=by,
            session_id=session_id,
            offer_id=offer_id,
            when=when,
            calendars=tuple(sorted({other.calendar for own, other in findings.standing if own == when})),
            unread=tuple(spot.calendar for spot in findings.blind),
        )
        for when in findings.times
        if findings.blind or any(own == when for own, _other in findings.standing)
    )


def _sentence(when: When, other: BusyTime) -> Sentence:
    zone = zone_named(when.zone)
    start, end = other.span.start.astimezone(zone), other.span.end.astimezone(zone)
    return Sentence(
        "Something stands in “%(calendar)s” at this time already: %(start)s to %(end)s (%(zone)s).",
        calendar=other.calendar,
        start=start,
        end=end.time() if end.date() == start.date() else end,
        zone=Zone(when.zone),
    )


def _digest(when: When, calendar_id: UUID, what: str) -> str:
    parts = (f"{when.span.start:{_EXACT}}", f"{when.span.end:{_EXACT}}", str(calendar_id), what)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
