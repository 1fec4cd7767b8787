"""A notice as the letter a person reads: who writes, what it says, and the calendar message where a time is certain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from typing import Any, assert_never

from markupsafe import Markup

from connector.domain.notice import Choice, Concerned, Notice, NoticeKind, Righted
from connector.domain.notice_table import NOTICES, Audience, Method
from connector.domain.session import Location, LocationKind, SessionState
from connector.ical import imip, itip
from connector.language import invitations
from connector.language.catalogues import Language
from connector.language.offered import Languages
from connector.language.telling import Teller
from connector.outbox.phrases import letter_name, righting
from connector.outbox.wording import Words, render
from connector.ports import Letter

_MOST_INITIALS = 3
_USUAL_MINUTES = "15"
_LONGEST_QUOTED, _MOST_QUOTED = 2_000, 60  # characters and lines of a client's own words


def compose(
    letter: Letter,
    *,
    brand: str,
    from_address: str,
    answers_read: bool = False,
    languages: Languages = Languages(),  # noqa: B008 - a value that never changes
) -> EmailMessage:
    """Write the mail for one letter.

    Args:
        letter: What to tell, to whom, and the link to open.
        brand: The product's name as people know it.
        from_address: Writes to practitioners, and to clients where a session has no organizer address of its own.
        answers_read: Somebody reads what is written to `from_address`. An organizer's address of before stays as it is,
            and nothing is asked for there: who reads it is not known.
        languages: Those in which it can be written.
    Returns: One mail to one person; its From is the address to which bounces return.
    Raises: ValueError if the notice lacks what its kind must tell; RuleError for an address no mail can carry.
    """
    notice = letter.notice
    _check_complete(letter)
    teller = Teller.to(locale=notice.to.locale, zone=notice.to.zone, languages=languages)
    words = _words(letter, teller, brand, answers_read=answers_read)
    wording = render(teller.language, NOTICES[notice.kind].template, words)
    return imip.message(
        sender=_sender(notice, teller.language, brand=brand, from_address=from_address),
        recipient=imip.Mailbox(name=notice.to.name, address=notice.to.address),
        subject=wording.subject,
        text=wording.text,
        html=wording.html,
        message_id=letter.message_id,
        thread=letter.thread,
        reply_to=_reply_to(notice, read_at=from_address if answers_read else ""),
        date=letter.date,
        calendar=_calendar(notice, teller, answered_at=from_address if answers_read else ""),
    )


def _reply_to(notice: Notice, *, read_at: str) -> imip.Mailbox | None:
    """Return who reads what is written back: the practitioner, else by the reply mailbox; of a client's words, they."""
    if notice.reply_to:
        return imip.Mailbox(name=notice.practitioner_name, address=notice.reply_to)
    if read_at and NOTICES[notice.kind].to is Audience.CLIENT:
        return imip.Mailbox(name=notice.practitioner_name, address=read_at)
    return imip.Mailbox(name=notice.client_name, address=notice.author) if _is_passed_on(notice) else None


def _is_passed_on(notice: Notice) -> bool:
    """Whether a letter holds what a client has written, who has the address that is known to be theirs."""
    has_written = notice.kind in (NoticeKind.CLIENT_WROTE, NoticeKind.CLIENT_WISHED)
    return has_written and notice.trusted and "@" in notice.author  # whoever came by a text has a number


def _check_complete(letter: Letter) -> None:
    notice, row = letter.notice, NOTICES[letter.notice.kind]
    missing = [name for name in row.needs if not getattr(notice, name)]
    if letter.link is None and row.link is not None and row.link.is_needed:
        missing.append("link")
    if row.tells_code and not letter.code:
        missing.append("code")
    if missing:
        raise ValueError(f"a letter of kind {notice.kind} lacks {', '.join(missing)}")


def _sender(notice: Notice, language: Language, *, brand: str, from_address: str) -> imip.Mailbox:
    if NOTICES[notice.kind].to is not Audience.CLIENT:
        return imip.Mailbox(name=brand, address=from_address)
    organizer = notice.session.organizer if notice.session else ""
    name = language.say("%(practitioner)s via %(brand)s", practitioner=notice.practitioner_name, brand=brand)
    return imip.Mailbox(name=name, address=organizer or from_address)


