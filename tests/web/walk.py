"""Every page there is, in most of its states, for tests of what holds on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from uuid import uuid4

import sqlalchemy as sa

from connector.domain.absence import Absence, AbsenceState
from connector.domain.answering import MOST_TRIES, AnswerPolicy
from connector.domain.connection import TroubleKind
from connector.domain.facts import AbsenceAnswer, AbsenceEnd, EntriesRefused
from connector.domain.offer import Offer
from connector.domain.people import CLOCK, Medium
from connector.domain.session import Session
from connector.domain.span import Span, When
from connector.domain.standing import Nature
from connector.domain.unreadable import Unread, Unreadable
from connector.paths import SUBSCRIPTION, mine, subscription
from connector.ports import NotSentError, Receipt, Reply, UnreadEvent
from connector.sentence import Sentence
from connector.services import publishing
from connector.services import texts as texts_service
from connector.services.scheduling import session_links
from connector.services.views.absences import open_absences
from connector.storage import absences, busy, ledger, people, timeline, troubles, unread
from connector.storage.ledger import Key, Kind
from connector.storage.sentences import written
from connector.storage.tables import clients, practitioners
from providers.memory import provider as memory
from tests.web.absences import page_of as absence_page
from tests.web.away import Form, days, full_day, send_form
from tests.web.client_mails import KINDS, of_kind, wish
from tests.web.client_mails import page_of as mail_page
from tests.web.deliveries import hosts
from tests.web.deliveries import page_of as deliveries_page
from tests.web.desk import Desk, later, lose
from tests.web.guests import Guest
from tests.web.presence import HOSTS, HostsUsers, assertion, hosted
from tests.web.remote_changes import (
    add_foreign,
    begin,
    conflict_page,
    hand,
    page_of,
    paused_page,
    pull,
    question_about_deletion,
    question_about_move,
    question_about_replacing,
    refresh_free_busy,
    wipe,
)
from tests.web.stage import Browser, NotedMail, Stage, add_client
from tests.web.texting import NUMBER, Answering, agree, answering
from tests.work.driver import Driver

_READ = ("aria-label", "title", "placeholder", "alt")

Page = tuple[str, str]  # what it is, and its text


def read_in(stage: Stage, locale: str) -> None:
    """Have everybody read one language."""
    with stage.runtime.database.begin() as db:
        for table in (practitioners, clients):
            db.execute(sa.update(table).values(locale=locale))


def of_clients(stage: Stage) -> Iterator[Page]:
    """Yield what clients see: an offer of one time and of several, each question, and each end."""
    browser = stage.browser()
    former = stage.link(stage.offer())
    yield from _choices(browser, stage, stage.offer(stage.at(9, 9)))
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11), stage.at(10, 15))
    yield from _choices(browser, stage, offer)
    yield "replaced", browser.get(former).text
    for n, end in enumerate(("accepted", "none", "cancel")):
        client = add_client(stage, name=f"Noa {n}", locale=_locale(stage))
        session = stage.book(stage.at(7, 9 + n), client=client)
        other = stage.offer(stage.at(12 + n, 9), stage.at(12 + n, 11), session=session)
        alternative = other.alternatives[0]
        way = f"choose/{alternative.id}" if end == "accepted" else end
        answer = browser.post(f"{stage.link(other)}/{way}", {"shown": alternative.when.span.start.isoformat()})
        yield end, browser.get(answer.location).text
    later(stage, days=2)
    yield "lapsed", browser.get(stage.link(offer)).text


def of_the_present(stage: Stage) -> Iterator[Page]:
    """Yield what those see of an offer who are not its client, where a host says who is present."""
    runtime = stage.runtime
    runtime.policy = replace(runtime.policy, answers=AnswerPolicy.HOST)
    runtime.settings = replace(runtime.settings, **HOSTS)
    offer, browser = stage.offer(), stage.browser()
    yield "nobody", browser.get(stage.link(offer)).text
    form, headers = {"assertion": assertion(stage, offer.id)}, {"Accept-Language": _locale(stage)}
    yield "refused", browser.http.post("/answer/assertion", data=form, headers=headers).text
    hosted(stage, HostsUsers(names_clients=True, client_id="somebody else"))
    yield "another", stage.browser().get(stage.link(offer)).text


def of_support(stage: Stage) -> Iterator[Page]:
    """Yield what a host's support sees: nothing yet, what is found, one session, and each thing that is refused."""
    users = HostsUsers(names_support=True)
    hosted(stage, users)
    browser, path = stage.browser(), f"/support/sessions/{stage.session.id}"
    browser.http.environ_base["HTTP_ACCEPT_LANGUAGE"] = _locale(stage)
    yield "absent", browser.get("/support").text
    users.support_name = "Noa 7"
    for text in ("", "Kim Noor", "work"):
        yield f"found {text}", browser.post("/support", {"text": text}).text
    yield "why", browser.get(path).text
    yield "no reason", browser.post(path, {"reason": ""}).text
    yield "missing", browser.post(f"/support/sessions/{stage.kim.id}", {"reason": "work"}, page="/support").text
    browser.post(path, {"reason": "work"})
    yield "no offer", browser.get(path).text
    offer = stage.offer()
    yield "offered", browser.get(path).text
    yield "no choice", browser.post(f"{path}/answer", {"offer": str(offer.id), "reason": "work"}, page=path).text
    yield "no reason to cancel", browser.post(f"{path}/cancel", {"reason": ""}).text
    browser.post(f"{path}/answer", {"offer": str(offer.id), "choice": "none", "reason": "work"}, page=path)
    yield "answered", browser.get(path).text
    browser.post(f"{path}/cancel", {"reason": "work"})
    yield from _all(browser, [path, f"{path}/cancel"])


