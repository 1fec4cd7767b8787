"""Remote changes until their practitioner is asked about them or the calendar is paused, as the worker finds them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import CalendarPaused
from connector.domain.notice_table import Link
from connector.domain.question import Question
from connector.domain.span import Span, When
from connector.runtime import Runtime
from connector.services.scheduling import take_back as taking_back
from connector.services.sync import breaker
from connector.storage import ledger, messages, mirrors, offers, questions, timeline
from connector.storage.ledger import Key, Kind
from connector.storage.tables import messages as message_rows
from connector.storage.tables import questions as question_rows
from providers.memory.provider import MemoryCalendar
from tests.web.desk import Desk, later
from tests.web.services import MemoryService
from tests.web.stage import Stage


def begin(here: Desk) -> Desk:
    """Connect the memory calendar, write to it, and read it once."""
    here.connect()
    here.work()
    pull(here)
    return here


def hand(here: Desk) -> MemoryCalendar:
    """Return the calendar as its practitioner sees it."""
    assert isinstance(here.service, MemoryService)
    return here.service.store.calendar(here.calendar.remote_id)


def pull(here: Desk) -> None:
    """Have its service say that something has changed there, and read what it was."""
    notify(here, Kind.PULL)
    here.carry_out(Kind.PULL)


def refresh_free_busy(here: Desk) -> None:
    """Look when the calendar is not free."""
    notify(here, Kind.BUSY)
    here.carry_out(Kind.BUSY)


def notify(here: Desk, kind: Kind) -> None:
    """Make one kind of look at the calendar due."""
    with here.stage.runtime.database.begin() as db:
        ledger.touch(db, Key(kind, str(here.calendar.id)), due_at=here.stage.now, lane=here.calendar.lane)


def settle(here: Desk) -> None:
    """Let what was done be seen, settle, and count: the second look is due by itself."""
    pull(here)
    later(here.stage, seconds=61)
    here.carry_out(Kind.PULL)


def event_of(here: Desk) -> str:
    """Return the address of the event of the stage's session."""
    key = EntryKey(kind=EntryKind.SESSION, id=here.stage.session.id)
    with here.stage.runtime.database.read() as db:
        [href] = [mirror.ref.href for _, mirror in mirrors.of_session(db, key.id) if mirror.key == key]
    assert href
    return href


def drag(here: Desk, to: When) -> None:
    """Move the session in the calendar, and let that count."""
    hand(here).move(event_of(here), to.span)
    settle(here)


def question_about_move(here: Desk, to: When | None = None) -> Question:
    """Be asked about a session moved in the calendar."""
    drag(begin(here), to or here.stage.at(8, 16))
    return open_question(here.stage)


def question_about_deletion(here: Desk) -> Question:
    """Be asked about a session deleted in the calendar."""
    hand(begin(here)).delete(event_of(here))
    settle(here)
    return open_question(here.stage)


def question_about_replacing(here: Desk, to: When | None = None) -> Question:
    """Be asked whether an open offer shall be replaced by the time a session was moved to."""
    begin(here)
    here.stage.offer()
    here.work()
    pull(here)
    drag(here, to or here.stage.at(8, 16))
    return open_question(here.stage)


def open_question(stage: Stage) -> Question:
    """Return the open question about the stage's session."""
    with stage.runtime.database.read() as db:
        question = questions.open_of(db, stage.session.id)
    assert question
    return question


def question_now(stage: Stage, question: Question) -> Question:
    with stage.runtime.database.read() as db:
        return questions.get(db, question.id)


def how_many(stage: Stage) -> int:
    with stage.runtime.database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(question_rows)).scalar_one()


def page_of(stage: Stage, question: Question) -> str:
    """Return the path of the page a question's letter leads to."""
    return _path(stage.runtime, stage.runtime.link(Link.QUESTION, question.id))


def paused_page(here: Desk) -> str:
    """Return the path of the page the letter about a paused calendar leads to."""
    token = here.stage.runtime.seal.token(breaker.PURPOSE, here.calendar.id, since=_stopped_at(here))
    return f"/stopped/{token}"


def _stopped_at(here: Desk) -> datetime:
    """Return when the calendar was paused last, whether or not it still is."""
    with here.stage.runtime.database.read() as db:
        facts = timeline.of_connection(db, here.calendar.connection_id)
    times = [fact.at for fact in facts if isinstance(fact, CalendarPaused)]
    return times[-1] if times else here.stage.now


def conflict_page(here: Desk, n: int = 0) -> str:
    """Return the path of the page the letter about a conflict at the nth offered time leads to."""
    with here.stage.runtime.database.read() as db:
        [offer] = [one for one in offers.of_session(db, here.stage.session.id) if one.sent_at][:1]
    return f"/clash/{here.stage.runtime.seal.token(taking_back.PURPOSE, offer.alternatives[n].id)}"


def is_link_of(here: Desk, kind: str, path: str) -> bool:
    """Whether the letters of that kind lead to that page."""
    runtime = here.stage.runtime
    here.stage.mail()
    with runtime.database.read() as db:
        ids = db.execute(sa.select(message_rows.c.id).where(message_rows.c.kind == kind)).scalars().all()
        notices = [message.notice for one in ids if (message := messages.get(db, one))]
    to_anybody = [replace(notice, to=replace(notice.to, address="")) for notice in notices]  # who has it: as `path` is
    return {runtime.link_for(notice) for notice in to_anybody} == {runtime.settings.public_url + path}


def crowd(here: Desk, count: int = 5) -> Desk:
    """Have so many sessions more, all of them in the calendar."""
    begin(here)
    for day in range(count):
        here.stage.book(here.stage.at(20 + day, 9))
    here.work()
    pull(here)
    return here


def wipe(here: Desk) -> None:
    """Delete everything in the calendar at once, and have that seen."""
    hand(here).wipe()
    pull(here)


def add_foreign(here: Desk, when: When) -> None:
    """Have something of their own at that time, and let it be seen."""
    hand(here).add_foreign(Span.of(when.span.start, timedelta(minutes=30)))
    refresh_free_busy(here)


def _path(runtime: Runtime, link: str) -> str:
    return link.removeprefix(runtime.settings.public_url)
