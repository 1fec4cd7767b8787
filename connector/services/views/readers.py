"""Whom a mailed link is for, so that whatever is shown there is said in their language: that it has ended, too."""

from __future__ import annotations

from typing import assert_never

from sqlalchemy import Connection

from connector.domain.notice_table import Link
from connector.domain.people import Client, Practitioner, Role, Signing, SupportPerson
from connector.errors import NotFoundError
from connector.services.scheduling import absences, answers, mails, questions, session_links, take_back
from connector.services.signing_in import links
from connector.services.sync import breaker
from connector.storage import absences as stored_absences
from connector.storage import calendars, client_mails, offers, people, sessions
from connector.storage import questions as stored_questions
from connector.storage.seal import Seal


def of_link(db: Connection, seal: Seal, link: Link, token: str) -> Client | Practitioner | SupportPerson | None:
    """Return whom a mailed link is for, whether or not it still shows or decides anything.

    None if it is none of ours, if what it is about is gone, if it is for whoever is signed in, or if its page knows.
    """
    try:
        return _of_link(db, seal, link, token)
    except NotFoundError:
        return None


def _of_link(db: Connection, seal: Seal, link: Link, token: str) -> Client | Practitioner | SupportPerson | None:
    match link:
        case Link.ANSWER:
            offer = offers.get(db, seal.identity(answers.PURPOSE, token))
            return people.client(db, sessions.get(db, offer.session_id).client_id)
        case Link.MINE:
            return people.client(db, sessions.get(db, session_links.identity(seal, token)).client_id)
        case Link.QUESTION:
            question = stored_questions.get(db, seal.identity(questions.PURPOSE, token))
            return people.practitioner(db, question.practitioner_id)
        case Link.ABSENCE:
            absence = stored_absences.get(db, seal.identity(absences.PURPOSE, token))
            return people.practitioner(db, absence.practitioner_id)
        case Link.CONFLICT:
            offer = offers.of_alternative(db, seal.identity(take_back.PURPOSE, token))
            return people.practitioner(db, offer.practitioner_id)
        case Link.PAUSED:
            calendar_id, _ = seal.subject(breaker.PURPOSE, token)
            return people.practitioner(db, calendars.calendar(db, calendar_id).practitioner_id)
        case Link.SIGN_IN | Link.SUPPORT_SIGN_IN:
            role: Signing = Role.PRACTITIONER if link is Link.SIGN_IN else Role.SUPPORT
            return links.person(db, seal, token, role=role)
        case Link.MAIL:
            mail = client_mails.get(db, seal.identity(mails.PURPOSE, token))
            return people.practitioner(db, sessions.get(db, mail.session_id).practitioner_id)
        case Link.SESSION | Link.CALENDARS | Link.SUBSCRIPTION:
            return None
        case _:
            assert_never(link)