def of_texts(stage: Stage) -> Iterator[Page]:
    """Yield what there is to see where clients are texted: what became of each text, what came back, and codes."""
    here = answering(stage, name="Noa 7", locale=_locale(stage))
    path, post, ada = f"/sessions/{here.offer.session_id}", here.post, stage.signed_in()
    yield from _all(ada, [path])
    with stage.runtime.database.begin() as db:
        told = [Receipt(remote_id="SM1", state="delivered"), Receipt(remote_id="SM2", state="failed")]
        texts_service.receive(
            db, stage.runtime.policy, [*told, Reply(number=NUMBER, text="503 503", remote_id="in")], now=stage.now
        )
    for day, fate in enumerate(({"permanent": True}, {"permanent": True, "unknown": True}, {"permanent": False})):
        post.wrong = {Medium.SMS: NotSentError(Sentence.quoted("503"), **fate)}
        other = stage.book(stage.at(15 + day, 15), client=here.client)
        stage.mail()
        yield f"text {fate}", ada.get(f"/sessions/{other.id}").text
    post.wrong = {}
    yield from _all(ada, ["/sessions", path])
    yield from _codes(here)
    yield from _at_night(here, path)


def _at_night(here: Answering, path: str) -> Iterator[Page]:
    stage = here.stage
    agree(here, now=stage.now)
    later(stage, hours=17)
    ada, session = stage.signed_in(), stage.stored_session(here.session)
    stage.draft(stage.at(14, 9), session=session)
    yield "review at night", ada.get(f"{path}/offer/review").text
    yield "cancelled at night", _posted_by(ada, f"{path}/cancel", {"reason": ""})


def _codes(here: Answering) -> Iterator[Page]:
    for came_by in Medium:
        here.came_by = came_by
        yield f"code {came_by}", here.browser.get(here.choose).text
        yield f"code {came_by} sent", here.ask()
    [*_, code] = here.post.codes()
    for n in range(MOST_TRIES):
        yield f"wrong code {n}", here.take(here.other(code)).text
    yield "no code any more", here.take(code, page=f"{here.link}/none").text
    yield "no code typed", here.browser.post(f"{here.link}/cancel", {}, page=f"{here.link}/none").text
    agree(here, now=None)
    yield "one medium", here.browser.get(f"{here.link}/none").text


def _choices(browser: Browser, stage: Stage, offer: Offer) -> Iterator[Page]:
    link = stage.link(offer)
    yield from _all(browser, [link, f"{link}/none", f"{link}/cancel", f"{link}/choose/{offer.alternatives[0].id}"])


def of_visitors(stage: Stage, language: str) -> Iterator[Page]:
    """Yield what those see who are not signed in, in the language of their browser."""
    browser, headers = stage.browser(), {"Accept-Language": language}
    link = stage.sign_in_link(stage.ada)
    for path in ("/signin", link, "/nowhere", "/answer/forged", "/question/forged"):
        yield path, browser.get(path, headers=headers).text
    yield "no token", browser.http.post("/signin", data={}, headers=headers).text
    token = browser.get("/signin").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": "ada@example.org"}
    yield "sent", browser.http.post("/signin", data=form, headers=headers).text
    browser.http.post(link, data={"csrf_token": token}, headers=headers)
    yield "used", stage.browser().get(link, headers=headers).text
    tries = [browser.http.post("/signin", data=form, headers=headers).text for _ in range(10)]
    yield "too often", tries[-1]


