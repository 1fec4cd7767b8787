"""A notice as the letter a person reads: who writes, what it says, and the calendar message where a time is certain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from typing import Any, assert_never

from markupsafe import Markup

from connector.domain.notice import Choice, Notice, Righted
from connector.domain.notice_table import NOTICES, Audience, Method
from connector.domain.session import Location, LocationKind, SessionState
from connector.ical import imip, itip
from connector.language.catalogues import Language
from connector.language.offered import Languages
from connector.language.telling import Teller
from connector.outbox.phrases import letter_name, righting
from connector.outbox.wording import Words, render
from connector.ports import Letter

_MOST_INITIALS = 3
_USUAL_MINUTES = "15"


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
        answers_read: As in `itip.request`.
        languages: Those in which it can be written.
    Returns: One mail to one person; its From is the address to which bounces return.
    Raises: ValueError if the notice lacks what its kind must tell; RuleError for an address no mail can carry.
    """
    notice = letter.notice
    _check_complete(letter)
    teller = Teller.to(locale=notice.to.locale, zone=notice.to.zone, languages=languages)
    wording = render(teller.language, NOTICES[notice.kind].template, _words(letter, teller, brand))
    return imip.message(
        sender=_sender(notice, teller.language, brand=brand, from_address=from_address),
        recipient=imip.Mailbox(name=notice.to.name, address=notice.to.address),
        subject=wording.subject,
        text=wording.text,
        html=wording.html,
        message_id=letter.message_id,
        thread_id=letter.thread_id,
        reply_to=imip.Mailbox(name=notice.practitioner_name, address=notice.reply_to) if notice.reply_to else None,
        date=letter.date,
        calendar=_calendar(notice, teller, answers_read=answers_read),
    )


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


def _calendar(notice: Notice, teller: Teller, *, answers_read: bool) -> bytes | None:
    row, session, practitioner = NOTICES[notice.kind], notice.session, itip.one_line(notice.practitioner_name)
    if session is None:
        return None
    # Neutral: it shows on lock screens and in shared calendars.
    summary = teller.language.say("Session with %(practitioner)s", practitioner=practitioner)
    match row.method:
        case None:
            return None
        case Method.CANCEL:
            return itip.cancel(session, practitioner_name=practitioner, client=notice.to, summary=summary)
        case Method.REQUEST:
            place = teller.place(session.location)
            return itip.request(
                session,
                practitioner_name=practitioner,
                client=notice.to,
                summary=summary,
                description=teller.language.say(
                    "Session with %(practitioner)s, %(place)s\n\n"
                    "If the time or the place changes, this entry is updated.",
                    practitioner=practitioner,
                    place=place,
                ),
                accepted=row.chosen_by_client and not notice.by_support,
                answers_read=answers_read,
            )
        case _:
            assert_never(row.method)


def _words(letter: Letter, teller: Teller, brand: str) -> Words:
    notice = letter.notice
    text: dict[str, Any] = {
        **_people(notice, teller.language, brand),
        **_session_words(letter, teller),
        **_change_words(notice, teller),
        **_offer_words(letter, teller),
        **_other_words(notice, teller.language, letter.code),
        "righted": bool(notice.righted),
        "since": teller.instant(notice.since) if notice.since else "",
    }
    html = {key: _isolated(text[key]) for key in ("name", "practitioner", "client", "brand", "about")}
    html |= dict(_places_in_html(notice, teller))
    choices = [_choice(choice, teller) for choice in _choices(letter)]
    choices += [_righted(one, teller, brand) for one in notice.righted]
    return Words(text=text, html=html, choices=choices, link=letter.link)


def _people(notice: Notice, language: Language, brand: str) -> dict[str, Any]:
    """Return who is concerned, and who has acted for whom."""
    client = itip.one_line(notice.client_name) or language.say("Client")
    return {
        "name": itip.one_line(notice.to.name),
        "practitioner": itip.one_line(notice.practitioner_name),
        "client": client,
        "initials": _initials(client) if notice.client_name else client,
        "brand": itip.one_line(brand),
        "to_client": NOTICES[notice.kind].to is Audience.CLIENT,
        "replies": bool(notice.reply_to),
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
        "past": session is not None and session.when.span.start <= letter.date,
        "cancelled": session is not None and session.state is SessionState.CANCELLED,
    }


def _change_words(notice: Notice, teller: Teller) -> dict[str, Any]:
    """Return what no longer applies, and the time a session was moved to in a calendar."""
    return {
        "old": teller.when(notice.old_when) if notice.old_when else "",
        "old_place": teller.place(notice.old_location) if notice.old_location else "",
        "moved": teller.when(notice.moved_to) if notice.moved_to else "",
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
