"""Random lives in which clients answer, wish for other times and ask again by mail, and in which letters come back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes
from uuid import uuid4

from connector.domain.facts import MailChoice
from connector.domain.session import Session
from connector.errors import RuleError
from connector.services import receiving
from connector.services.scheduling import mails as deciding
from connector.storage import client_mails, incoming
from connector.storage.database import Database
from connector.storage.due import Kind
from connector.storage.incoming import Door
from tests.domain.examples import KIM
from tests.inbox import mails
from tests.receivers.histories import History

SERVER = "mx.pencilled.example"
_BY_MAIL = 0.4
_STAMP = "%Y%m%dT%H%M%SZ"


class AnsweringHistory(History):
    """A history whose mail server vouches for the client's mails."""

    def __init__(self, database: Database, seed: int) -> None:
        super().__init__(database, seed)
        settings = replace(self.practice.runtime.settings, mail_server_id=SERVER)
        self.practice.runtime = replace(self.practice.runtime, settings=settings)

    def unread(self) -> int:
        """How many mails nobody has read."""
        with self.practice.database.read() as db:
            return incoming.waiting(db)

    def _step(self) -> None:
        if self.pick.random() > _BY_MAIL:
            super()._step()
            return
        session = self.practice.session(self.pick.choice(self.sessions))
        acts = (self._reply, self._ask_again, self._come_back, self._agree, self._refuse)
        with suppress(RuleError):
            self.told.append("refused")
            self.told[-1] = self.pick.choice(acts)(session)

    def _reply(self, session: Session) -> str:
        says = self.pick.choice(("ACCEPTED", "DECLINED", "TENTATIVE"))
        self._take_in(self._from_program(session, "REPLY", partstat=says))
        return f"answered: {says}"

    def _ask_again(self, session: Session) -> str:
        self._take_in(self._from_program(session, "REFRESH"))
        return "asked again"

    def _come_back(self, _session: Session) -> str:
        """Have a server say of a letter that it came back, though it had arrived."""
        address, kind, mail = self.pick.choice([one for one in self.server.taken if one[0] in self.addresses])
        report = mails.bounce(returned=str(message_from_bytes(mail)["Message-ID"]))
        self._take_in(report.replace(mails.CLIENT.encode(), address.encode()))
        return f"said to have come back: {kind}"

    def _agree(self, session: Session) -> str:
        return self._wish(session, MailChoice.AGREE)

    def _refuse(self, session: Session) -> str:
        return self._wish(session, MailChoice.REFUSE)

    def _wish(self, session: Session, choice: MailChoice) -> str:
        span, practice = self._when().span, self.practice
        times = (f"DTSTART:{span.start:{_STAMP}}", f"DTEND:{span.end:{_STAMP}}")
        self._take_in(self._from_program(session, "COUNTER", *times))
        with practice.database.read() as db:
            wishes = [one for one in client_mails.of_session(db, session.id) if one.is_open and one.proposed]
        if not wishes:
            return "wished in vain"
        with practice.database.begin() as db:
            deciding.decide(db, practice.policy, wishes[0].id, choice, by=KIM, now=practice.now)
        if practice.prompt:
            practice.mail()
        return f"wished, {choice}"

    def _from_program(self, session: Session, method: str, *times: str, partstat: str = "TENTATIVE") -> bytes:
        ics = mails.calendar(
            method,
            *times,
            partstat=partstat,
            attendee=self.client.email,
            uid=session.uid,
            sequence=f"SEQUENCE:{session.revision}",
            organizer=session.organizer,
        ).replace("20261122T201500Z", f"{self.practice.now:{_STAMP}}")
        return mails.answer(ics, method=method, sender=self.client.email)

    def _take_in(self, mail: bytes) -> None:
        domain = self.client.email.rpartition("@")[2]
        vouched = f"Authentication-Results: {SERVER}; dmarc=pass header.from={domain}\r\n".encode()
        raw = vouched + mail.replace(b"<a1@", f"<{uuid4()}@".encode())
        with self.practice.database.begin() as db:
            receiving.receive(db, raw, door=Door.MAILBOX, now=self.practice.now)
        self.practice.carry_out(Kind.MAIL)
        if self.practice.prompt:
            self.practice.mail()
