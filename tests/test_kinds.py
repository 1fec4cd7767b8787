"""A kind of notice or question is one row and its texts: each row is complete, and no kind lacks one.

Who adds a kind adds its row in `domain/notice_table.py` or `domain/question.py`; what is missing yet, these tests say.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import pytest

from connector.cli import sessions
from connector.domain.change import ChangeKind
from connector.domain.client_mail import MAILS
from connector.domain.client_mail import ROWS as MAIL_ROWS
from connector.domain.facts import AbsenceAnswer, AbsenceEnd, Answer, Dropped, MailChoice, MailKind, QuestionKind
from connector.domain.notice import Notice, NoticeKind
from connector.domain.notice_table import NOTICES, ROWS, Audience, Effect, Link, Method, NoticeRow
from connector.domain.question import QUESTIONS, Meanwhile, QuestionRow
from connector.domain.question import ROWS as QUESTION_ROWS
from connector.language.offered import Languages
from connector.language.templates import speak
from connector.outbox import wording
from connector.outbox.letters import compose
from connector.services.views import phrases
from connector.storage.database import Database
from tests.conftest import Clock
from tests.outbox.people import BRAND, FROM, letter, notice
from tests.web.stage import Stage, stage_of

IDENTITY = UUID(int=9)
APART = (NoticeKind.ANSWER_CODE, NoticeKind.SUBSCRIBED)  # told in conversations of their own
PAGES = {
    Link.ANSWER: "answer.show",
    Link.MINE: "mine.show",
    Link.QUESTION: "questions.show",
    Link.ABSENCE: "absences.show",
    Link.MAIL: "mails.show",
    Link.CONFLICT: "conflict.show",
    Link.PAUSED: "paused.show",
    Link.SIGN_IN: "signin.confirm",
    Link.SUPPORT_SIGN_IN: "support_signin.confirm",
    Link.SUBSCRIPTION: "subscription.show",
    Link.SESSION: "sessions.show",
    Link.CALENDARS: "calendars.every",
}
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.value)
every_question = pytest.mark.parametrize("row", QUESTION_ROWS, ids=lambda row: row.kind.value)


@pytest.fixture
def stage(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    return stage_of(sqlite_database, sqlite_url, clock)


def test_every_kind_of_notice_has_one_row() -> None:
    assert [row.kind for row in ROWS] == list(NoticeKind)
    assert list(NOTICES.values()) == list(ROWS)


def test_every_kind_of_notice_has_a_name_in_the_timeline() -> None:
    assert phrases.LETTERS.keys() == set(NoticeKind)
    assert all(phrases.LETTERS.values())


@every_row
def test_what_a_letter_needs_are_fields_of_its_notice_and_it_is_not_written_without(row: NoticeRow) -> None:
    assert set(row.needs) <= {field.name for field in fields(Notice)}
    for name in row.needs:
        lacking: dict[str, Any] = {name: () if name in ("choices", "concerned") else None}
        with pytest.raises(ValueError, match=f"lacks {name}"):
            compose(letter(row.kind, **lacking), brand=BRAND, from_address=FROM)


@every_row
def test_a_letter_that_decides_something_is_not_written_without_its_link(row: NoticeRow) -> None:
    deciding = tuple(link for link in Link if link not in (Link.MINE, Link.SESSION, Link.CALENDARS))
    lacking = pytest.raises(ValueError, match="lacks link") if row.link in deciding else nullcontext()
    with lacking:
        compose(letter(row.kind, link=None), brand=BRAND, from_address=FROM)


@every_row
def test_a_letter_has_the_calendar_part_that_its_row_names(row: NoticeRow) -> None:
    parts = compose(letter(row.kind), brand=BRAND, from_address=FROM).walk()
    methods = [part.get_param("method") for part in parts if part.get_content_type() == "text/calendar"]
    assert methods == ([row.method.value] if row.method else [])
    assert row.method is None or ("session" in row.needs and row.to is Audience.CLIENT)


@every_row
def test_only_an_invitation_can_be_agreed_to(row: NoticeRow) -> None:
    assert not row.chosen_by_client or row.method is Method.REQUEST


@every_row
def test_what_a_client_believes_who_has_read_it_is_said_by_its_row(row: NoticeRow) -> None:
    assert (row.effect is Effect.NONE) == (row.to is not Audience.CLIENT or row.kind in APART)
    assert (row.effect is Effect.SESSION_STANDS) == (row.method is Method.REQUEST)
    assert (row.effect is Effect.PROPOSAL_ENDS) == (row.method is Method.DECLINECOUNTER)
    assert (row.effect is Effect.SESSION_ENDS) == (row.method is Method.CANCEL)
    assert (row.effect is Effect.OFFER_STANDS) == (row.link is Link.ANSWER)
    assert row.reminds_after is None or row.effect is Effect.OFFER_STANDS


@every_row
def test_the_link_of_a_notice_leads_to_a_page(stage: Stage, row: NoticeRow) -> None:
    ids = ("offer_id", "question_id", "absence_id", "mail_id", "alternative_id", "calendar_id", "signin_id")
    told = replace(notice(row.kind), **dict.fromkeys(ids, IDENTITY))  # type: ignore[arg-type]

    link = stage.runtime.link_for(told)

    if row.link is None:
        assert link is None
        return
    assert link is not None
    endpoint, _ = stage.app.url_map.bind("").match(link.removeprefix(stage.runtime.settings.public_url))
    assert endpoint == PAGES[row.link]


@every_row
def test_a_notice_that_names_nothing_to_lead_to_has_no_link(stage: Stage, row: NoticeRow) -> None:
    ids = ("offer_id", "question_id", "absence_id", "mail_id", "alternative_id", "calendar_id", "signin_id", "session")
    told = replace(notice(row.kind), **dict.fromkeys(ids))  # type: ignore[arg-type]
    expected = f"{stage.runtime.settings.public_url}/calendars" if row.link is Link.CALENDARS else None
    assert stage.runtime.link_for(told) == expected


def test_every_kind_of_question_has_one_row() -> None:
    assert [row.kind for row in QUESTION_ROWS] == list(QuestionKind)
    assert list(QUESTIONS.values()) == list(QUESTION_ROWS)


def test_every_notice_that_leads_to_a_question_asks_one_kind() -> None:
    asking = [row.kind for row in ROWS if row.link is Link.QUESTION]
    assert sorted(row.notice for row in QUESTION_ROWS) == sorted(asking)


@every_question
def test_the_letter_that_asks_offers_every_answer_the_default_first(row: QuestionRow) -> None:
    blocks = wording._blocks(NOTICES[row.notice].template)
    [buttons] = [block for block in blocks if block.shape == "buttons"]
    assert [path for path, _ in buttons.lines] == [f"/{answer.value}" for answer in row.answers]


@every_question
def test_a_question_about_a_move_names_where_to_and_when_it_answers_itself(row: QuestionRow) -> None:
    moved = row.remote_change is ChangeKind.MOVED
    assert NOTICES[row.notice].needs == ("session", *(("moved_to",) if moved else ()), "expires_at")
    assert moved or row.remote_change is ChangeKind.DELETED
    assert moved is (row.entry is not Meanwhile.GONE)


def test_every_kind_of_question_its_answers_and_its_ends_have_words_in_the_timeline() -> None:
    assert phrases.QUESTIONS.keys() == set(QuestionKind)
    assert phrases.ANSWERS.keys() == set(Answer)
    assert phrases.DROPPED.keys() == set(Dropped)
    assert {row.remote_change for row in QUESTION_ROWS} <= sessions._ASKED.keys()


def test_every_answer_about_an_absence_and_every_end_of_one_has_words_in_the_timeline() -> None:
    assert phrases.ABSENCE_ANSWERS.keys() == set(AbsenceAnswer)
    assert phrases.ABSENCE_ENDS.keys() == set(AbsenceEnd)


def test_every_kind_of_question_has_words_on_its_page(stage: Stage) -> None:
    kinds, answers = [kind.value for kind in QuestionKind], [answer.value for answer in Answer]
    with stage.app.test_request_context():
        source = (
            "{% import 'question/words.html' as words with context %}"
            "{{ [words.in_short(kind), words.heading(kind, 'Kim'), words.done(kind, 'Kim', '')]|join('|') }}"
        )
        environment = speak(stage.app.jinja_env.overlay(), Languages().of("en"))
        said = [environment.from_string(source).render(kind=kind).split("|") for kind in kinds]
        decided = "{% import 'question/words.html' as words with context %}{{ words.decided(answer, 'Kim') }}"
        ends = [environment.from_string(decided).render(answer=answer) for answer in answers]
    assert all(all(texts) for texts in said)
    assert len({tuple(texts) for texts in said}) == len(kinds)
    assert len(set(ends)) == len(answers)


def test_every_kind_of_mail_has_one_row_and_a_letter_that_leads_to_what_is_decided() -> None:
    assert [row.kind for row in MAIL_ROWS] == list(MailKind)
    assert list(MAILS.values()) == list(MAIL_ROWS)
    leading = [row.kind for row in ROWS if row.link is Link.MAIL]
    assert sorted(row.notice for row in MAIL_ROWS if row.choices) == sorted(leading)
    assert {choice for row in MAIL_ROWS for choice in row.choices} == set(MailChoice)


def test_every_kind_of_mail_and_what_is_decided_has_words_in_the_timeline_and_on_its_page(stage: Stage) -> None:
    assert phrases.WROTE.keys() == set(MailKind)
    assert phrases.CHOICES.keys() == set(MailChoice)
    source = (
        "{% import 'mail/words.html' as words with context %}"
        "{{ [words.label(choice, 'Kim'), words.brings(choice, 'Kim'), words.decided(choice, 'Kim')]|join('|') }}"
    )
    with stage.app.test_request_context():
        environment = speak(stage.app.jinja_env.overlay(), Languages().of("en"))
        said = [environment.from_string(source).render(choice=choice.value) for choice in MailChoice]
    assert all(all(texts.split("|")) for texts in said)
    assert len(set(said)) == len(MailChoice)