def of_sessions(here: Desk) -> Iterator[Page]:
    """Yield the practitioner's own pages about sessions and offers."""
    stage = here.stage
    begin(here)
    offer = stage.offer()
    stage.draft(stage.at(12, 9))
    here.work()
    add_foreign(here, offer.alternatives[0].when)
    own = f"/sessions/{stage.session.id}"
    one = f"{own}/offer/{offer.alternatives[0].id}"
    parts = ("", "/time", "/location", "/cancel", "/offer", "/offer/review", "/offer/withdraw")
    yield from _all(
        here.ada, ["/sessions", "/account", *(own + part for part in parts), f"{one}/withdraw", f"{one}/move"]
    )
    yield "moved", _posted(here, f"{one}/move", {"date": "2026-03-14", "time": "10:00", "minutes": "50"})
    yield "one taken back", _posted(here, f"{one}/withdraw", {})
    yield "conflict", stage.browser().get(conflict_page(here, 1)).text
    yield "no conflict any more", stage.browser().get(conflict_page(here)).text
    yield "sent", _posted(here, f"{own}/offer/send", {"offer": _draft_of(here, own)}, page=f"{own}/offer/review")
    stage.mail()
    later(stage, days=2)
    here.ada = stage.signed_in()
    yield from _all(here.ada, ["/sessions", own])
    yield "cancelled", _posted(here, f"{own}/cancel", {"reason": ""})


def of_calendars(here: Desk) -> Iterator[Page]:
    """Yield the practitioner's pages about calendars, while they work and while they do not."""
    yield "calendars", here.ada.get("/calendars").text
    yield "leave", here.ada.post(f"/calendars/{here.service.slug}/connect", page="/calendars").text
    yield "choose", here.sign_in().text
    yield "connected", here.ada.get(here.choose(here.service.target).location).text
    here.work()
    pull(here)
    connection = here.connections[0].id
    own = f"/calendars/{connection}"
    paths = ("/calendars", own, f"{own}/target", f"{own}/reconnect", f"{own}/disconnect")
    yield from _all(here.ada, paths)
    hand(here).unreadable = [
        UnreadEvent(href="/1.ics", reason=Unreadable.RULE, starts_at=here.stage.at(8, 12).span.start),
        UnreadEvent(href="/2.ics", reason=Unreadable.WITHHELD),
    ]
    refresh_free_busy(here)
    yield from _all(here.ada, ["/calendars"])
    hand(here).unreadable.clear()
    refresh_free_busy(here)
    unreached = _have_trouble(here)
    sessions = [f"/sessions/{session.id}" for session in (here.stage.session, unreached)]
    yield from _all(here.ada, ["/calendars", "/sessions", own, *sessions])
    lose(here)
    yield from _all(
        here.ada, ["/calendars", "/sessions", own, f"{own}/disconnect", f"/sessions/{here.stage.session.id}"]
    )
    yield "disconnected", _posted(here, f"{own}/disconnect", {"how": "leave"})


def of_guests(here: Desk) -> Iterator[Page]:
    """Yield what a practitioner sees whom their host sends to connect a calendar, and to reconnect it."""
    stage, guest = here.stage, Guest.of(here)
    yield "come", guest.browser.get(guest.path).text
    yield "unknown", guest.back({**here.service.refusal(guest.begin()), "state": "another"}).text
    yield "leave", guest.browser.post(f"{guest.path}/{here.service.slug}", page=guest.path).text
    yield "choose", guest.sign_in().text
    yield "choose again", guest.choose("holidays").text
    yield "connected", guest.choose().text
    lose(here)
    again = Guest.of(here, reconnects=here.connections[0].id)
    yield "reconnect", again.browser.get(again.path).text
    yield "forged", again.browser.get("/connect/forged", headers={"Accept-Language": _locale(stage)}).text
    runtime = stage.runtime
    load_provider, runtime.load_provider = runtime.load_provider, lambda _: memory.PROVIDER
    for one in (Guest.of(here), again):
        yield "typed", one.browser.get(f"{one.path}/memory").text
        yield "typed wrong", one.browser.post(f"{one.path}/memory", {"password": ""}).text
    runtime.load_provider = load_provider
    later(stage, days=1)
    yield "late", again.browser.get(again.path).text


