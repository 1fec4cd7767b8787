"""What becomes of a mail, once it is known what it means and by what it is proved.

An answer that is the client's and plain counts; whatever else is theirs is shown to the practitioner as what it says,
and only what nobody vouches for and answers nothing of ours is left out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import Doubt, MailKind
from connector.domain.session import Session
from connector.domain.span import When
from connector.inbox.authorship import Proof
from connector.inbox.calendar import CalendarMessage, Counter, Garbled, Refresh, Reply, Said, Unclear
from connector.inbox.meaning import Mail, Nothing, Words
from connector.inbox.reports import Bounce
from connector.inbox.verdict import Verdict, judge
from connector.services import client_mails, conversations, returned, standstill
from connector.services.client_mails import Kept
from connector.services.policy import Policy
from connector.storage import incoming, people, sessions

UNMATCHED = "unmatched"  # words that answer no letter of ours to a client
SAME_TIME = "same_time"  # they ask for the time that they have
REFRESHED = "refreshed"

# What a proof makes a difference to, of answers to invitations.
_PROVABLE = frozenset(
    {Verdict.APPLIES, Verdict.UNORDERED, Verdict.UNNUMBERED, Verdict.OTHER_ORGANIZER, Verdict.OTHER_MAILBOX}
    | {Verdict.STALE, Verdict.AHEAD, Verdict.ENDED}
)
# Why an answer does not count by itself that is theirs, or is shown all the same.
_DOUBTS = {
    Verdict.UNORDERED: Doubt.UNORDERED,
    Verdict.UNNUMBERED: Doubt.UNNUMBERED,
    Verdict.OTHER_ORGANIZER: Doubt.OTHER_ORGANIZER,
    Verdict.OTHER_MAILBOX: Doubt.OTHER_MAILBOX,
}
_PAST = {Verdict.STALE: Doubt.FORMER, Verdict.AHEAD: Doubt.UNREADABLE, Verdict.ENDED: Doubt.FORMER}
_GARBLED = {Unclear.DELEGATED: Doubt.DELEGATED, Unclear.SERIES: Doubt.SERIES}


def is_proof_wanted(db: Connection, mail: Mail, *, now: datetime) -> bool:
    """Whether a mail is shown otherwise if it is proved to be of its author, who may be a client."""
    match mail.meaning:
        case Bounce() | Nothing() | Refresh():
            return False
        case Words() | Garbled():
            session = session_of(db, mail)
            return session is not None and mail.author in _addresses(db, session)
        case message:
            session, verdict = _judged(db, message, mail, Proof.SERVER, now)
            return session is not None and verdict in _PROVABLE and mail.author in _addresses(db, session)


def session_of(db: Connection, mail: Mail) -> Session | None:
    """Return the session that a mail is about: by its UID, or else by the letter to its client that it answers."""
    uid = mail.meaning.uid if isinstance(mail.meaning, Said | Garbled) else ""
    session = sessions.known_as(db, uid) if uid else None
    if session is not None and session.uid == uid:
        return session
    letter = next(returned.letters(db, mail.about), None)
    if letter is None or not letter.to_client or letter.session_id is None:
        return None
    return sessions.get(db, letter.session_id)


def _addresses(db: Connection, session: Session) -> frozenset[str]:
    """Return the addresses that a session's client has, or had when they were invited, in small letters."""
    own = people.client(db, session.client_id).email.lower()
    return client_mails.invitation_of(db, session).addresses | ({own} if own else frozenset())


def carry_out(db: Connection, policy: Policy, mail: Mail, proof: Proof, *, now: datetime) -> tuple[str, UUID | None]:
    """Do what follows from a mail; return what becomes of it, and which session it is about."""
    match mail.meaning:
        case Words() as words:
            return _words(db, policy, mail, words, proof, now=now)
        case Garbled() as garbled:
            return _garbled(db, policy, mail, garbled, proof, now=now)
        case Bounce() as bounce:
            return returned.note(db, bounce, now=now)
        case Nothing(reason=reason):
            return reason.value, None
        case message:
            return _answer(db, policy, mail, message, proof, now=now)


