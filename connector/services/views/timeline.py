"""What happened, in plain words: one sentence a fact, for the timeline that answers who, what, when and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar, assert_never

from connector.domain.entry import EntryKind
from connector.domain.facts import (
    STOPPED_TEXTS,
    AbsenceAnswered,
    AbsenceAsked,
    AbsenceDropped,
    AbsenceFact,
    AccessLost,
    AccessRegained,
    AlternativeFact,
    AlternativeMoved,
    AlternativeWithdrawn,
    AnyFact,
    Attestation,
    CalendarFact,
    CalendarPaused,
    CalendarPutRight,
    CalendarResumed,
    ClientAnswered,
    ClientErased,
    ClientWrote,
    ConflictAccepted,
    ConflictFound,
    ConnectionAdded,
    ConnectionFact,
    Disconnected,
    DisconnectRequested,
    Doubt,
    EntriesRefused,
    EntriesTaken,
    EntryFact,
    EntryReverted,
    EventDeleted,
    EventMoved,
    EventsRead,
    EventsUnread,
    FlagCleared,
    HoldsProved,
    LocationChanged,
    MailDecided,
    MailFact,
    MailKind,
    NoticeArrived,
    NoticeFact,
    NoticeHeldBack,
    NoticeInDoubt,
    NoticeRefused,
    NoticeSent,
    OfferAccepted,
    OfferDiscarded,
    OfferDrafted,
    OfferFact,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferSent,
    OfferWithdrawn,
    PersonChanged,
    PractitionerAnswered,
    PractitionerAsked,
    QuestionDropped,
    QuestionFact,
    SessionBooked,
    SessionCancelled,
    SessionFact,
    SessionFlagged,
    SessionLookedAt,
    SessionMoved,
    SessionsFound,
    TargetChanged,
    UnknownFact,
)
from connector.domain.people import Actor, Medium, Practitioner, Role
from connector.domain.span import When
from connector.language.messages import marked
from connector.language.offered import Languages
from connector.services.views.phrases import (
    ABSENCE_ANSWERS,
    ABSENCE_ENDS,
    ANSWERS,
    ATTENDANCE,
    CHOICES,
    DEVIATIONS,
    DOUBTS,
    DROPPED,
    FIELDS,
    FLAGS,
    LETTERS,
    MEDIA,
    MOVED,
    PAUSES,
    QUESTIONS,
    RESUMED,
    REVERTS,
    STRENGTHS,
    WROTE,
)
from connector.storage import sentences

if TYPE_CHECKING:
    from connector.language.telling import Teller

_Stored = TypeVar("_Stored", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline as a person reads it; `why` is empty where nobody gave a reason."""

    at: datetime
    who: str
    what: str
    why: str


def line_of(fact: AnyFact | UnknownFact, teller: Teller) -> Line:
    """Say one fact in plain words."""
    why = fact.by.reason or _why(fact, teller)
    return Line(at=fact.at, who=_who(fact.by, teller), what=_what(fact, teller), why=why)


def teller_for(reader: Practitioner, languages: Languages) -> Teller:
    """Return who tells a practitioner what happened."""
    from connector.language.telling import Teller  # noqa: PLC0415  brings Babel: only who tells pays for it

    return Teller.to(locale=reader.locale, zone=reader.zone, languages=languages)


def _who(by: Actor, teller: Teller) -> str:
    match by.role:
        case Role.CLOCK:
            return teller.say("automatically")
        case Role.SUPPORT:
            return teller.say("%(name)s (support)", name=by.name)
        case Role.PRACTITIONER:
            return by.name or teller.say("the practitioner")
        case Role.CLIENT:
            return teller.say("%(name)s (client)", name=by.name) if by.name else teller.say("the client")
        case Role.HOST:
            return by.name or teller.say("the booking platform")
        case Role.OPERATOR:
            return by.name or teller.say("the operator")


def _why(fact: AnyFact | UnknownFact, teller: Teller) -> str:
    match fact:
        case SessionMoved(attestation=Attestation() as attestation):
            return teller.say(
                "%(who)s agreed on %(at)s (%(channel)s)",
                who=attestation.who,
                at=attestation.at,
                channel=teller.language.gettext(attestation.channel) if attestation.channel else "",
            )
        case ClientAnswered(comment=comment):
            return comment
        case OfferWithdrawn(why=why) | NoticeRefused(why=why) | NoticeInDoubt(why=why) | EntriesRefused(why=why):
            return teller.language.sentence(sentences.read(why))
        case _:
            return ""