def of_one_time(stage: Stage) -> Iterator[Page]:
    """Yield what both see of an offer of one time, and of each of its ends."""
    browser, ada = stage.browser(), stage.signed_in()
    for n, end in enumerate(("accepted", "none", "cancel", "withdrawn", "lapsed")):
        session = stage.book(stage.at(7, 9 + n))
        offer = stage.offer(stage.at(12 + n, 9), session=session)
        link, own = stage.link(offer), f"/sessions/{session.id}"
        yield from _choices(browser, stage, offer)
        yield from _all(ada, [own, f"{own}/offer/withdraw"])
        form = {"shown": offer.alternatives[0].when.span.start.isoformat()}
        if end == "withdrawn":
            ada.post(f"{own}/offer/withdraw")
        elif end == "lapsed":
            later(stage, days=2)
            Driver(runtime=stage.runtime).carry_out(Kind.OFFER)
            ada = stage.signed_in()
        else:
            browser.post(f"{link}/{f'choose/{offer.alternatives[0].id}' if end == 'accepted' else end}", form)
        yield end, browser.get(link).text
        yield from _all(ada, [own, "/sessions"])


def of_unread(here: Desk) -> Iterator[Page]:
    """Yield what stands on pages while events of a calendar cannot be read, one for each reason, some with times."""
    begin(here)
    now = here.stage.now
    starts = (now, now + timedelta(days=1))
    with here.stage.runtime.database.begin() as db:
        found = (
            Unread(reason=reason, events=1 + n, since=now, starts=starts[: n % 3])
            for n, reason in enumerate(Unreadable)
        )
        unread.keep(db, here.calendar.id, found)
    own = f"/sessions/{here.stage.session.id}"
    yield from _all(here.ada, ["/calendars", "/sessions", own, f"{own}/time", f"{own}/offer"])
    here.stage.draft(here.stage.at(12, 9))
    yield from _all(here.ada, [f"{own}/offer/review"])


def _have_trouble(here: Desk) -> Session:
    """Have nothing go through: no reading, no writing, and no letter; return a session of which nobody was told."""
    stage, calendar, now = here.stage, here.calendar, here.stage.now
    away = Sentence("“%(host)s” could not be reached", host="503")
    with stage.runtime.database.begin() as db:
        troubles.note_read(db, calendar.id, away, kind=TroubleKind.REFUSED, now=now)
        troubles.note_write(db, calendar.id, Sentence("the calendar is full"), kind=TroubleKind.OUTAGE, now=now)
        busy.note_trouble(db, calendar.id, away)
        facts = [
            EntriesRefused(at=now, by=CLOCK, connection_id=calendar.connection_id, calendar=calendar.name, why=why)
            for why in ("the calendar is full", written(away))  # as it was stored once, and as it is
        ]
        timeline.append(db, stage.ada.id, facts)
    stage.runtime.sender = NotedMail(refusal="the mail server refused the recipient (%(code)s)")
    booked = stage.book(stage.at(3, 9))
    stage.mail()
    with stage.runtime.database.begin() as db:
        ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=now)
    return booked


def of_stops(here: Desk) -> Iterator[Page]:
    """Yield what is asked when everything has gone from a calendar."""
    begin(here)
    for day in range(5):
        here.stage.book(here.stage.at(20 + day, 9))
    here.work()
    pull(here)
    wipe(here)
    page = paused_page(here)
    yield page, here.stage.browser().get(page).text
    yield from _all(here.ada, ["/calendars", "/sessions", f"/sessions/{here.stage.session.id}"])
    here.stage.browser().post(page, {"how": "restore", "shown": ""})
    yield "goes on", here.stage.browser().get(page).text
    later(here.stage, days=40)
    yield "ended", here.stage.browser().get(page).text


def of_subscriptions(here: Desk) -> Iterator[Page]:
    """Yield what clients and practitioners see who subscribe to their sessions, before, meanwhile and afterwards."""
    stage, browser = here.stage, here.stage.browser()
    own = subscription(publishing.link_token(stage.runtime.seal, stage.session.id, stage.kim.email))
    for who, page, begin_at, form in (
        (browser, own, f"{own}/begin", {"shown": ""}),
        (here.ada, SUBSCRIPTION, SUBSCRIPTION, {"shown": "", "session_level": "2", "hold_level": "2"}),
    ):
        yield from _all(who, [page])
        who.post(begin_at, form, page=page)
        yield "subscribed", who.get(page).text
        address = str(who.get(page).text).partition("/feed/")[2].partition('"')[0]
        yield from _all(who, [page])
        who.get(f"/feed/{address}")
        yield "fetched", who.get(page).text
        who.post(f"{page}/end", page=page)
        yield from _all(who, [page])
        yield "ended", who.get(f"/feed/{address}", headers={"Accept-Language": _locale(stage)}).text