def _words(
    db: Connection, policy: Policy, mail: Mail, words: Words, proof: Proof, *, now: datetime
) -> tuple[str, UUID | None]:
    """Show words to the practitioner of the session whose letter they answer.

    Whoever names one of our letters has read it. What programs of ours write, and what a practitioner writes into a
    conversation that they were brought into, is nothing that a client says.
    """
    session = session_of(db, mail)
    if session is None:
        return UNMATCHED if mail.answerable else Unclear.AUTOMATIC.value, None
    practitioner = standstill.lock(db, session.practitioner_id)
    if people.client(db, session.client_id).erased or mail.author == practitioner.email.lower():
        return UNMATCHED, None
    if mail.author == session.organizer.lower():
        return Unclear.AUTOMATIC.value, session.id
    written = _shown(db, session, mail, proof, now=now)
    written = replace(written, text=words.text, doubt=Doubt.WHOLE if words.whole else None)
    return client_mails.keep(db, policy, session, written, now=now).value, session.id


def _shown(db: Connection, session: Session, mail: Mail, proof: Proof, *, now: datetime) -> ClientMail:
    """Return a mail that is there to be read, and that nothing follows from."""
    client = people.client(db, session.client_id)
    return ClientMail(
        id=uuid4(),
        session_id=session.id,
        practitioner_id=session.practitioner_id,
        kind=MailKind.WORDS,
        state=MailState.SHOWN,
        received_at=now,
        author=mail.author,
        trusted=proof is not Proof.NONE and mail.author == client.email.lower(),
    )


def _garbled(
    db: Connection, policy: Policy, mail: Mail, garbled: Garbled, proof: Proof, *, now: datetime
) -> tuple[str, UUID | None]:
    session = session_of(db, mail)
    if session is None:
        return garbled.reason.value, None
    standstill.lock(db, session.practitioner_id)
    doubt = _GARBLED.get(garbled.reason, Doubt.UNREADABLE)
    return _aside(db, policy, session, mail, garbled, proof, doubt=doubt, outcome=garbled.reason, now=now)


def _aside(
    db: Connection,
    policy: Policy,
    session: Session,
    mail: Mail,
    said: CalendarMessage | Garbled,
    proof: Proof,
    *,
    doubt: Doubt,
    outcome: Verdict | Unclear,
    now: datetime,
) -> tuple[str, UUID | None]:
    """Show what a client's calendar program says and cannot count, as what it says; nothing of anybody else."""
    if not _is_theirs(db, session, mail, proof):
        return outcome.value, session.id
    written = replace(
        _shown(db, session, mail, proof, now=now),
        text=said.comment,
        answer=said.answer if isinstance(said, Reply | Garbled) else None,
        stamp=said.stamp,
        doubt=doubt,
    )
    kept = client_mails.keep(db, policy, session, written, now=now)
    return outcome.value if kept is Kept.SHOWN else kept.value, session.id


def _is_theirs(db: Connection, session: Session, mail: Mail, proof: Proof) -> bool:
    """Whether a mail is proved to be of a session's client, or names a letter that was sent to them.

    That letter they may have passed on, to a mailbox of theirs above all; the practitioner reads who has written.
    """
    if people.client(db, session.client_id).erased:
        return False
    return _names_letter(db, session, mail) or (proof is not Proof.NONE and mail.author in _addresses(db, session))


def _names_letter(db: Connection, session: Session, mail: Mail) -> bool:
    """Whether a mail names a letter to a session's client, and is neither of their practitioner nor of ourselves."""
    own = {people.practitioner(db, session.practitioner_id).email.lower(), session.organizer.lower()}
    letters = returned.letters(db, mail.about)
    return mail.author not in own and any(one.to_client and one.session_id == session.id for one in letters)