def _what(fact: AnyFact | UnknownFact, teller: Teller) -> str:
    if isinstance(fact, SessionFact):
        return _of_session(fact, teller)
    if isinstance(fact, OfferFact):
        return _of_offer(fact, teller)
    if isinstance(fact, AlternativeFact):
        return _of_alternative(fact, teller)
    if isinstance(fact, EntryFact):
        return _of_entry(fact, teller)
    if isinstance(fact, QuestionFact | AbsenceFact | MailFact):
        return _of_asking(fact, teller)
    if isinstance(fact, CalendarFact):
        return _of_calendar(fact, teller)
    if isinstance(fact, ConnectionFact):
        return _of_connection(fact, teller)
    if isinstance(fact, NoticeFact):
        return _of_notice(fact, teller)
    if isinstance(fact, UnknownFact):
        return teller.say(
            "Something that a newer version has noted, and this one cannot tell: %(tag)s", tag=fact.stored_tag
        )
    assert_never(fact)


def _cancelled(fact: SessionCancelled, teller: Teller) -> str:
    return teller.say("Session cancelled: %(why)s", why=fact.reason) if fact.reason else teller.say("Session cancelled")


def _of_session(fact: SessionFact, teller: Teller) -> str:
    match fact:
        case SessionBooked(elsewhere=True):
            return teller.say("Session brought in that was booked elsewhere, for %(when)s", when=fact.when)
        case SessionBooked():
            return teller.say("Session booked for %(when)s", when=fact.when)
        case SessionMoved():
            return teller.say(MOVED[fact.reason], old=fact.old, new=fact.new)
        case LocationChanged():
            return teller.say("Place changed from “%(old)s” to “%(new)s”", old=fact.old, new=fact.new)
        case SessionCancelled():
            return _cancelled(fact, teller)
        case PersonChanged() | ClientErased() | SessionLookedAt() | SessionsFound():
            return _of_people(fact, teller)
        case SessionFlagged():
            return teller.say("Needs attention: %(why)s", why=teller.say(FLAGS[fact.reason]))
        case FlagCleared():
            return teller.say("Needs no attention any more")
        case _:
            assert_never(fact)


def _of_mail(fact: MailFact, teller: Teller) -> str:
    match fact:
        case ClientAnswered():
            return teller.say(ATTENDANCE[fact.answer])
        case ClientWrote(proposed=When() as proposed):
            return teller.say(WROTE[fact.mail], proposed=proposed)
        case ClientWrote(medium=Medium.SMS):
            return teller.say("Wrote by %(medium)s; nothing was changed", medium=_named(MEDIA, fact.medium, teller))
        case ClientWrote(doubt=Doubt() as doubt):
            return teller.say(DOUBTS[doubt])
        case ClientWrote(mail=MailKind.UNPROVED, trusted=True):  # before reasons were noted there was this alone
            return teller.say(DOUBTS[Doubt.UNORDERED])
        case ClientWrote():
            return teller.say(WROTE[fact.mail])
        case MailDecided():
            return teller.say(CHOICES[fact.choice])
        case _:
            assert_never(fact)


def _of_people(fact: PersonChanged | ClientErased | SessionLookedAt | SessionsFound, teller: Teller) -> str:
    match fact:
        case PersonChanged():
            return _of_person(fact, teller)
        case ClientErased():
            return teller.say("Erased who the client is, and everything that tells of them")
        case SessionLookedAt():
            return teller.say("Looked at this session")
        case SessionsFound():
            return teller.say_n(
                "Saw in a search when a session is, and whose",
                "Saw in a search when %(n)s sessions are, and whose",
                len(fact.found),
            )
        case _:
            assert_never(fact)


def _of_person(fact: PersonChanged, teller: Teller) -> str:
    if fact.changed == STOPPED_TEXTS:
        return teller.say("Texts to their phone were stopped; they get none any more")
    changed = ", ".join(_named(FIELDS, field, teller) for field in fact.changed)
    if fact.who == "client":
        return teller.say("Changed about the client: %(fields)s", fields=changed)
    return teller.say("Changed about the practitioner: %(fields)s", fields=changed)


def _of_offer(fact: OfferFact, teller: Teller) -> str:
    match fact:
        case OfferDrafted():
            count = len(fact.alternatives)
            return teller.say_n(
                "%(n)s time noted down; nothing sent, nothing held",
                "%(n)s times noted down; nothing sent, nothing held",
                count,
            )
        case OfferDiscarded():
            return teller.say("Draft deleted, unsent")
        case OfferSent():
            return teller.say_n(
                "%(n)s time offered and held: %(times)s",
                "%(n)s times offered and held: %(times)s",
                len(fact.alternatives),
                times=fact.alternatives,
            )
        case OfferAccepted():
            return teller.say("Chose %(when)s", when=fact.chosen)
        case OfferRejected():
            return teller.say("Answered that nothing offered suits; nothing is kept free any more")
        case OfferLapsed():
            return teller.say("The deadline passed without an answer; nothing is kept free any more")
        case OfferWithdrawn():
            return teller.say("Offer taken back; nothing is kept free any more")
        case OfferReplaced():
            return teller.say("Offer replaced by a new one")
        case _:
            assert_never(fact)