def of_deliveries(here: Desk) -> Iterator[Page]:
    """Yield what those see who look at deliveries, whatever became of them; in the language of their browser."""
    stage = here.stage
    browser, path, headers = stage.browser(), deliveries_page(stage), {"Accept-Language": _locale(stage)}
    yield "no endpoints", browser.get(path, headers=headers).text
    with hosts(stage) as endpoints:
        for query in (
            {},
            {"state": "delivered"},
            {"to": str(endpoints[1].id), "state": "failed"},
            {"state": "?"},
        ):
            yield f"deliveries {query}", browser.get(path, query_string=query, headers=headers).text
        later(stage, days=1)
        yield "too late", browser.get(path, headers=headers).text


def of_questions(here: Desk, kind: str) -> Iterator[Page]:
    """Yield what is asked about what was done in a calendar, each answer, and an end."""
    ask = {"moved": question_about_move, "replace": question_about_replacing, "deleted": question_about_deletion}[kind]
    question = ask(here)
    page, browser = page_of(here.stage, question), here.stage.browser()
    answers = [answer.value for answer in question.row.answers]
    yield from _all(browser, [page, *(f"{page}/{answer}" for answer in answers)])
    yield from _all(here.ada, ["/sessions", f"/sessions/{here.stage.session.id}"])
    browser.post(f"{page}/{answers[0]}")
    yield f"{kind} answered", browser.get(page).text
    yield from _all(here.ada, [f"/sessions/{here.stage.session.id}"])


def of_mails(here: Desk) -> Iterator[Page]:
    """Yield what clients have written, what can be decided about it, and what was."""
    stage, browser = here.stage, here.stage.browser()
    own = ["/sessions", f"/sessions/{stage.session.id}"]
    for kind in KINDS:
        mail = of_kind(stage, kind)
        page = mail_page(stage, mail)
        choices = [choice.value for choice in mail.row.choices]
        yield from _all(browser, [page, *(f"{page}/{choice}" for choice in choices)])
        yield from _all(here.ada, own)
        if choices:
            browser.post(f"{page}/{choices[-1]}")
            yield f"{kind} decided", browser.get(page).text
        later(stage, minutes=1)
    stage.book(stage.at(9, 16), client=add_client(stage, name="Noa 1", locale=_locale(stage)))
    for when in (stage.at(-2, 16), stage.at(9, 16)):
        yield from _all(browser, [mail_page(stage, wish(stage, when, vouched=False))])
    page = mail_page(stage, wish(stage, stage.at(10, 23)))
    yield from _all(browser, [page])
    browser.post(f"{page}/refuse")
    yield from _all(browser, [page])
    yield from _all(here.ada, own)
    stage.mail()


def of_refusals(here: Desk) -> Iterator[Page]:
    """Yield forms that come back with what is wrong, and what else is refused."""
    begin(here)
    offer = here.stage.offer()
    add_foreign(here, here.stage.at(9, 18))
    own = f"/sessions/{here.stage.session.id}"
    one = f"{own}/offer/{offer.alternatives[0].id}"
    agreed = {"reason": "agreed", "who": "Kim Noor", "agreed_at": "2026-03-02T09:30", "channel": "by phone"}
    time = {"date": "2026-03-20", "time": "10:00", "minutes": "50"}
    for changes in (
        {"date": ""},
        {"date": "2026-13-40"},
        {"minutes": "some"},
        {"minutes": "0"},
        {"date": "2026-03-29", "time": "02:30"},
        {"date": "2026-10-25", "time": "02:30"},
        {"date": "2026-03-01"},
        {"date": "2026-03-01", "reason": "correction"},
        {"date": "2026-03-11", "time": "18:00"},
        {"who": ""},
        {"agreed_at": "2026-03-03T09:30"},
        {"reason": ""},
    ):
        yield f"time {changes}", _posted(here, f"{own}/time", time | agreed | changes)
    yield "place", _posted(here, f"{own}/location", {"place_kind": "online", "place_text": "no link"})
    yield "no place", _posted(here, f"{own}/location", {"place_kind": "online", "place_text": ""})
    yield "reason", _posted(here, f"{own}/cancel", {"reason": "x" * 300})
    drafted = {"date-0": "2026-03-01", "time-0": "10:00", "minutes-0": "50"}
    yield "past", _posted(here, f"{own}/offer", drafted)
    yield "hours", _posted(here, f"{own}/offer", drafted | {"date-0": "2026-03-21", "hours": "many"})
    yield (
        "ticked",
        _posted(here, f"{own}/offer", {"at": "2026-03-01T09:00Z", "date-0": "2026-03-21", "minutes-0": "50"}),
    )
    yield "no box of ours", _posted(here, f"{own}/offer", {"at": "tomorrow"})
    yield "other hours", _posted(here, f"{own}/offer", {"confirm": "none"})
    yield "nothing to send", _posted(here, f"{own}/offer/send", {"offer": "another"}, page=own)
    yield "conflict", _posted(here, f"{one}/move", {"date": "2026-03-11", "time": "18:00", "minutes": "50"})
    for path in ("/nowhere", f"/sessions/{here.stage.bobs.id}"):
        yield path, here.ada.get(path).text
    yield "level", _posted(here, f"/calendars/{here.connections[0].id}/privacy", {}, page="/calendars")