def _answer(
    db: Connection, policy: Policy, mail: Mail, message: CalendarMessage, proof: Proof, *, now: datetime
) -> tuple[str, UUID | None]:
    session = sessions.known_as(db, message.uid)
    if session is not None:
        standstill.lock(db, session.practitioner_id)  # of two answers at once, one sees the other
    session, verdict = _judged(db, message, mail, proof, now)
    if session is None or verdict in {Verdict.UNKNOWN, Verdict.NOT_INVITED}:
        return verdict.value, None
    if isinstance(message, Refresh):
        is_sent = verdict in {Verdict.APPLIES, Verdict.UNPROVED}
        return _refresh(db, session, mail, now=now) if is_sent else verdict.value, session.id
    if verdict in _PAST and (verdict is not Verdict.ENDED or message.comment):
        doubt = _PAST[verdict]
        return _aside(db, policy, session, mail, message, proof, doubt=doubt, outcome=verdict, now=now)
    if verdict is Verdict.OTHER_MAILBOX and not _is_theirs(db, session, mail, proof):
        return Verdict.NOT_INVITED.value, None
    if verdict in {Verdict.REPEATED, Verdict.ENDED}:
        return verdict.value, session.id
    written = _written(db, session, mail, message, verdict=verdict, proof=proof, now=now)
    if written.proposed is not None and written.proposed.span == session.when.span:
        return SAME_TIME, session.id
    if verdict is Verdict.APPLIES and isinstance(message, Reply):
        kept = client_mails.take_answer(db, session, written, now=now)
    else:
        kept = client_mails.keep(db, policy, session, written, now=now)
    return verdict.value if kept is Kept.SHOWN else kept.value, session.id


def _written(
    db: Connection,
    session: Session,
    mail: Mail,
    message: Reply | Counter,
    *,
    verdict: Verdict,
    proof: Proof,
    now: datetime,
) -> ClientMail:
    """Return an answer as its practitioner sees it."""
    reply = message if isinstance(message, Reply) else None
    counter = message if isinstance(message, Counter) else None
    return ClientMail(
        id=uuid4(),
        session_id=session.id,
        practitioner_id=session.practitioner_id,
        kind=MailKind.UNPROVED if reply else MailKind.PROPOSAL,
        received_at=now,
        author=mail.author,
        trusted=verdict is not Verdict.UNPROVED and proof is not Proof.NONE and mail.author in _addresses(db, session),
        doubt=_DOUBTS.get(verdict),
        text=message.comment,
        answer=reply.answer if reply else None,
        sequence=client_mails.invitation_of(db, session).sequence_of(message),
        stamp=message.stamp,
        proposed=When.of(counter.span, zone=session.when.zone) if counter else None,
    )


def _refresh(db: Connection, session: Session, mail: Mail, *, now: datetime) -> str:
    """Have a client told again how their session stands, at the address that is theirs, whoever has asked.

    That tells nobody anything they have not been told, so nothing has to prove who asks; but once a day at most, and no
    machine that asks not to be answered by one.
    """
    if not mail.answerable:
        return Unclear.AUTOMATIC.value
    if session.when.span.start <= now:
        return Verdict.ENDED.value
    if incoming.settled_since(db, session.id, REFRESHED, since=now - timedelta(days=1)):
        return Kept.TOO_MANY.value
    practitioner, client = people.practitioner(db, session.practitioner_id), people.client(db, session.client_id)
    is_told = conversations.tell_again(db, practitioner, client, session, now=now)
    return REFRESHED if is_told else Verdict.NOT_INVITED.value


def _judged(
    db: Connection, message: CalendarMessage, mail: Mail, proof: Proof, now: datetime
) -> tuple[Session | None, Verdict]:
    session = sessions.known_as(db, message.uid)
    if session is None or session.uid != message.uid:
        return session, judge(message, None, author=mail.author, proof=proof, now=now)
    verdict = judge(
        message,
        client_mails.invitation_of(db, session),
        author=mail.author,
        proof=proof,
        names_letter=_names_letter(db, session, mail),
        now=now,
    )
    return session, verdict