def _of_alternative(fact: AlternativeFact, teller: Teller) -> str:
    match fact:
        case AlternativeWithdrawn():
            return teller.say("Offered time taken back: %(when)s", when=fact.when)
        case AlternativeMoved():
            return teller.say("Offered time moved from %(old)s to %(new)s", old=fact.old, new=fact.new)
        case ConflictFound():
            return teller.say(
                "Something stands in “%(calendar)s” at an offered time: %(when)s",
                calendar=fact.calendar,
                when=fact.when,
            )
        case ConflictAccepted():
            return _of_acceptance(fact, teller)
        case _:
            assert_never(fact)


def _of_acceptance(fact: ConflictAccepted, teller: Teller) -> str:
    known, unread = _quoted(fact.calendars, teller), _quoted(fact.unread, teller)
    if known and unread:
        return teller.say(
            "Saved %(when)s knowing that something stands there in %(known)s, and that nobody knows what stands there "
            "in %(unread)s",
            when=fact.when,
            known=known,
            unread=unread,
        )
    if unread:
        return teller.say(
            "Saved %(when)s knowing that nobody knows what stands there in %(unread)s", when=fact.when, unread=unread
        )
    return teller.say("Saved %(when)s knowing that something stands there in %(known)s", when=fact.when, known=known)


def _of_entry(fact: EntryFact, teller: Teller) -> str:
    is_hold = fact.key.startswith(f"{EntryKind.HOLD}:")
    match fact:
        case EntryReverted():
            return _of_revert(fact, teller, is_hold=is_hold)
        case EventMoved() if is_hold:
            message = marked("The hold was moved to %(to)s in the calendar “%(calendar)s”")
            return teller.say(message, to=fact.to, calendar=fact.calendar)
        case EventMoved():
            message = marked("The session was moved to %(to)s in the calendar “%(calendar)s”")
            return teller.say(message, to=fact.to, calendar=fact.calendar)
        case EventDeleted() if is_hold:
            return teller.say("The hold was deleted in the calendar “%(calendar)s”", calendar=fact.calendar)
        case EventDeleted():
            return teller.say("The session was deleted in the calendar “%(calendar)s”", calendar=fact.calendar)
        case _:
            assert_never(fact)


def _of_revert(fact: EntryReverted, teller: Teller, *, is_hold: bool) -> str:
    if fact.deleted:
        hold, session = (
            marked("The hold was deleted in a calendar, and was put back"),
            marked("The session was deleted in a calendar, and was put back"),
        )
    elif fact.moved_to:
        hold, session = (
            marked("The hold was moved to %(to)s in a calendar, and was put back"),
            marked("The session was moved to %(to)s in a calendar, and was put back"),
        )
    else:
        hold, session = (
            marked("The hold was changed in a calendar, and was put back"),
            marked("The session was changed in a calendar, and was put back"),
        )
    what = teller.say(hold if is_hold else session, to=fact.moved_to)
    why = REVERTS.get(fact.reason)
    return teller.say("%(what)s: %(why)s", what=what, why=teller.say(why)) if why else what


def _of_asking(fact: QuestionFact | AbsenceFact | MailFact, teller: Teller) -> str:
    if isinstance(fact, QuestionFact):
        return _of_question(fact, teller)
    return _of_absence(fact, teller) if isinstance(fact, AbsenceFact) else _of_mail(fact, teller)


def _of_question(fact: QuestionFact, teller: Teller) -> str:
    match fact:
        case PractitionerAsked():
            return teller.say(QUESTIONS[fact.question], moved_to=fact.moved_to)
        case PractitionerAnswered():
            return teller.say("Answer: %(answer)s", answer=teller.say(ANSWERS[fact.answer]))
        case QuestionDropped():
            return teller.say("The question no longer stands: %(why)s", why=teller.say(DROPPED[fact.dropped]))
        case _:
            assert_never(fact)


def _of_absence(fact: AbsenceFact, teller: Teller) -> str:
    match fact:
        case AbsenceAsked():
            return teller.say(
                "Asked what becomes of the session, since a calendar says that its practitioner is away from %(since)s "
                "until %(until)s",
                since=fact.starts_at,
                until=fact.ends_at,
            )
        case AbsenceAnswered():
            return teller.say("Answer: %(answer)s", answer=teller.say(ABSENCE_ANSWERS[fact.answer]))
        case AbsenceDropped():
            return teller.say("The question no longer stands: %(why)s", why=teller.say(ABSENCE_ENDS[fact.ended]))
        case _:
            assert_never(fact)