class _Texts(HTMLParser):
    """What a person reads of a page, or is read to them."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, _tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in _READ and value]


def texts(page: str) -> list[str]:
    """Return every text of a page that somebody reads."""
    reader = _Texts()
    reader.feed(page)
    return [text.strip() for text in reader.texts if text.strip()]


def _all(browser: Browser, paths: Sequence[str]) -> Iterator[Page]:
    for path in paths:
        answer = browser.get(path, follow_redirects=True)
        assert answer.status_code in (200, 410), path
        yield path, answer.text


def _posted(here: Desk, path: str, form: dict[str, str], *, page: str | None = None) -> str:
    return _posted_by(here.ada, path, form, page=page)


def _posted_by(browser: Browser, path: str, form: dict[str, str] | None = None, *, page: str | None = None) -> str:
    answer = browser.post(path, form, page=page)
    return browser.get(answer.location).text if answer.status_code == 303 else answer.text


def _draft_of(here: Desk, own: str) -> str:
    return here.ada.get(f"{own}/offer/review").text.partition('name="offer" value="')[2].partition('"')[0]


def _locale(stage: Stage) -> str:
    with stage.runtime.database.read() as db:
        return str(db.execute(sa.select(clients.c.locale).limit(1)).scalar_one())


def of_away(here: Desk) -> Iterator[Page]:
    """Yield what a practitioner sees who is away: the days, the sessions in them, what is marked, all looked over."""
    begin(here)
    refresh_free_busy(here)
    stage, ada = here.stage, here.ada
    full_day(stage, 3, locale=_locale(stage))
    stage.offer(stage.at(15, 9))
    stage.draft(stage.at(16, 9))
    path = days(stage, 3, 7)
    yield from _all(ada, ["/away", "/away?from=2026-06-10", path])
    yield "no such days", ada.get("/away?from=2026-03-10&to=2026-03-09").text
    form = Form(ada.get(path)).tick("pick-0", off=True).tick("with-2", off=True)
    form.type(date_1="2026-03-19", time_1="", date_2="2026-03-19", time_2="11:00")
    yield "marked", send_form(ada, "/away/review", form).text
    form = Form(ada.get(path)).tick("with-3").tick("with-2", off=True).type(date_1="2026-03-19", time_1="11:00")
    looked_over = send_form(ada, "/away/review", form)
    yield "looked over", looked_over.text
    hand(here).add_foreign(Span.of(stage.at(17, 11).span.start, timedelta(minutes=20)))
    yield "conflict", send_form(ada, "/away/send", Form(looked_over)).text
    stage.book(stage.at(17, 11, 30))
    yield "come between", send_form(ada, "/away/send", Form(looked_over)).text
    later(stage, seconds=1)
    looked_over = send_form(ada, "/away/review", Form(ada.get(path)))
    yield "sent", ada.get(send_form(ada, "/away/send", Form(looked_over)).location).text


def of_absences(here: Desk) -> Iterator[Page]:
    """Yield what a practitioner is asked while their calendar says that they are away, and whatever comes of it."""
    begin(here)
    stage, own = here.stage, f"/sessions/{here.stage.session.id}"
    stage.book(stage.at(7, 17))
    href, absence = _away(here, stage.at(7, 15), minutes=180)
    page, browser = absence_page(stage, absence), stage.browser()
    yield from _all(browser, [page])
    yield from _all(here.ada, ["/", f"/away?absence={absence.id}", "/sessions", own])
    hand(here).delete(href)
    refresh_free_busy(here)
    here.carry_out(Kind.ABSENCE)
    yield "gone", browser.get(page).text
    for end in AbsenceEnd:
        ended = replace(absence, id=uuid4(), state=AbsenceState.ENDED, ended=end, ended_at=stage.now)
        with stage.runtime.database.begin() as db:
            absences.add(db, ended)
        yield end, browser.get(absence_page(stage, ended)).text
    for answer in AbsenceAnswer:
        stage.book(stage.at(8, 15))
        href, absence = _away(here, stage.at(8, 15))
        page = absence_page(stage, absence)
        browser.post(page, {"answer": answer.value, "calendar": str(here.calendar.id)})
        yield answer, browser.get(page).text
        yield "the same again", _posted_by(browser, page, {"answer": answer.value})
        [other] = set(AbsenceAnswer) - {answer}
        yield "too late", browser.post(page, {"answer": other.value, "calendar": str(here.calendar.id)}).text
        hand(here).delete(href)
        later(stage, days=1)
    here.ada = stage.signed_in()
    yield from _all(here.ada, [own, f"/calendars/{here.calendar.connection_id}", "/clients"])


def _away(here: Desk, when: When, *, minutes: int = 60) -> tuple[str, Absence]:
    """Have the calendar say that its owner is away, and be asked about it."""
    stage = here.stage
    later(stage, minutes=1)
    href = hand(here).add_foreign(Span.of(when.span.start, timedelta(minutes=minutes)), nature=Nature.OUT_OF_OFFICE)
    refresh_free_busy(here)
    later(stage, minutes=11)
    refresh_free_busy(here)
    here.carry_out(Kind.ABSENCE)
    with stage.runtime.database.read() as db:
        [page] = open_absences(db, stage.ada.id, now=stage.now)
    return href, page.absence


def of_people(stage: Stage) -> Iterator[Page]:
    """Yield the practitioner's pages of their clients and of themselves, and what is refused there."""
    ada, kim = stage.signed_in(), stage.kim
    own = f"/clients/{kim.id}"
    yield from _all(ada, ["/clients", "/clients/new", own, f"{own}/change"])
    for text in ("Kim Noor", "Noa 7"):
        yield f"found {text}", ada.post("/clients", {"text": text}).text
    fields = {
        "name": "Noa 7",
        "email": "noa@example.org",
        "phone": "",
        "zone": "Europe/Berlin",
        "locale": _locale(stage),
    }
    wrong = {"name": "", "email": "503", "phone": "503", "zone": "503", "locale": "503"}
    yield "nothing right", ada.post("/clients/new", wrong).text
    yield "no address", _posted_by(ada, "/clients/new", fields | {"name": "Noa 6", "email": ""})
    yield "known already", ada.post("/clients/new", fields | {"email": kim.email}).text
    yield "added", _posted_by(ada, "/clients/new", fields)
    change = fields | {"name": kim.name, "email": "kim.noor@example.org", "version": "0"}
    yield "changed meanwhile", ada.post(f"{own}/change", change).text
    yield "changed", _posted_by(ada, f"{own}/change", change | {"version": _version(ada, f"{own}/change")})
    yield "not to be retired", _posted_by(ada, f"{own}/retire", page=own)
    noa = add_client(stage, name="Noa 8", email="noa8@example.org", locale=_locale(stage))
    past = stage.book(stage.at(1, 9), client=noa)
    later(stage, days=2)
    ada = stage.signed_in()
    for act in ("retire", "unretire"):
        yield act, _posted_by(ada, f"/clients/{past.client_id}/{act}", page=f"/clients/{past.client_id}")
    yield from _of_account(ada)