def _calendar(notice: Notice, teller: Teller, *, answered_at: str) -> bytes | None:
    row, session, practitioner = NOTICES[notice.kind], notice.session, itip.one_line(notice.practitioner_name)
    if session is None or session.published:
        return None
    summary = invitations.summary(teller, practitioner)
    match row.method:
        case None:
            return None
        case Method.CANCEL:
            return itip.cancel(session, practitioner_name=practitioner, client=notice.to, summary=summary)
        case Method.DECLINECOUNTER:
            if notice.declined is None:
                raise ValueError("a letter that declines no time")
            return itip.decline_counter(
                session, notice.declined, practitioner_name=practitioner, client=notice.to, summary=summary
            )
        case Method.REQUEST:
            return itip.request(
                session,
                practitioner_name=practitioner,
                client=notice.to,
                summary=summary,
                description=invitations.description(teller, practitioner, session.location),
                accepted=row.chosen_by_client and not notice.by_support,
                answers_read=bool(answered_at) and session.organizer.lower() == answered_at.lower(),
            )
        case _:
            assert_never(row.method)


def _words(letter: Letter, teller: Teller, brand: str, *, answers_read: bool) -> Words:
    notice = letter.notice
    text: dict[str, Any] = {
        **_people(notice, teller.language, brand, answers_read=answers_read),
        **_session_words(letter, teller),
        **_change_words(notice, teller),
        **_offer_words(letter, teller),
        **_other_words(notice, teller.language, letter.code),
        "subscription": letter.subscription or "",
        "own_page": letter.own_page or "",
        "righted": bool(notice.righted),
        "linked": bool(letter.link),
        "since": teller.instant(notice.since) if notice.since else "",
        "away": teller.stretch(notice.away) if notice.away else "",
    }
    html = {key: _isolated(text[key]) for key in ("name", "practitioner", "client", "brand", "about", "author")}
    html |= dict(_places_in_html(notice, teller))
    for key, address in (("subscription", letter.subscription), ("own_page", letter.own_page)):
        if address:
            html[key] = Markup('<a href="{0}">{0}</a>').format(address)
    choices = [_choice(choice, teller) for choice in _choices(letter)]
    choices += [_righted(one, teller, brand) for one in notice.righted]
    choices += [_concerned(one, teller) for one in notice.concerned]
    return Words(text=text, html=html, choices=choices, link=letter.link, quoted=_quoted(notice.about))


def _quoted(text: str) -> tuple[str, ...]:
    """Return the lines of what somebody has written, as many as a letter has room for; the page shows all."""
    lines = [itip.one_line(line) for line in text[:_LONGEST_QUOTED].splitlines()][:_MOST_QUOTED]
    is_cut = len(text) > _LONGEST_QUOTED or len(text.splitlines()) > _MOST_QUOTED
    return (*lines, "…") if is_cut else tuple(lines)


def _people(notice: Notice, language: Language, brand: str, *, answers_read: bool) -> dict[str, Any]:
    """Return who is concerned, who has acted for whom, and who reads what is written back."""
    to_client = NOTICES[notice.kind].to is Audience.CLIENT
    client = itip.one_line(notice.client_name) or language.say("Client")
    return {
        "name": itip.one_line(notice.to.name),
        "practitioner": itip.one_line(notice.practitioner_name),
        "client": client,
        "initials": _initials(client) if notice.client_name else client,
        "brand": itip.one_line(brand),
        "to_client": to_client,
        "replies": bool(notice.reply_to) or (answers_read and to_client),
        "passed_on": _is_passed_on(notice),
        "author": notice.author,
        "trusted": notice.trusted,
        "doubt": notice.doubt or "",
        "by_support": notice.by_support,
        "support": language.say("This was entered by %(brand)s support on your behalf.", brand=itip.one_line(brand)),
    }


def _choices(letter: Letter) -> Sequence[Choice]:
    """Return the offered times that are still to come, for a client; a practitioner sees what was offered."""
    if NOTICES[letter.notice.kind].to is not Audience.CLIENT:
        return letter.notice.choices
    return [choice for choice in letter.notice.choices if choice.when.span.start > letter.date]


