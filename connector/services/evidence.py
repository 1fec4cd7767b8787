"""What calendars say of one session after a restore, as evidence, and what of that is not followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.notice import Righted, Righting
from connector.domain.offer import Offer
from connector.domain.restore import Evidence
from connector.domain.span import Span, When
from connector.services.recording import Case
from connector.services.surveys import Survey


def evidence_of(case: Case, surveys: Sequence[Survey], *, is_complete: bool) -> Evidence:
    """Return where a session and its holds stand; where calendars disagree, what is new to the database wins."""
    key, expected = EntryKey(kind=EntryKind.SESSION, id=case.session.id), case.session.when.span
    events = [span for survey in surveys if (span := survey.where(key, expected)) is not None]
    if case.question is not None and case.question.keeps is not None:  # it was put there, and it is not known why
        events = [case.session.when.span if span == case.question.keeps.span else span for span in events]
    new = [span for span in events if span != case.session.when.span]
    return Evidence(
        is_known=is_complete,
        event=next(iter(new or events), None),
        holds=_holds(case.open, surveys),
        draft_holds=_holds(case.draft, surveys),
    )


def _holds(offer: Offer | None, surveys: Sequence[Survey]) -> Mapping[UUID, Span]:
    """Return where the holds of an offer stand, by alternative."""
    holds: dict[UUID, Span] = {}
    for alternative in offer.standing if offer is not None else ():
        key = EntryKey(kind=EntryKind.HOLD, id=alternative.id)
        spans = [span for survey in surveys if (span := survey.where(key, alternative.when.span)) is not None]
        moved = [span for span in spans if span != alternative.when.span]
        span = next(iter((*moved, *spans)), None)  # where calendars disagree, what is new to the database wins
        if span is not None:
            holds[alternative.id] = span
    return holds


def put_back(case: Case, surveys: Sequence[Survey]) -> Iterator[Righted]:
    """Yield what is put back where the database has it."""
    if _holds(case.draft, surveys):
        yield Righted(what=Righting.DRAFT_AGAIN, when=case.session.when, about=case.client.name)
    key = EntryKey(kind=EntryKind.SESSION, id=case.session.id)
    for survey in surveys:
        found, content = survey.chosen.get(key), survey.contents.get(key)
        if content is not None and (found is None or found.span not in (None, content.span)):
            old = When.of(found.span, zone=case.session.when.zone) if found is not None and found.span else None
            yield Righted(what=Righting.PUT_BACK, when=case.session.when, about=case.client.name, old=old)
            return


def not_followed(case: Case, surveys: Sequence[Survey]) -> Iterator[Righted]:
    """Yield what is put back where it was decided to stand after the restore, whatever a calendar shows by now."""
    key, expected = EntryKey(kind=EntryKind.SESSION, id=case.session.id), case.session.when.span
    shown = [survey.where(key, expected) for survey in surveys if key in survey.contents]
    for span in shown:
        if span not in (None, expected):
            old = When.of(span, zone=case.session.when.zone)
            yield Righted(what=Righting.PUT_BACK, when=case.session.when, about=case.client.name, old=old)
            return