def _of_account(ada: Browser) -> Iterator[Page]:
    details, hours = "/account/details", "/account/hours"
    yield from _all(ada, ["/account", details, hours])
    wrong = {"name": "", "zone": "503", "locale": "503", "buffer": "-1", "session_level": "9", "hold_level": "9"}
    yield "nothing right", ada.post(details, wrong).text
    right = {"name": "Dr. Ada Weiß", "zone": "Europe/Berlin", "buffer": "0", "session_level": "2", "hold_level": "2"}
    right |= {"locale": ada.get(details).text.partition('<html lang="')[2].partition('"')[0]}
    yield "changed meanwhile", ada.post(details, right | {"version": "503"}).text
    for buffer in ("5", "5"):
        yield "saved", _posted_by(ada, details, right | {"buffer": buffer, "version": _version(ada, details)})
    typed = {"from0-0": "09:00", "to0-0": "12:30", "version": _version(ada, hours)}
    for day in ({"from0-0": "503"}, {"from0-0": "13:00"}, {"from0-1": "10:00", "to0-1": "11:00"}, {"version": "503"}):
        yield f"hours {day}", ada.post(hours, typed | day).text
    yield "hours saved", _posted_by(ada, hours, typed)
    yield from _all(ada, [hours])
    for day in ({"day": ""}, {"day": "2026-01-05"}, {"day": "2026-12-24", "from7-0": "13:00"}):
        yield f"date {day}", ada.post(f"{hours}/dates", day | {"version": _version(ada, hours)}).text
    added = {"day": "2026-12-24", "version": _version(ada, hours)}
    yield "date saved", _posted_by(ada, f"{hours}/dates", added, page=hours)
    yield "date of another version", ada.post(f"{hours}/dates", added, page=hours).text
    yield from _all(ada, [hours])


