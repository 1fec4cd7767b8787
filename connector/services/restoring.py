"""Put right what differs between a restored database and the calendars, by one decision. See docs/decisions/0026."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import FlagReason
from connector.domain.notice import Notice, NoticeKind, PauseReason, Recipient, Righted, Righting
from connector.domain.offer import OfferState
from connector.domain.people import Actor, Practitioner
from connector.domain.reconcile import Mirror, MirrorState, Ref, Remove
from connector.domain.restore import Follow, Verdict, judge, said_of
from connector.domain.session import Session, flagged
from connector.domain.span import When
from connector.errors import TimeTakenError
from connector.ports import Failed, RemoteCalendar
from connector.services import conversations, notices, standstill
from connector.services.evidence import evidence_of, not_followed, put_back
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, record
from connector.services.surveys import EVER, LONG_OVER, Found, Survey
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars, installation, mirrors, occupancy, offers, people, questions, sessions, timeline
from connector.storage import conversations as stored_conversations
from connector.storage.database import Database

_AT = "@"  # stands before the time in the key of a letter
_HOW = {Follow.CALENDARS: How.FOLLOW_CALENDARS, Follow.DATABASE: How.FOLLOW_DATABASE}


def decide(
    database: Database,
    policy: Policy,
    open_remote: Callable[[UUID], RemoteCalendar],
    surveys: Sequence[Survey],
    follow: Follow,
    *,
    by: Actor,
    now: datetime,
) -> Sequence[Survey]:
    """Put everything right as one side says, and let everything go out again; those that could not be read wait.

    A crash does no harm: whoever was put right already stays so, and the rest is put right by the next decision. It may
    come late about a calendar that could not be read: what was decided about a session meanwhile stands then.

    Returns: The calendars that wait, each with why: those that could not be read, or from which an event could not be
        removed. Nobody else waits for them.
    """
    left: list[Survey] = []
    by_owner: dict[UUID, list[Survey]] = defaultdict(list)
    for one in surveys:
        by_owner[one.calendar.practitioner_id].append(one)
    with database.read() as db:
        everybody = people.all_practitioners(db)
        is_first = installation.stands_still(db)
    for practitioner in everybody:
        tidied = [_tidied(open_remote, one, follow) for one in by_owner[practitioner.id]]
        left += (one for one in tidied if one.error)
        own = [one for one in tidied if not one.error]
        if not own and not is_first:
            continue
        with database.begin() as db:
            _put_right(db, policy, practitioner, own, follow, by, now)
    with database.begin() as db:
        standstill.end(db)
    return left


def _tidied(open_remote: Callable[[UUID], RemoteCalendar], survey: Survey, follow: Follow) -> Survey:
    """Remove doubles, and what nobody knows if the database is right; return the survey, with why if that failed."""
    if survey.error:
        return survey
    strays = [*survey.doubles, *(survey.unknown if follow is Follow.DATABASE else ())]
    removes = [
        Remove(
            key=EntryKey(kind=EntryKind.SESSION, id=uuid4()),
            session_id=uuid4(),
            ref=Ref(name=one.name, href=one.listed.sighting.href, etag=one.listed.sighting.etag),
        )
        for one in strays
    ]
    for outcome in open_remote(survey.calendar.id).apply(removes) if removes else ():
        if isinstance(outcome, Failed):
            return replace(survey, error=f"an event cannot be removed there: {outcome.error}")
    return survey


def _put_right(
    db: Connection,
    policy: Policy,
    practitioner: Practitioner,
    own: Sequence[Survey],
    follow: Follow,
    by: Actor,
    now: datetime,
) -> None:
    people.practitioner(db, practitioner.id, lock=True)
    since = _decided_at(db, practitioner.id)
    if since is not None and not own:
        return  # by a decision that did not come to its end
    since_then = timeline.sessions_since(db, practitioner.id, since) if since is not None else frozenset()
    concerned, overtaken = list[Session](), list[Session]()
    for session in _concerned(db, practitioner.id, own, now):
        (overtaken if session.id in since_then else concerned).append(session)
    said = list(_judged(db, policy, practitioner, own, concerned, follow, by, now))
    for session in overtaken:
        said += not_followed(_case(db, practitioner, session), own)
    for one in own:
        _remember(db, one, now)
        if follow is Follow.CALENDARS:
            installation.keep_entries(db, one.calendar.id, [found.name for found in one.unknown])
        said += _of_unknown(one, practitioner, follow)
        breaker.resume(db, one.calendar.id, _HOW[follow], by=by, now=now)
    for session in concerned:
        conversations.believe(db, sessions.get(db, session.id), now=now)
    _tell(db, practitioner, said, now)


def _decided_at(db: Connection, practitioner_id: UUID) -> datetime | None:
    """Return when it was first decided about a practitioner after the last restore; None if it was not yet."""
    times = [key.split(_AT)[1] for key in stored_conversations.told_keys(db, _told(db, practitioner_id) + _AT)]
    return min(map(datetime.fromisoformat, times), default=None)


def _told(db: Connection, practitioner_id: UUID) -> str:
    """Return how the key of every letter begins that tells a practitioner of what was put right after this restore."""
    return f"{NoticeKind.RESTORED}:{installation.get(db).epoch}:{practitioner_id}"


def _concerned(db: Connection, practitioner_id: UUID, own: Iterable[Survey], now: datetime) -> Iterator[Session]:
    """Yield the sessions that are to come, or of which anything is open or stands in a calendar."""
    seen = {one.key.id for each in own for one in each.found if one.key and one.key.kind is EntryKind.SESSION}
    undecided = {offer.session_id for offer in offers.undecided(db, practitioner_id)}
    asked = questions.open_of_practitioner(db, practitioner_id).keys()
    for session in sessions.of_practitioner(db, practitioner_id, since=EVER):
        if session.when.span.end > now or session.id in seen | undecided | asked:
            yield session


def _judged(
    db: Connection,
    policy: Policy,
    practitioner: Practitioner,
    own: Sequence[Survey],
    concerned: Sequence[Session],
    follow: Follow,
    by: Actor,
    now: datetime,
) -> Iterator[Righted]:
    """Store what becomes of each session, and yield what its practitioner is told of it."""
    verdicts: list[tuple[Case, Verdict]] = []
    may_stand_elsewhere = any(one.elsewhere for one in own) or _goes_on(db, practitioner.id)
    is_complete = bool(own) and not may_stand_elsewhere
    for session in concerned:
        case = _case(db, practitioner, session)
        evidence = evidence_of(case, own, is_complete=is_complete)
        verdict = judge(session, case.open, case.question, evidence, draft=case.draft, follow=follow, by=by, now=now)
        verdicts.append((case, verdict))
        if follow is Follow.DATABASE:
            yield from put_back(case, own)
    for case, verdict in verdicts:  # everything is released before anything is taken: two may have changed places
        if verdict.facts:
            occupancy.keep(db, practitioner.id, case.session.id, ())
    for case, verdict in verdicts:
        said = said_of(_stored(db, policy, case, verdict, by, now), case.session, client_name=case.client.name)
        if said is not None:
            yield said


def _case(db: Connection, practitioner: Practitioner, session: Session) -> Case:
    return Case(
        practitioner=practitioner,
        client=people.client(db, session.client_id),
        session=session,
        open=offers.in_state(db, session.id, OfferState.OPEN),
        draft=offers.in_state(db, session.id, OfferState.DRAFT),
        question=questions.open_of(db, session.id),
    )


def _goes_on(db: Connection, practitioner_id: UUID) -> bool:
    """Whether a calendar of a practitioner goes on already: what another does not show is not gone."""
    return any(one.paused != PauseReason.RESTORED for one in calendars.calendars_of(db, practitioner_id))


def _stored(db: Connection, policy: Policy, case: Case, verdict: Verdict, by: Actor, now: datetime) -> Verdict:
    """Store a verdict; a session whose new time belongs to another stays where it was, and needs its practitioner."""
    try:
        with db.begin_nested():
            record(db, policy, case, _decision(verdict), now=now, quiet=True)
    except TimeTakenError:
        flagging = flagged(case.session, FlagReason.RESTORED, by=by, now=now)
        verdict = Verdict(session=flagging.session, facts=flagging.facts, righted=Righting.TAKEN)
        record(db, policy, case, _decision(verdict), now=now, quiet=True)
    return verdict


def _decision(verdict: Verdict) -> Decision:
    return Decision(session=verdict.session, offers=verdict.offers, questions=verdict.questions, facts=verdict.facts)


def _remember(db: Connection, survey: Survey, now: datetime) -> None:
    """Store how every entry stands, so that the next names given were never used; doubts are settled by it."""
    calendar_id = survey.calendar.id
    stored = {mirror.key: mirror for mirror in mirrors.all_in(db, calendar_id)}
    generation = installation.above_all(now)

    def mirror_of(key: EntryKey, found: Found) -> Mirror:
        sighting, former = found.listed.sighting, stored.get(key)
        return Mirror(
            key=key,
            session_id=former.session_id if former else _session_of(db, key),
            ref=Ref(name=found.name, generation=generation, href=sighting.href, etag=sighting.etag),
            seen=sighting.content.fingerprint if sighting.content is not None else "",
            state=MirrorState.PRESENT,
            ends_at=found.span.end if found.span is not None else former.ends_at if former else now,
        )

    seen = [mirror_of(key, found) for key, found in survey.chosen.items()]
    known = {mirror.key for mirror in seen}
    lost = [
        replace(mirror, ref=replace(mirror.ref, generation=generation), seen=None, state=MirrorState.ABSENT)
        for mirror in stored.values()
        if mirror.key not in known and mirror.ends_at > now - LONG_OVER
    ]
    mirrors.record(db, calendar_id, [mirror for mirror in (*seen, *lost) if mirror.key in stored])
    mirrors.intend(db, calendar_id, [mirror for mirror in seen if mirror.key not in stored], ())
    installation.settle_doubts(db, calendar_id)


def _session_of(db: Connection, key: EntryKey) -> UUID:
    return key.id if key.kind is EntryKind.SESSION else offers.of_alternative(db, key.id).session_id


def _of_unknown(survey: Survey, practitioner: Practitioner, follow: Follow) -> Iterator[Righted]:
    """Yield what the practitioner is told of the events that nobody knows."""
    what = Righting.UNKNOWN if follow is Follow.CALENDARS else Righting.REMOVED
    for found in survey.unknown:
        content = found.listed.sighting.content
        if content is not None:
            yield Righted(what=what, when=When.of(content.span, zone=practitioner.zone), about=content.title)


def _tell(db: Connection, practitioner: Practitioner, said: Sequence[Righted], now: datetime) -> None:
    """Tell a practitioner once what was put right, and of which time nothing is known."""
    stored = installation.get(db)
    notice = Notice(
        kind=NoticeKind.RESTORED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        righted=tuple(sorted(said, key=lambda righted: righted.when.span)),
        since=stored.known_until,
    )
    key = f"{_told(db, practitioner.id)}{_AT}{now.isoformat()}{_AT}{uuid4()}"
    notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)