def _of_calendar(fact: CalendarFact, teller: Teller) -> str:
    match fact:
        case CalendarPaused() if fact.count:
            return teller.say_n(
                "Calendar “%(calendar)s” stopped: %(why)s (%(n)s entry)",
                "Calendar “%(calendar)s” stopped: %(why)s (%(n)s entries)",
                fact.count,
                calendar=fact.calendar,
                why=_named(PAUSES, fact.reason, teller),
            )
        case CalendarPaused():
            why = _named(PAUSES, fact.reason, teller)
            return teller.say("Calendar “%(calendar)s” stopped: %(why)s", calendar=fact.calendar, why=why)
        case CalendarResumed():
            how = _named(RESUMED, fact.how, teller)
            return teller.say("Calendar “%(calendar)s” goes on: %(how)s", calendar=fact.calendar, how=how)
        case EntriesRefused() | EntriesTaken() | EventsUnread() | EventsRead():
            return _of_trouble(fact, teller)
        case CalendarPutRight():
            return teller.say_n(
                "In the calendar “%(calendar)s” %(n)s entry is put right: %(why)s",
                "In the calendar “%(calendar)s” %(n)s entries are put right: %(why)s",
                fact.count,
                calendar=fact.calendar,
                why=_named(DEVIATIONS, fact.cause, teller),
            )
        case TargetChanged():
            return teller.say("Entries go to “%(new)s” instead of “%(old)s”", new=fact.new, old=fact.old)
        case HoldsProved():
            how = teller.say(STRENGTHS[fact.firm])
            return teller.say("Tried out in “%(calendar)s”: %(how)s", calendar=fact.calendar, how=how)
        case _:
            assert_never(fact)


def _of_trouble(fact: EntriesRefused | EntriesTaken | EventsUnread | EventsRead, teller: Teller) -> str:
    match fact:
        case EntriesRefused():
            message = marked("Calendar “%(calendar)s” can be read, but takes no entries; we keep trying")
            return teller.say(message, calendar=fact.calendar)
        case EntriesTaken():
            message = marked("Calendar “%(calendar)s” takes entries again, and shows all that it should")
            return teller.say(message, calendar=fact.calendar)
        case EventsUnread():
            return teller.say_n(
                "In the calendar “%(calendar)s” %(n)s event could not be read; nobody knows when it is",
                "In the calendar “%(calendar)s” %(n)s events could not be read; nobody knows when they are",
                fact.count,
                calendar=fact.calendar,
            )
        case EventsRead():
            message = marked("In the calendar “%(calendar)s” every event can be read again")
            return teller.say(message, calendar=fact.calendar)
        case _:
            assert_never(fact)


def _of_connection(fact: ConnectionFact, teller: Teller) -> str:
    match fact:
        case ConnectionAdded():
            return teller.say("Calendar connected: %(account)s", account=fact.label)
        case AccessLost():
            return teller.say("The calendar no longer lets us in")
        case AccessRegained():
            return teller.say("The calendar lets us in again")
        case DisconnectRequested():
            return teller.say("Asked for the calendar to be disconnected")
        case Disconnected() if fact.left_behind:
            return teller.say_n(
                "Calendar disconnected: %(account)s; %(n)s of our entries may still stand in it",
                "Calendar disconnected: %(account)s; %(n)s of our entries may still stand in it",
                fact.left_behind,
                account=fact.label,
            )
        case Disconnected():
            return teller.say("Calendar disconnected: %(account)s", account=fact.label)
        case _:
            assert_never(fact)


def _of_notice(fact: NoticeFact, teller: Teller) -> str:
    letter = _named(LETTERS, fact.kind, teller)
    match fact:
        case NoticeSent():
            by = _named(MEDIA, fact.medium, teller)
            return teller.say("Sent by %(medium)s: %(letter)s", medium=by, letter=letter)
        case NoticeRefused():
            by = _named(MEDIA, fact.medium, teller)
            return teller.say("Could not be delivered by %(medium)s: %(letter)s", medium=by, letter=letter)
        case NoticeInDoubt():
            by = _named(MEDIA, fact.medium, teller)
            return teller.say(
                "May not have arrived by %(medium)s, and is not sent again: %(letter)s", medium=by, letter=letter
            )
        case NoticeArrived():
            by = _named(MEDIA, fact.medium, teller)
            return teller.say("Arrived by %(medium)s after all: %(letter)s", medium=by, letter=letter)
        case NoticeHeldBack():
            return teller.say("Not sent, because a correction had made it wrong: %(letter)s", letter=letter)
        case _:
            assert_never(fact)


def _named(phrases: Mapping[_Stored, str], stored: str, teller: Teller) -> str:
    """Return the words for what is stored; the stored word itself if it is newer than we are."""
    return next((teller.say(text) for key, text in phrases.items() if key == stored), stored)


def _quoted(calendars: Sequence[str], teller: Teller) -> str:
    return ", ".join(teller.language.say_as("name of a calendar", "“%(name)s”", name=name) for name in calendars)
