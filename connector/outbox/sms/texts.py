"""A notice as a short text: who, what and when, and where to answer; in one piece wherever that can be.

Of several wordings the fullest is taken that fits into one piece, else the shortest. Nothing that a client must know is
cut: a long place makes a long text.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.domain.notice import NoticeKind
from connector.domain.notice_table import NOTICES, Audience
from connector.domain.session import Session
from connector.language.offered import Languages
from connector.language.telling import Teller
from connector.outbox.sms.gsm7 import folded, segments
from connector.ports import Letter

_LONGEST_NAME = 20


def compose(letter: Letter, *, languages: Languages) -> str:
    """Write the text for one letter to a client.

    Raises: ValueError if the notice lacks what its kind must tell, or is for nobody who is told by text.
    """
    notice, row = letter.notice, NOTICES[letter.notice.kind]
    missing = [name for name in row.needs if not getattr(notice, name)]
    if letter.link is None and row.link is not None and row.link.is_needed:
        missing.append("link")
    if row.tells_code and not letter.code:
        missing.append("code")
    if missing or row.to is not Audience.CLIENT or notice.session is None:
        raise ValueError(f"a text of kind {notice.kind} lacks {', '.join(missing) or 'its reader'}")
    teller = Teller.to(locale=notice.to.locale, zone=notice.to.zone, languages=languages)
    wordings = [folded(wording) for wording in _wordings(_Said(letter, notice.session, teller))]
    return next((wording for wording in wordings if segments(wording) == 1), wordings[-1])


class _Said:
    """What is filled into a text, as its reader's language writes it."""

    def __init__(self, letter: Letter, session: Session, teller: Teller) -> None:
        self.notice = notice = letter.notice
        self.language, self.link, self.code = teller.language, letter.link or "", letter.code
        self.name = _shortened(notice.practitioner_name)
        self.when = teller.brief(session.when.span.start)
        self.old = teller.brief(notice.old_when.span.start) if notice.old_when else ""
        self.deadline = teller.brief(notice.expires_at) if notice.expires_at else ""
        self.place = teller.place(session.location)


def _shortened(name: str) -> str:
    """Return a name of at most 20 characters, cut between words where that can be."""
    if len(name) <= _LONGEST_NAME:
        return name
    words, _, _ = name[: _LONGEST_NAME + 1].rpartition(" ")
    return words or name[:_LONGEST_NAME]


def _wordings(said: _Said) -> Iterator[str]:
    """Yield what can be said, the fullest first."""
    if NOTICES[said.notice.kind].tells_code:
        yield said.language.say(
            "%(code)s is your code to answer %(name)s. It can be used until %(deadline)s. Give it to nobody.",
            code=said.code,
            name=said.name,
            deadline=said.deadline,
        )
    elif said.notice.kind in _OF_OFFERS:
        yield from _of_offer(said)
    else:
        yield from _of_session(said)


_OF_OFFERS = frozenset({NoticeKind.OFFERED, NoticeKind.OFFER_CHANGED, NoticeKind.OFFER_REMINDER})


def _of_offer(said: _Said) -> Iterator[str]:
    language, name, when, deadline, link = said.language, said.name, said.when, said.deadline, said.link
    match said.notice.kind:
        case NoticeKind.OFFERED:
            yield language.say(
                "%(name)s cannot make %(when)s. Choose another time by %(deadline)s: %(link)s",
                name=name,
                when=when,
                deadline=deadline,
                link=link,
            )
            yield language.say(
                "%(name)s asks you to choose another time by %(deadline)s: %(link)s",
                name=name,
                deadline=deadline,
                link=link,
            )
        case NoticeKind.OFFER_CHANGED:
            yield language.say(
                "%(name)s: the offered times have changed. Choose by %(deadline)s: %(link)s",
                name=name,
                deadline=deadline,
                link=link,
            )
        case _:
            yield language.say(
                "%(name)s: reminder, please choose a time by %(deadline)s: %(link)s",
                name=name,
                deadline=deadline,
                link=link,
            )


def _of_session(said: _Said) -> Iterator[str]:
    language, name, when, old, place = said.language, said.name, said.when, said.old, said.place
    match said.notice.kind:
        case NoticeKind.BOOKED:
            yield language.say(
                "%(name)s: your session is booked for %(when)s, %(place)s", name=name, when=when, place=place
            )
        case NoticeKind.RELOCATED:
            yield language.say(
                "%(name)s: your session on %(when)s takes place elsewhere: %(place)s", name=name, when=when, place=place
            )
        case NoticeKind.CORRECTED:
            yield language.say(
                "%(name)s: a correction. Your session is on %(when)s. %(old)s was a mistake.",
                name=name,
                when=when,
                old=old,
            )
        case NoticeKind.CANCELLED:
            yield language.say("%(name)s: your session on %(when)s is cancelled.", name=name, when=when)
        case NoticeKind.MOVED | NoticeKind.ACCEPTED:
            if said.notice.old_location is not None:
                yield language.say(
                    "%(name)s: your session is now on %(when)s, %(place)s", name=name, when=when, place=place
                )
                return
            if old:
                yield language.say(
                    "%(name)s: your session is now on %(when)s instead of %(old)s.", name=name, when=when, old=old
                )
            yield language.say("%(name)s: your session is now on %(when)s.", name=name, when=when)
        case NoticeKind.SUBSCRIBED:
            yield language.say(
                "%(name)s: somebody has subscribed to your sessions by calendar. Not you? %(link)s",
                name=name,
                link=said.link,
            )
        case _:
            yield _of_end(said)


def _of_end(said: _Said) -> str:
    """Say that an offer has ended, and that the session keeps its time."""
    language, name, when = said.language, said.name, said.when
    match said.notice.kind:
        case NoticeKind.REJECTED:
            return language.say(
                "%(name)s: noted, none of the times suits you. For now your session stays on %(when)s.",
                name=name,
                when=when,
            )
        case NoticeKind.LAPSED:
            return language.say(
                "%(name)s: the time to choose is over. Your session stays on %(when)s.", name=name, when=when
            )
        case NoticeKind.PROPOSAL_DECLINED:
            return language.say(
                "%(name)s: the time you asked for is not possible. Your session stays on %(when)s.",
                name=name,
                when=when,
            )
        case NoticeKind.WITHDRAWN:
            return language.say(
                "%(name)s: the offered times were taken back. Your session stays on %(when)s.", name=name, when=when
            )
        case _:
            raise ValueError(f"nobody is told {said.notice.kind} by text")
