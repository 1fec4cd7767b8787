"""A practitioner who is away: every session in that time, one look at all of it, one act that sends all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
import sqlalchemy as sa

from connector.domain.away import MOST_SESSIONS
from connector.domain.facts import Attestation
from connector.domain.offer import Offer, OfferState
from connector.domain.session import Edit, Session
from connector.domain.span import Span, When
from connector.services.scheduling import answers, sessions
from connector.storage import offers
from connector.storage.tables import clients, practitioners
from tests.counting import statements
from tests.web.absences import absence_of
from tests.web.away import Form, days, full_day, send_form
from tests.web.desk import Desk, lose
from tests.web.remote_changes import begin, hand, refresh_free_busy
from tests.web.stage import Browser, Stage

KB = 1000


def open_offer(stage: Stage, session: Session) -> Offer | None:
    with stage.runtime.database.read() as db:
        return offers.in_state(db, session.id, OfferState.OPEN)


def reviewed(ada: Browser, path: str) -> Form:
    """Choose what is suggested, and look over it."""
    page = send_form(ada, "/away/review", Form(ada.get(path)))
    assert page.status_code == 200, page.text
    return Form(page)


def test_a_day_with_five_sessions_is_rearranged_in_three_steps(stage: Stage) -> None:
    booked = full_day(stage)
    ada = stage.signed_in()
    before = stage.everything()
    plan = ada.get(days(stage, 3))
    looked_over = send_form(ada, "/away/review", Form(plan))
    assert (plan.status_code, looked_over.status_code) == (200, 200)
    assert "Send all 5 offers" in looked_over.text
    assert stage.everything() == before
    sent = send_form(ada, "/away/send", Form(looked_over))
    assert sent.status_code == 303
    assert "5 offers are sent." in ada.get(sent.location).text
    spans = []
    for _client, session in booked:
        offer = open_offer(stage, session)
        assert offer is not None
        assert len(offer.standing) == 3
        spans += [alternative.when.span for alternative in offer.standing]
    assert not any(one.overlaps(other) for one, other in combinations(spans, 2))
    assert not any(stage.at(3, 0).local.date() == span.start.date() for span in spans)


def test_pressing_send_twice_sends_once(stage: Stage) -> None:
    full_day(stage, 2)
    ada = stage.signed_in()
    form = reviewed(ada, days(stage, 3))
    send_form(ada, "/away/send", form)
    before = stage.everything()
    assert send_form(ada, "/away/send", form).status_code == 303
    assert stage.everything() == before


@pytest.mark.parametrize("what", ["taken", "moved", "cancelled", "offered"])
def test_nothing_is_sent_if_anything_has_come_between_and_the_page_shows_what(stage: Stage, what: str) -> None:
    booked = full_day(stage, 3)
    session = booked[1][1]
    ada = stage.signed_in()
    form = reviewed(ada, days(stage, 3))
    lost = next(field.value for field in form.fields if field.name == "pick-1")
    _come_between(stage, what, session, lost)
    before = stage.everything()
    refused = send_form(ada, "/away/send", form)
    assert refused.status_code == 409
    assert stage.everything() == before
    assert "Nothing was sent, and nobody was told anything." in refused.text
    told = {
        "taken": "is not free any more",
        "moved": "This session has been moved meanwhile.",
        "cancelled": "This session has been cancelled meanwhile.",
        "offered": "Other times have been offered for this session meanwhile.",
    }[what]
    assert refused.text.count(told) == 1
    assert refused.text.count('id="wrong-') == 1
    assert ("New suggestion" in refused.text) is (what == "taken")
    again = Form(refused)
    n = again.row(session)
    assert (n is None) is (what == "cancelled")
    if what == "taken":
        assert lost not in again.picks(1)
        assert len(again.picks(1)) == 3
    elif n is not None:  # it is left as it is, and the others are sent
        again.tick(f"with-{n}", off=True)
    looked_over = send_form(ada, "/away/review", again)
    assert looked_over.status_code == 200
    assert send_form(ada, "/away/send", Form(looked_over)).status_code == 303
    assert all(open_offer(stage, one) for one in (booked[0][1], booked[2][1]))


def _come_between(stage: Stage, what: str, session: Session, lost: str) -> None:
    """Have something happen to a session, or to the first of the times that are chosen for it."""
    policy, by, now = stage.runtime.policy, stage.by, stage.now
    attested = Attestation(who="Noa", at=now, channel="by phone")
    if what == "taken":
        start = datetime.fromtimestamp(int(lost.partition(".")[0]), UTC)
        stage.book(When.of(Span.of(start, timedelta(minutes=50)), zone=session.when.zone))
    elif what == "offered":
        stage.offer(stage.at(30, 9), session=session)
    with stage.runtime.database.begin() as db:
        if what == "moved":
            edit = Edit(when=stage.at(20, 9), attestation=attested)
            sessions.edit(db, policy, session.id, edit, by=by, now=now)
        elif what == "cancelled":
            sessions.cancel(db, policy, session.id, by=by, now=now)


def test_an_open_offer_is_replaced_only_if_that_is_ticked(stage: Stage) -> None:
    booked = full_day(stage, 2)
    former = stage.offer(stage.at(15, 9), session=booked[0][1])
    ada = stage.signed_in()
    plan = ada.get(days(stage, 3))
    assert "Replace that offer: its link can change nothing any more" in plan.text
    form = Form(send_form(ada, "/away/review", Form(plan)))
    assert send_form(ada, "/away/send", form).status_code == 303
    assert open_offer(stage, booked[0][1]) == former
    again = Form(ada.get(days(stage, 3))).tick("with-0")
    looked_over = send_form(ada, "/away/review", again)
    assert "The offer that is open now is replaced" in looked_over.text
    assert send_form(ada, "/away/send", Form(looked_over)).status_code == 303
    assert stage.stored(former).state is OfferState.REPLACED


def test_an_answer_that_comes_between_is_never_replaced(stage: Stage) -> None:
    session = stage.session
    offer = stage.offer()
    ada = stage.signed_in()
    looked_over = send_form(ada, "/away/review", Form(ada.get(days(stage, 7))).tick("with-0"))
    with stage.runtime.database.begin() as db:
        answers.reject(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)
    refused = send_form(ada, "/away/send", Form(looked_over))
    assert refused.status_code == 409
    assert "The offer that was open for this session has ended meanwhile" in refused.text
    assert open_offer(stage, session) is None


def test_a_session_can_be_left_out_and_another_time_given(stage: Stage) -> None:
    booked = full_day(stage, 2)
    ada = stage.signed_in()
    form = Form(ada.get(days(stage, 3))).tick("with-0", off=True).tick("pick-1", off=True)
    form.type(date_1="2026-03-20", time_1="11:00")
    looked_over = send_form(ada, "/away/review", form)
    assert "1 session stays as it is." in looked_over.text
    changed = send_form(ada, "/away/change", Form(looked_over))
    assert Form(changed).data.keys() >= {"with-1", "pick-1"}
    assert "with-0" not in Form(changed).data
    send_form(ada, "/away/send", Form(looked_over))
    offer = open_offer(stage, booked[1][1])
    assert offer is not None
    assert [alternative.when for alternative in offer.standing] == [stage.at(18, 11)]
    assert open_offer(stage, booked[0][1]) is None


def test_all_that_is_wrong_is_said_at_once_each_at_its_session(stage: Stage) -> None:
    full_day(stage, 4)
    ada = stage.signed_in()
    form = Form(ada.get(days(stage, 3)))
    form.tick("pick-0", off=True)
    form.type(date_1="2026-03-20", time_1="", date_2="2026-03-20", time_2="11:00", date_3="2026-03-29", time_3="02:30")
    form.tick("with-2", off=True)
    refused = send_form(ada, "/away/review", form)
    assert refused.status_code == 422
    assert "Choose a time here, or leave this session as it is." in refused.text
    assert "Give both a date and a time." in refused.text
    assert "A time is given here, but the box above is not ticked." in refused.text
    assert "does not exist" in refused.text
    assert refused.text.count("autofocus") == 1
    assert 'name="date-1" value="2026-03-20"' in refused.text


def test_a_length_that_was_typed_stays_when_the_page_comes_back(stage: Stage) -> None:
    full_day(stage, 2)
    ada = stage.signed_in()
    form = Form(ada.get(days(stage, 3))).type(date_0="2026-03-20", minutes_0="35", minutes_1="20")
    refused = Form(send_form(ada, "/away/review", form))
    assert (refused.data["minutes-0"], refused.data["minutes-1"]) == (["35"], ["20"])


def test_nothing_is_ticked_on_the_page_that_follows_a_sending(stage: Stage) -> None:
    full_day(stage, 3)
    ada = stage.signed_in()
    form = Form(ada.get(days(stage, 3))).tick("with-1", off=True)
    sent = send_form(ada, "/away/send", Form(send_form(ada, "/away/review", form)))
    page = Form(ada.get(sent.location))
    assert len([name for name in page.data if name.startswith("shown-")]) == 3
    assert not [name for name in page.data if name.startswith("with-")]


def test_two_clients_are_never_offered_the_same_time(stage: Stage) -> None:
    full_day(stage, 2)
    ada = stage.signed_in()
    form = Form(ada.get(days(stage, 3)))
    form.type(date_0="2026-03-20", time_0="11:00", date_1="2026-03-20", time_1="11:30")
    refused = send_form(ada, "/away/review", form)
    assert refused.status_code == 422
    assert "runs into a time that you offer Noa 1 here" in refused.text


def test_who_cannot_be_reached_is_said_and_does_not_keep_the_others(stage: Stage) -> None:
    booked = full_day(stage, 2)
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(clients).where(clients.c.id == booked[0][0].id).values(email=""))
    ada = stage.signed_in()
    plan = ada.get(days(stage, 3))
    assert "Noa 0 cannot be reached from here" in plan.text
    looked_over = send_form(ada, "/away/review", Form(plan))
    assert send_form(ada, "/away/send", Form(looked_over)).status_code == 303
    assert open_offer(stage, booked[1][1])


def test_a_calendar_that_lets_nobody_in_is_said_before_and_nothing_is_sent(there: Desk) -> None:
    stage = there.stage
    begin(there)
    refresh_free_busy(there)
    full_day(stage, 2)
    lose(there)
    plan = there.ada.get(days(stage, 3))
    assert "no longer lets Pencilled in" in plan.text
    looked_over = send_form(there.ada, "/away/review", Form(plan))
    assert 'class="send" disabled' in looked_over.text
    before = stage.everything()["offers"]
    assert send_form(there.ada, "/away/send", Form(looked_over)).status_code == 409
    assert stage.everything()["offers"] == before


def test_what_stands_in_a_calendar_meanwhile_is_said_and_accepted_with_a_box(there: Desk) -> None:
    stage = there.stage
    begin(there)
    refresh_free_busy(there)
    booked = full_day(stage, 2)
    form = Form(there.ada.get(days(stage, 3))).tick("pick-0", off=True).tick("with-1", off=True)
    form.type(date_0="2026-03-20", time_0="11:00")
    looked_over = send_form(there.ada, "/away/review", form)
    assert "despite-0" not in looked_over.text
    hand(there).add_foreign(stage.at(18, 11).span)
    refused = send_form(there.ada, "/away/send", Form(looked_over))
    assert refused.status_code == 409
    assert "Something stands in “work” at this time already" in refused.text
    assert send_form(there.ada, "/away/send", Form(refused)).status_code == 409, "the box is not ticked by itself"
    assert send_form(there.ada, "/away/send", Form(refused).tick("despite-0")).status_code == 303
    assert open_offer(stage, booked[0][1])
    page = there.ada.get(f"/sessions/{booked[0][1].id}").text
    assert "knowing that something stands there in “work”" in page


def test_the_page_asks_which_days_and_says_what_is_wrong_with_them(stage: Stage) -> None:
    ada = stage.signed_in()
    assert "Show the sessions" in ada.get("/away").text
    for query, words in (
        ("from=2026-03-10&to=2026-03-09", "lies before the first one"),
        ("from=2026-02-01&to=2026-02-02", "These days are over."),
        ("from=2026-03-10&to=2026-06-09", "at most 60 days"),
        ("from=soon", "such as 2026-03-31"),
        ("to=9999-12-31", "such as 2026-03-31"),
    ):
        refused = ada.get(f"/away?{query}")
        assert refused.status_code == 422, query
        assert words in refused.text
    assert "There is nothing to rearrange." in ada.get("/away?from=2026-03-03").text


def test_a_form_that_nobody_was_shown_is_refused(stage: Stage) -> None:
    ada = stage.signed_in()
    full_day(stage, 1)
    form = Form(ada.get(days(stage, 3)))
    shown = form.data["shown-0"][0]
    theirs = shown.replace(shown.partition(".")[0], stage.bobs.id.hex)
    assert send_form(ada, "/away/review", form, **{"shown-0": theirs}).status_code == 404
    for broken in ("x", shown.replace(".", "", 1), f"{shown.split('.')[0]}.9999999999999.1."):
        assert send_form(ada, "/away/review", form, **{"shown-0": broken}).status_code == 422
    assert send_form(ada, "/away/review", form, **{"shown-1": shown}).status_code == 422
    now, day = int(stage.now.timestamp()), 24 * 60 * 60
    for pick in (
        "1.2.3",
        "0.3600",
        f"{now}.{now + 59}",
        f"{now}.{now + day + 1}",
        f"{now}.4133980800",
        "\u0661.\u0662",
    ):
        assert send_form(ada, "/away/review", form, **{"pick-0": pick}).status_code == 422, pick


def test_it_costs_as_many_statements_whatever_there_is_and_a_full_page_stays_small(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(practitioners).values(locale="de"))
    full_day(stage, 1)
    ada = stage.signed_in()

    def cost() -> tuple[int, int]:
        path = days(stage, 3, 6)
        ada.get(path)
        with statements() as of_plan:
            plan = ada.get(path)
        with statements() as of_review:
            looked_over = send_form(ada, "/away/review", Form(plan))
        assert (plan.status_code, looked_over.status_code) == (200, 200)
        assert max(len(plan.data), len(looked_over.data)) < 50 * KB
        return len(of_plan), len(of_review)

    before = cost()
    assert "/away/further" not in ada.get(days(stage, 3, 6)).text
    full_day(stage, 7, days=4)
    full_day(stage, 8, days=5)
    full_day(stage, 8, days=6)
    stage.book(stage.at(3, 10))
    stage.book(stage.at(3, 11))
    assert cost() == before
    assert max(before) <= 40
    full = ada.get(days(stage, 3, 6)).text
    assert full.count("shown-") == MOST_SESSIONS
    assert "liegt noch 1 Termin" in full or "liegen noch" in full
    page = ada.get(days(stage, 3, 6))
    with statements() as of_next:
        following = send_form(ada, "/away/further", Form(page).tick("with-0", off=True))
    assert following.status_code == 200
    assert len(following.data) < 50 * KB
    assert len(of_next) <= max(before) + 2


def test_of_many_sessions_each_is_reached_and_nothing_that_was_chosen_is_lost(stage: Stage) -> None:
    booked = [session for day in range(3, 7) for _client, session in full_day(stage, 8, days=day)]
    ada = stage.signed_in()
    page = ada.get(days(stage, 3, 6))
    assert "7 more sessions lie in this time." in page.text
    form = Form(page)
    full = send_form(ada, "/away/further", form)
    assert full.status_code == 422
    assert "no more fit in one go" in full.text

    for n in range(MOST_SESSIONS):
        form.tick(f"with-{n}", off=n != 4).tick(f"pick-{n}", n=0, off=n == 4)
    form.type(date_7="2026-03-27", time_7="11:15", minutes_7="35")
    ticked, typed, picks = form.data["shown-4"][0], form.data["shown-7"][0], form.picks(4)
    following = Form(send_form(ada, "/away/further", form))
    rows = {value: name.removeprefix("shown-") for name, [value] in following.rows()}
    assert len(rows) == MOST_SESSIONS
    assert {one.id.hex for one in booked} == {
        value.partition(".")[0] for _, [value] in [*form.rows(), *following.rows()]
    }
    assert [name for name in following.data if name.startswith("with-")] == [f"with-{rows[ticked]}"]
    assert following.picks(int(rows[ticked])) == picks
    fields = [following.data[f"{name}-{rows[typed]}"] for name in ("date", "time", "minutes")]
    assert fields == [["2026-03-27"], ["11:15"], ["35"]]
    assert send_form(ada, "/away/further", form, after="1.2").status_code == 422

    with stage.runtime.database.begin() as db:  # where an absence names them all, the next ones come all the same
        absence = absence_of(db, stage.ada.id, booked, now=stage.now)
    first = Form(ada.get(f"/away?absence={absence.id}"))
    for name in [one for one in first.data if one.startswith("with-")]:
        first.tick(name, off=True)
    following = Form(send_form(ada, "/away/further", first))
    seen = {value.partition(".")[0] for _, [value] in [*first.rows(), *following.rows()]}
    assert seen == {one.id.hex for one in booked}

    with stage.runtime.database.begin() as db:  # those that an absence names come first, and they alone are ticked
        absence = absence_of(db, stage.ada.id, [booked[0], booked[-1]], now=stage.now)
    about = Form(ada.get(f"/away?absence={absence.id}"))
    boxes = {name for name in about.data if name.startswith("with-")}
    assert boxes == {f"with-{about.row(one)}" for one in (booked[0], booked[-1])}


def test_the_days_of_an_absence_are_told_as_people_write_them(stage: Stage) -> None:
    page = stage.signed_in().get("/away?from=2026-03-05&to=2026-03-09").text
    assert "<strong>Thursday, 5 March 2026 to Monday, 9 March 2026</strong>" in page