def _session_words(letter: Letter, teller: Teller) -> dict[str, Any]:
    """Return where the session stands, if the notice is about one."""
    session = letter.notice.session
    return {
        "when": teller.when(session.when) if session else "",
        "brief": teller.brief(session.when.span.start) if session else "",
        "place": teller.place(session.location) if session else "",
        "published": session is not None and session.published,
        "past": session is not None and session.when.span.start <= letter.date,
        "cancelled": session is not None and session.state is SessionState.CANCELLED,
    }


def _change_words(notice: Notice, teller: Teller) -> dict[str, Any]:
    """Return what no longer applies, and the time a session was moved to in a calendar."""
    return {
        "old": teller.when(notice.old_when) if notice.old_when else "",
        "old_place": teller.place(notice.old_location) if notice.old_location else "",
        "moved": teller.when(notice.moved_to) if notice.moved_to else "",
        "declined": teller.when(notice.declined.when) if notice.declined else "",
        "declined_brief": teller.brief(notice.declined.when.span.start) if notice.declined else "",
    }


def _offer_words(letter: Letter, teller: Teller) -> dict[str, Any]:
    """Return what holds of the offer: how many times, until when, and whether it was withdrawn."""
    notice, choices = letter.notice, _choices(letter)
    is_cancellation = NOTICES[notice.kind].method is Method.CANCEL
    return {
        "deadline": teller.instant(notice.expires_at) if notice.expires_at else "",
        "deadline_brief": teller.brief(notice.expires_at) if notice.expires_at else "",
        "offered": bool(choices),
        "times": len(choices),
        "unasked": notice.unasked,
        "offer_open": notice.offer_id is not None,
        "offer_withdrawn": notice.offer_withdrawn or (is_cancellation and notice.offer_id is not None),
    }


def _other_words(notice: Notice, language: Language, code: str) -> dict[str, Any]:
    """Return the details that only some kinds of notice have."""
    return {
        "about": itip.one_line(notice.about),
        "code": code,
        "reason": notice.reason,
        "by_text": notice.by_text,
        "told_otherwise": notice.told_otherwise,
        "calendar": str(notice.calendar_id or ""),
        "count": str(notice.count or ""),
        "what": letter_name(language, notice.about),
        "minutes": notice.about if notice.about.isdecimal() else _USUAL_MINUTES,
    }


def _places_in_html(notice: Notice, teller: Teller) -> Iterator[tuple[str, Markup]]:
    location = notice.session.location if notice.session else None
    for key, place in (("place", location), ("old_place", notice.old_location)):
        if place is not None:
            yield key, _place_in_html(place, teller)


def _righted(righted: Righted, teller: Teller, brand: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return one thing that was put right: its time, and what is to be known of it."""
    about = itip.one_line(righted.about) or teller.language.say("Client")
    what = righting(teller.language, righted.what, client=about, brand=itip.one_line(brand))
    if righted.old is not None:
        what = teller.language.say("%(what)s (it had stood at %(old)s)", what=what, old=teller.when(righted.old))
    line = {"choice": {"when": teller.when(righted.when), "place": what}}
    return line, line


def _concerned(concerned: Concerned, teller: Teller) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return one session in an absence: its time, and with whom."""
    client = itip.one_line(concerned.about) or teller.language.say("Client")
    when = teller.when(concerned.when)
    return {"choice": {"when": when, "place": client}}, {"choice": {"when": when, "place": _isolated(client)}}


def _choice(choice: Choice, teller: Teller) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    when, place = teller.when(choice.when), teller.place(choice.location)
    marked_up = {"when": when, "place": _place_in_html(choice.location, teller)}
    return {"choice": {"when": when, "place": place}}, {"choice": marked_up}


def _place_in_html(location: Location, teller: Teller) -> Markup:
    place = Markup.escape(teller.place(location))
    if location.kind is not LocationKind.ONLINE:
        return place
    return place.replace(Markup.escape(location.text), Markup('<a href="{0}">{0}</a>').format(location.text))


def _isolated(name: str) -> Markup:
    """Keep a name's writing direction to itself: an Arabic name must not reverse the sentence around it."""
    return Markup("<bdi>{}</bdi>").format(name) if name else Markup()


def _initials(name: str) -> str:
    return " ".join(f"{part[0].upper()}." for part in name.split()[:_MOST_INITIALS])
