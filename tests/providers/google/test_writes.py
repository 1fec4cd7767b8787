"""Google's writes when something goes wrong: nothing twice, nothing lost, and nobody asked too soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest

from connector.domain.reconcile import Ref
from connector.errors import (
    AccessLostError,
    EditConflictError,
    InstallationError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.ports import Failed, Outcome, Removed, Written
from providers.google.provider import Google as Provider
from tests.fakes._google_store import refusal
from tests.fakes._google_wire import Reply, Request
from tests.fakes.google import Script, Throttle, after, answers, as_usual, hang_up, lose_answer, says
from tests.providers.contract import again, content, creation, failure, removal, written
from tests.providers.google.setting import Setting, signed_in

INSERT, PATCH, GET, DELETE = "events.insert", "events.patch", "events.get", "events.delete"


@pytest.fixture
def setting() -> Iterator[Setting]:
    with signed_in() as setting:
        yield setting


def errors(outcomes: list[Outcome]) -> list[type[ProviderError]]:
    return [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)]


def href(ref: Ref) -> str:
    assert ref.href
    return ref.href


# Answers that are lost


@pytest.mark.parametrize("script", [lose_answer, hang_up], ids=["done", "not done"])
def test_a_connection_that_breaks_once_is_replaced_unnoticed(setting: Setting, script: Script) -> None:
    setting.fake.once(INSERT, script)
    written(setting.calendar.apply([creation()]))
    assert setting.hand.size() == 1


def test_a_creation_whose_answer_is_lost_is_there_once_after_another_try(setting: Setting) -> None:
    setting.fake.once(INSERT, lose_answer, times=2)
    put = creation()
    assert isinstance(failure(setting.calendar.apply([put])), TransientError)
    assert setting.hand.size() == 1
    written(setting.calendar.apply([put]))
    assert setting.hand.size() == 1


def test_a_change_whose_answer_is_lost_is_found_done(setting: Setting) -> None:
    put = creation()
    (first,) = written(setting.calendar.apply([put]))
    setting.fake.once(PATCH, lose_answer, times=2)
    update = again(put, first.ref, content(hours=2))
    assert isinstance(failure(setting.calendar.apply([update])), TransientError)
    setting.fake.forget()
    (second,) = written(setting.calendar.apply([update]))
    assert second.ref.etag == setting.remote.events[href(first.ref)]["etag"]
    assert setting.fake.count() == {PATCH: 1, GET: 1}


def test_a_batch_whose_answer_is_lost_is_done_once(setting: Setting) -> None:
    setting.fake.once("batch", lose_answer, times=2)
    puts = [creation(content(hours=n)) for n in range(3)]
    assert len(errors(list(setting.calendar.apply(puts)))) == 3
    written(setting.calendar.apply(puts))
    assert setting.hand.size() == 3


def test_a_removal_whose_answer_is_lost_is_done(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.once(DELETE, lose_answer)
    assert list(setting.calendar.apply([removal(put, outcome.ref)])) == [Removed(key=put.key)]


# Ids that are spent


def test_an_id_whose_event_was_deleted_is_spent_and_another_one_does(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.hand.delete(href(outcome.ref))
    assert isinstance(failure(setting.calendar.apply([put])), MissingError)
    assert setting.hand.size() == 0
    written(setting.calendar.apply([again(put, replace(creation().ref, generation=2), content())]))
    assert setting.hand.size() == 1


def test_an_id_stays_spent_when_the_tombstone_is_gone(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.hand.delete(href(outcome.ref))
    setting.remote.purge(href(outcome.ref))
    assert isinstance(failure(setting.calendar.apply([put])), MissingError)
    assert setting.calendar.read([outcome.ref]) == {put.ref.name: None}


def test_an_event_of_somebody_else_under_our_id_is_left_alone(setting: Setting) -> None:
    put = creation()
    setting.hand.add(content().span, id=put.ref.name.replace("-", ""))
    assert isinstance(failure(setting.calendar.apply([put])), RefusedError)
    assert setting.fake.count()[PATCH] == 0


def test_a_tombstone_that_refuses_every_change_is_a_deleted_event(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.hand.delete(href(outcome.ref))
    known = replace(outcome.ref, etag=setting.remote.events[href(outcome.ref)]["etag"])
    assert isinstance(failure(setting.calendar.apply([again(put, known, content(hours=1))])), MissingError)


def test_a_change_that_is_forbidden_while_the_event_stands_is_refused(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.once(PATCH, says(403, "forbidden"))
    assert isinstance(failure(setting.calendar.apply([again(put, outcome.ref, content(hours=1))])), RefusedError)


def test_an_event_google_loses_sight_of_for_a_moment_is_not_created_twice(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.once(PATCH, says(404, "notFound"))
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.hand.size() == 1


def test_a_calendar_that_disappears_is_not_taken_for_deleted_events(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.remote.roles.clear()
    assert isinstance(failure(setting.calendar.apply([again(put, outcome.ref, content(hours=1))])), RefusedError)
    with pytest.raises(RefusedError, match="calendar itself"):
        setting.calendar.read([outcome.ref])
    with pytest.raises(MissingError):
        setting.calendar.changes(None)
    with pytest.raises(MissingError):
        setting.calendar.busy(content().span)
    assert list(setting.calendar.apply([removal(put, outcome.ref)])) == [Removed(key=put.key)]


# Somebody else writes


def test_an_edit_under_our_hands_is_read_and_kept(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.once(PATCH, after(lambda: setting.hand.note(href(outcome.ref), "mine")), times=2)
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.remote.events[href(outcome.ref)]["description"] == "mine"


def test_an_edit_met_in_a_batch_is_kept_and_the_others_are_not_asked_again(setting: Setting) -> None:
    puts = [creation(content(hours=n)) for n in range(3)]
    refs = {outcome.key: outcome.ref for outcome in written(setting.calendar.apply(puts))}
    setting.hand.note(href(refs[puts[1].key]), "mine")
    setting.fake.forget()
    written(setting.calendar.apply([again(put, refs[put.key], content(hours=n + 4)) for n, put in enumerate(puts)]))
    assert setting.fake.count() == {PATCH: 4, GET: 1}
    assert len(setting.fake.requests) == 3
    assert setting.remote.events[href(refs[puts[1].key])]["description"] == "mine"


def test_a_move_under_our_hands_is_not_written_over_by_who_knows_what_was_there(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.once(PATCH, after(lambda: setting.hand.move(href(outcome.ref), content(hours=9).span)))
    setting.fake.forget()
    update = again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)
    assert isinstance(failure(setting.calendar.apply([update])), EditConflictError)
    assert setting.fake.count() == {PATCH: 1, GET: 1}


def test_knowing_what_was_there_costs_no_request(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.forget()
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)]))
    assert setting.fake.count() == {PATCH: 1}


def test_edits_without_end_are_a_conflict(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.always(PATCH, after(lambda: setting.hand.note(href(outcome.ref), "mine")))
    assert isinstance(failure(setting.calendar.apply([again(put, outcome.ref, content(hours=1))])), EditConflictError)
    assert setting.fake.count()[PATCH] == 3


def test_writes_of_one_entry_keep_their_order(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    updates = [again(put, outcome.ref, content(hours=n), over=content(hours=n - 1).fingerprint) for n in (1, 2, 3)]
    written(setting.calendar.apply([*updates, creation(content(hours=9))]))
    sighting = setting.calendar.read([outcome.ref])[put.ref.name]
    assert sighting
    assert sighting.content == content(hours=3)


# What a refusal means

MEANINGS = [
    (400, "invalid", RefusedError),
    (401, "authError", AccessLostError),
    (403, "insufficientPermissions", AccessLostError),
    (403, "forbidden", RefusedError),
    (403, "requiredAccessLevel", RefusedError),
    (403, "accessNotConfigured", InstallationError),
    (403, "rateLimitExceeded", TransientError),
    (403, "userRateLimitExceeded", TransientError),
    (403, "quotaExceeded", TransientError),
    (404, "notFound", RefusedError),
    (408, "timeout", TransientError),
    (429, "rateLimitExceeded", TransientError),
    (500, "backendError", TransientError),
    (502, "badGateway", TransientError),
    (503, "backendError", TransientError),
]


@pytest.mark.parametrize(("status", "reason", "kind"), MEANINGS)
def test_every_refusal_has_its_meaning(setting: Setting, status: int, reason: str, kind: type[ProviderError]) -> None:
    setting.fake.always(INSERT, says(status, reason))
    assert type(failure(setting.calendar.apply([creation()]))) is kind


@pytest.mark.parametrize(("status", "reason", "kind"), MEANINGS)
def test_a_part_of_a_batch_fails_alone(setting: Setting, status: int, reason: str, kind: type[ProviderError]) -> None:
    puts = [creation(content(hours=n)) for n in range(4)]

    def one_of_them(request: Request, forward: Callable[[], Reply]) -> Reply:
        return refusal(status, reason) if request.object["id"] == puts[1].ref.name.replace("-", "") else forward()

    setting.fake.always(INSERT, one_of_them)
    outcomes = {outcome.key: outcome for outcome in setting.calendar.apply(puts)}
    assert [isinstance(outcomes[put.key], Written) for put in puts] == [True, False, True, True]
    assert errors(list(outcomes.values())) == [kind]
    setting.fake.as_ever()
    setting.clock.advance(timedelta(hours=1))
    written(setting.calendar.apply([puts[1]]))
    assert setting.hand.size() == 4


def test_a_project_without_the_api_is_the_operators_to_mend(setting: Setting) -> None:
    setting.fake.once(INSERT, says(403, "accessNotConfigured"))
    assert "not enabled" in str(failure(setting.calendar.apply([creation()])))


def test_reasons_are_found_in_the_newer_form_of_errors_too(setting: Setting) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]
    body = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED", "details": details}}
    setting.fake.once(INSERT, answers(403, body))
    assert isinstance(failure(setting.calendar.apply([creation()])), AccessLostError)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"\xff\xfe", b"[1]", b'"text"', b"{}", b'{"id": 7, "etag": []}', b'{"id": "x"}'],
)
def test_an_answer_that_cannot_be_read_is_asked_for_again(setting: Setting, body: bytes) -> None:
    setting.fake.once(INSERT, answers(200, body))
    put = creation()
    assert isinstance(failure(setting.calendar.apply([put])), TransientError)
    written(setting.calendar.apply([put]))
    assert setting.hand.size() == 1


@pytest.mark.parametrize("body", [b"<html>", b"null", b'{"error": "broken"}', b'{"error": {"errors": [7]}}'])
def test_a_refusal_that_cannot_be_read_goes_by_its_status(setting: Setting, body: bytes) -> None:
    setting.fake.once(INSERT, answers(400, body))
    assert isinstance(failure(setting.calendar.apply([creation()])), RefusedError)
    setting.fake.once(INSERT, answers(503, body))
    assert isinstance(failure(setting.calendar.apply([creation()])), TransientError)


@pytest.mark.parametrize("kind", ["application/json", "multipart/mixed; boundary=x", "nonsense"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"--x\r\n\r\nwhat\r\n--x--", b"--x\r\nContent-ID: 1\r\n\r\n\r\n--x--\r\n"]
)
def test_a_batch_that_cannot_be_read_is_asked_for_again(setting: Setting, kind: str, body: bytes) -> None:
    setting.fake.once("batch", answers(200, body, Content_Type=kind))
    puts = [creation(content(hours=n)) for n in range(3)]
    assert errors(list(setting.calendar.apply(puts))) == [TransientError] * 3
    written(setting.calendar.apply(puts))


def test_a_batch_that_is_refused_as_a_whole_fails_as_a_whole(setting: Setting) -> None:
    setting.fake.once("batch", says(503, "backendError"))
    puts = [creation(content(hours=n / 4)) for n in range(60)]
    assert errors(list(setting.calendar.apply(puts))) == [TransientError] * 60
    assert len(setting.fake.requests) == 1


def test_a_redirect_is_not_followed(setting: Setting) -> None:
    setting.fake.once(INSERT, answers(302, None, Location=setting.network.apps["google"].urls["api"]))
    assert isinstance(failure(setting.calendar.apply([creation()])), TransientError)
    assert len(setting.fake.requests) == 1


# Being asked to wait


def test_nothing_is_sent_before_the_time_google_named(setting: Setting) -> None:
    setting.fake.once(INSERT, says(429, "rateLimitExceeded", retry_after=7))
    error = failure(setting.calendar.apply([creation()]))
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=7)
    setting.clock.advance(timedelta(seconds=3))
    error = failure(setting.calendar.apply([creation()]))
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=4)
    assert len(setting.fake.requests) == 1
    setting.clock.advance(timedelta(seconds=4))
    written(setting.calendar.apply([creation()]))


def test_a_wait_may_be_named_by_a_date(setting: Setting) -> None:
    date = "Mon, 23 Nov 2026 09:00:30 GMT"
    setting.fake.once(INSERT, answers(503, {}, Retry_After=date))
    error = failure(setting.calendar.apply([creation()]))
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("value", ["soon", "-5", "99999999999999999999", ""])
def test_a_wait_that_makes_no_sense_holds_nothing_up_for_ever(setting: Setting, value: str) -> None:
    setting.fake.once(INSERT, answers(503, {}, Retry_After=value))
    error = failure(setting.calendar.apply([creation()]))
    assert isinstance(error, TransientError)
    assert error.retry_after is None or error.retry_after <= timedelta(days=1)


def test_an_account_that_is_blocked_is_left_alone_for_an_hour(setting: Setting) -> None:
    setting.fake.once(INSERT, says(403, "quotaExceeded", retry_after=5))
    error = failure(setting.calendar.apply([creation()]))
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(hours=1)
    setting.clock.advance(timedelta(minutes=59))
    with pytest.raises(TransientError):
        setting.calendar.changes(None)
    assert len(setting.fake.requests) == 1


def test_what_was_turned_away_stops_what_is_still_waiting(setting: Setting) -> None:
    setting.fake.once(INSERT, says(429, "rateLimitExceeded"))
    outcomes = list(setting.calendar.apply([creation(content(hours=n / 4)) for n in range(120)]))
    assert len(setting.fake.requests) == 1
    assert errors(outcomes) == [TransientError] * 71
    assert setting.hand.size() == 49


def test_every_third_call_turned_away_ends_with_everything_done_and_nobody_early(setting: Setting) -> None:
    setting.fake.throttle = Throttle(every=3, retry_after=11)
    left = {put.key: put for put in (creation(content(hours=n / 4)) for n in range(30))}
    for _ in range(40):
        waits = []
        for outcome in setting.calendar.apply(list(left.values())):
            if isinstance(outcome, Failed):
                assert isinstance(outcome.error, TransientError)
                waits.append(outcome.error.retry_after)
            else:
                del left[outcome.key]
        if not left:
            break
        list(setting.calendar.apply([removal(creation(), creation().ref)]))  # held back, not sent
        setting.clock.advance(max(wait for wait in waits if wait))
    assert left == {}
    assert setting.hand.size() == 30
    assert setting.fake.early == []


# The network


def test_a_google_that_cannot_be_reached_is_tried_once(setting: Setting) -> None:
    calendar = setting.calendar
    setting.fake.always("any", hang_up)
    outcomes = list(calendar.apply([creation(content(hours=n / 4)) for n in range(120)]))
    assert len(errors(outcomes)) == 120
    assert all(issubclass(kind, TransientError) for kind in errors(outcomes))
    assert len(setting.fake.requests) == 2


def test_a_google_that_does_not_answer_is_given_up_on() -> None:
    with signed_in() as setting:
        silent = Event()
        setting.fake.once(INSERT, after(silent.wait))
        impatient = Provider(clock=setting.clock, timeout=timedelta(seconds=0.2))
        calendar = impatient.account(setting.tokens, setting.network).open(setting.remote.id)
        try:
            assert isinstance(failure(calendar.apply([creation()])), TransientError)
        finally:
            silent.set()
            impatient.close()


def test_sixteen_threads_write_side_by_side(setting: Setting) -> None:
    setting.calendar.changes(None)

    def work(n: int) -> None:
        puts = [creation(content(hours=n)) for _ in range(3)]
        found = {outcome.key: outcome.ref for outcome in written(setting.calendar.apply(puts))}
        (moved,) = written(setting.calendar.apply([again(puts[0], found[puts[0].key], content(hours=n + 0.5))]))
        assert setting.calendar.read([moved.ref])
        list(setting.calendar.apply([removal(put, found[put.key]) for put in puts[1:]]))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(48)))
    assert setting.hand.size() == 48
    assert setting.fake.connections <= 2 + 16 + 1


def test_what_worked_before_goes_on_after_a_connection_was_closed(setting: Setting) -> None:
    written(setting.calendar.apply([creation()]))
    setting.fake.hang_up()
    written(setting.calendar.apply([creation(), creation()]))
    setting.fake.once(INSERT, as_usual)
    written(setting.calendar.apply([creation()]))
    assert setting.hand.size() == 4