def _version(browser: Browser, page: str) -> str:
    return str(browser.get(page).text.partition('name="version" value="')[2].partition('"')[0])


def of_booking(here: Desk) -> Iterator[Page]:
    """Yield the week and the forms by which a session is booked, with nothing, everything and much wrong in them."""
    stage, ada = here.stage, here.ada
    yield from _all(ada, ["/", "/sessions/new"])
    begin(here)
    offer = stage.offer(stage.at(7, 9), stage.at(7, 11))
    add_foreign(here, stage.at(7, 13))
    day = stage.at(7, 9).local.date().isoformat()
    own = f"/sessions/new?client={stage.kim.id}"
    yield from _all(ada, ["/", f"/?day={day}", "/?week=2026-03-23", "/?week=2026-10-19", own, f"{own}&date={day}"])
    yield "found", ada.post("/sessions/new", {"text": "Kim Noor"}).text
    yield "not found", ada.post("/sessions/new", {"text": "503"}).text
    at = {"date": day, "time": "18:00", "minutes": "50"}
    place = {"place_kind": "in_person", "place_text": "Lindenstraße 7, Berlin"}
    form = {"client": str(stage.kim.id), "kind": "followup"} | at | place
    for changes in (
        {"date": "", "place_text": "", "kind": ""},
        {"time": "13:00"},
        {"time": "09:00"},
        {"time": "15:00"},
    ):
        yield f"booking {changes}", ada.post("/sessions/new", form | changes, page=own).text
    yield "booked", ada.get(ada.post("/sessions/new", form, page=own).location).text
    yield "no such client", ada.get("/sessions/new?client=503").text
    stage.browser().post(f"{stage.link(offer)}/none", {"words": "503", "keep": "yes"})
    _have_trouble(here)
    yield from _all(ada, ["/", f"/?day={day}"])


def of_their_own(stage: Stage) -> Iterator[Page]:
    """Yield what a client sees on their own page of a session: what stands, what is offered, what has become of it."""
    stage.runtime.policy = replace(stage.runtime.policy, cancel_before=timedelta(hours=24))
    browser, own = stage.browser(), _own_page(stage, stage.session)
    yield from _all(browser, [own])
    yield "cancel", browser.get(_cancel_link(browser, own)).text
    former = stage.offer(stage.at(9, 9))
    yield from _all(browser, [own])
    answer = f"{stage.link(former)}/none"
    wish = {"words": "503", "date-0": "2026-10-25", "time-0": "02:30", "date-1": "2026-03-01", "time-1": "10:00"}
    yield "wishes that are none", browser.post(answer, wish).text
    yield "no wish", browser.post(answer, {"words": "", "keep": "yes"}).text
    yield "too long a wish", browser.post(answer, {"words": "5" * 501, "keep": "yes"}).text
    sent = browser.post(answer, {"words": "503", "keep": "yes"})
    yield "a wish is sent", browser.get(sent.location).text
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11))
    yield from _all(browser, [own])
    browser.post(f"{stage.link(offer)}/none", {"words": "503"})
    yield from _all(browser, [own, f"{stage.link(offer)}/none"])
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11))
    chosen = offer.alternatives[0]
    browser.post(f"{stage.link(offer)}/choose/{chosen.id}", {"shown": chosen.when.span.start.isoformat()})
    yield from _all(browser, [own])
    other = stage.book(stage.at(8, 9))
    page = _own_page(stage, other)
    cancel = _cancel_link(browser, page)
    yield "not as it was shown", browser.post(cancel, {"shown": ""}).text
    yield "cancelled", browser.get(browser.post(cancel, {"shown": other.when.span.start.isoformat()}).location).text
    stage.runtime.policy = replace(stage.runtime.policy, cancel_before=timedelta(days=20))
    yield "too late", browser.get(own).text
    later(stage, days=12)
    yield "over", browser.get(own).text


def _own_page(stage: Stage, session: Session) -> str:
    with stage.runtime.database.read() as db:
        client = people.client(db, session.client_id)
    token = session_links.token(stage.runtime.seal, session.id, Medium.EMAIL, reader=client.address(Medium.EMAIL))
    return mine(token)


def _cancel_link(browser: Browser, page: str) -> str:
    return browser.get(page).text.partition('class="button plain grave" href="')[2].partition('"')[0]
