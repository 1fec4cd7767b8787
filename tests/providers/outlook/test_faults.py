"""What goes wrong between us and Outlook, and what we make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.entry import Showing
from connector.domain.reconcile import Ref
from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.ports import Failed, Removed, Written
from providers.outlook.calendar import OutlookCalendar
from providers.outlook.provider import Outlook
from tests.fakes.graph import Reply, Script, hang_up, lose_answer, says
from tests.providers.contract import DAY, again, content, creation, failure, removal, written
from tests.providers.outlook.setting import Setting, outlook

EVENTS, EVENT, BATCH = "/events$", "/events/[^/]+$", r"/\$batch$"


@pytest.fixture
def setting() -> Iterator[Setting]:
    with outlook() as setting:
        yield setting


@pytest.fixture
def calendar(setting: Setting) -> OutlookCalendar:
    return setting.calendar()


# Creating again what was created before


def test_a_creation_whose_answer_is_lost_is_repeated_and_makes_one_event(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    setting.graph.once("POST", EVENTS, lose_answer)
    written(calendar.apply([creation()]))
    assert setting.hand.size() == 1


def test_a_creation_whose_answers_are_all_lost_is_adopted_later(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.once("POST", EVENTS, lose_answer, times=2)
    put = creation()
    assert isinstance(failure(calendar.apply([put])), TransientError)
    setting.graph.forget()
    (outcome,) = written(setting.calendar().apply([put]))
    assert setting.graph.methods() == ["POST"]
    assert list(setting.mailbox.events) == [outcome.ref.href]


def test_a_batch_whose_answer_is_lost_is_adopted_later(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.once("POST", BATCH, lose_answer, times=2)
    puts = [creation(content(hours=n)) for n in range(3)]
    outcomes = list(calendar.apply(puts))
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, TransientError) for outcome in outcomes)
    assert len(written(calendar.apply(puts))) == 3
    assert setting.hand.size() == 3


@pytest.mark.parametrize("search", ["works", "lags", "fails"])
@pytest.mark.parametrize("duplicates", [(409, True), (400, True), (409, False), (400, False)])
def test_a_spent_transaction_id_leads_to_its_event(
    setting: Setting, calendar: OutlookCalendar, duplicates: tuple[int, bool], search: str
) -> None:
    setting.mailbox.strict, setting.mailbox.duplicates = True, duplicates
    setting.mailbox.search = search  # type: ignore[assignment]
    setting.mailbox.page_size = 2
    for hours in range(5):
        setting.hand.add(content(hours=hours).span)
    put = creation()
    (first,) = written(calendar.apply([put]))
    (second,) = written(setting.calendar().apply([put]))
    assert second == first
    assert setting.hand.size() == 6


@pytest.mark.parametrize("search", ["works", "lags", "fails"])
@pytest.mark.parametrize("duplicates", [(409, True), (400, False)])
def test_a_spent_transaction_id_whose_event_was_deleted_needs_a_new_generation(
    setting: Setting, calendar: OutlookCalendar, duplicates: tuple[int, bool], search: str
) -> None:
    setting.mailbox.duplicates, setting.mailbox.search = duplicates, search  # type: ignore[assignment]
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.hand.delete(outcome.ref.href or "")
    assert isinstance(failure(calendar.apply([put])), MissingError)
    written(calendar.apply([again(put, Ref(name="another", generation=2), content())]))


@pytest.mark.parametrize("search", ["works", "lags", "fails"])
def test_an_event_whose_id_was_never_learned_is_read_and_removed_all_the_same(
    setting: Setting, calendar: OutlookCalendar, search: str
) -> None:
    setting.mailbox.search = search  # type: ignore[assignment]
    put, other = creation(), creation(content(hours=3))
    written(calendar.apply([put, other]))
    sighting = calendar.read([put.ref])[put.ref.name]
    assert sighting
    assert sighting.content == put.entry.content
    removals = [removal(put, put.ref), removal(other, other.ref)]
    assert all(isinstance(outcome, Removed) for outcome in calendar.apply(removals))
    assert setting.hand.size() == 0


# Writing over somebody else


def test_a_refusal_for_no_reason_is_looked_into_and_the_write_repeated(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.mailbox.spurious = 1
    setting.graph.forget()
    written(calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.graph.methods() == ["PATCH", "GET", "PATCH"]


def test_a_move_in_between_is_not_written_over_by_who_knows_what_was_there(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.mailbox.meanwhile.append(lambda: setting.hand.move(outcome.ref.href or "", content(hours=9).span))
    setting.graph.forget()
    update = again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)
    assert isinstance(failure(calendar.apply([update])), EditConflictError)
    assert setting.graph.methods() == ["PATCH", "GET"]


def test_knowing_what_was_there_costs_no_request(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.graph.forget()
    written(calendar.apply([again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)]))
    assert setting.graph.methods() == ["PATCH"]


def test_a_title_that_outlook_tidied_is_nobodys_change(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation(content(" Hold:  K. ", location="Room  2"))
    (outcome,) = written(calendar.apply([put]))
    setting.mailbox.touch(outcome.ref.href or "", subject="Hold: K.", location={"displayName": "Room 2"})
    later = content(" Hold:  K. ", hours=1, location="Room  2")
    written(calendar.apply([again(put, outcome.ref, later, over=put.entry.content.fingerprint)]))


def test_a_title_that_outlook_tidied_is_rewritten_like_one_that_nobody_touched(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    put = creation(content(" Hold:  K. "))
    (outcome,) = written(calendar.apply([put]))
    setting.mailbox.touch(outcome.ref.href or "", subject="Hold: K.")
    renamed = content("Session: K.")
    written(calendar.apply([again(put, outcome.ref, renamed, over=put.entry.content.fingerprint)]))
    sighting = calendar.read([outcome.ref])[put.ref.name]
    assert sighting
    assert sighting.content == renamed


def test_which_kind_of_busy_an_adopted_event_is_is_read_before_it_is_judged(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    """The answer to a repeated creation does not tell a firm hold from a session."""
    put = creation(content(showing=Showing.FIRM))
    (outcome,) = written(calendar.apply([put]))
    setting.hand.move(outcome.ref.href or "", content(hours=9).span)
    sighting = calendar.read([outcome.ref])[put.ref.name]
    assert sighting
    assert sighting.content
    assert isinstance(failure(calendar.apply([replace(put, over="")])), EditConflictError)
    (again_there,) = written(calendar.apply([replace(put, over=sighting.content.fingerprint)]))
    restored = calendar.read([again_there.ref])[put.ref.name]
    assert restored
    assert restored.content == put.entry.content


def test_refusals_without_end_are_a_conflict_after_a_few(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.mailbox.spurious = 99
    setting.graph.forget()
    assert isinstance(failure(calendar.apply([again(put, outcome.ref, content(hours=1))])), EditConflictError)
    assert setting.graph.methods().count("PATCH") == 4
    setting.mailbox.spurious = 0


def test_an_edit_in_between_keeps_its_note(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    href = outcome.ref.href or ""
    setting.mailbox.meanwhile.append(lambda: setting.hand.note(href, "mine"))
    written(calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.hand.text(href) == "mine"


def test_an_update_whose_answer_is_lost_is_found_done(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.graph.once("PATCH", EVENT, lose_answer)
    setting.graph.forget()
    written(calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.graph.methods() == ["PATCH", "PATCH", "GET"]


def test_a_removal_whose_answer_is_lost_is_done(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.graph.once("DELETE", EVENT, lose_answer)
    assert list(calendar.apply([removal(put, outcome.ref)])) == [Removed(key=put.key)]


def test_an_event_deleted_while_it_is_changed_is_missing(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    setting.mailbox.spurious = 1
    setting.mailbox.meanwhile.append(lambda: setting.hand.delete(outcome.ref.href or ""))
    assert isinstance(failure(calendar.apply([again(put, outcome.ref, content(hours=1))])), MissingError)


def test_what_was_never_created_in_a_calendar_that_is_gone_is_removed(setting: Setting) -> None:
    put = creation()
    gone = setting.account().open("AQMkNowhere=")
    assert list(gone.apply([removal(put, put.ref)])) == [Removed(key=put.key)]


# Being told to wait


def test_a_throttled_part_of_a_batch_waits_alone_and_nothing_is_asked_early(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    puts = [creation(content(hours=n)) for n in range(4)]
    setting.graph.once("POST", EVENTS, says(429, "ApplicationThrottled", Retry_After="30"))
    outcomes = list(calendar.apply(puts))
    assert sum(isinstance(outcome, Written) for outcome in outcomes) == 3
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert isinstance(failed.error, TransientError)
    assert failed.error.retry_after == timedelta(seconds=30)
    setting.graph.forget()
    error = failure(calendar.apply([next(put for put in puts if put.key == failed.key)]))
    assert isinstance(error, TransientError)
    assert setting.graph.requests == []
    setting.ticks.now += 31
    written(calendar.apply([next(put for put in puts if put.key == failed.key)]))


def test_a_part_turned_away_for_no_named_time_is_asked_again_by_itself(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    setting.graph.once("POST", EVENTS, says(429, "MailboxConcurrency"), times=2)
    assert len(written(calendar.apply([creation(content(hours=n)) for n in range(5)]))) == 5
    assert setting.graph.methods() == ["BATCH", "POST", "POST"]


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_named_wait_is_told_and_stops_the_rest(setting: Setting, calendar: OutlookCalendar, status: int) -> None:
    setting.graph.once("POST", BATCH, says(status, "TooManyRequests", Retry_After="12"))
    outcomes = list(calendar.apply([creation(content(hours=n)) for n in range(45)]))
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert len(errors) == 45
    assert all(isinstance(error, TransientError) and error.retry_after == timedelta(seconds=12) for error in errors)
    assert setting.graph.methods() == ["BATCH"]


def test_a_wait_given_as_a_date_is_understood(setting: Setting, calendar: OutlookCalendar) -> None:
    said = says(503, "x", Retry_After="Sun, 22 Nov 2026 10:01:00 GMT", Date="Sun, 22 Nov 2026 10:00:00 GMT")
    setting.graph.once("GET", "/calendarView$", said)
    with pytest.raises(TransientError) as caught:
        calendar.busy(DAY)
    assert caught.value.retry_after == timedelta(minutes=1)


def test_with_every_third_operation_throttled_all_is_written_and_no_call_comes_early(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    setting.graph.throttle = 3
    waiting = [creation(content(hours=n)) for n in range(30)]
    for _ in range(30):
        outcomes = list(calendar.apply(waiting))
        failed = {outcome.key: outcome.error for outcome in outcomes if isinstance(outcome, Failed)}
        waits = [e.retry_after for e in failed.values() if isinstance(e, TransientError) and e.retry_after]
        waiting = [put for put in waiting if put.key in failed]
        if not waiting:
            break
        setting.ticks.now += max(waits, default=timedelta()).total_seconds()
    assert waiting == []
    assert setting.hand.size() == 30
    assert setting.graph.early == []


# What the answers mean


@pytest.mark.parametrize(
    "said",
    [
        says(404, body="<html>no such page</html>"),
        says(404, "ErrorNonExistentMailbox"),
        says(404, "MailboxNotEnabledForRESTAPI"),
        says(404, "ResourceNotFound"),
        says(410, "Gone"),
        says(403, "ErrorAccessDenied"),
    ],
)
def test_what_could_not_be_read_is_never_taken_for_deleted(
    setting: Setting, calendar: OutlookCalendar, said: Script
) -> None:
    refs = [outcome.ref for outcome in written(calendar.apply([creation(), creation()]))]
    setting.graph.once("GET", EVENT, said, times=3)
    for some in (refs[:1], refs):
        with pytest.raises((TransientError, RefusedError)):
            calendar.read(some)
    put = creation()
    setting.graph.once("DELETE", EVENT, said)
    assert isinstance(failure(calendar.apply([removal(put, refs[0])])), TransientError | RefusedError)


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "ErrorInvalidRequest", RefusedError),
        (400, "TimeZoneNotSupportedException", RefusedError),
        (403, "ErrorAccessDenied", RefusedError),
        (404, "ErrorItemNotFound", MissingError),
        (404, "MailboxNotEnabledForRESTAPI", RefusedError),
        (409, "ErrorIrresolvableConflict", EditConflictError),
        (404, "ErrorNonExistentMailbox", TransientError),
        (410, "ErrorItemNotFound", MissingError),
        (423, "ErrorMailboxMoveInProgress", TransientError),
        (429, "TooManyRequests", TransientError),
        (500, "ErrorInternalServerError", TransientError),
        (502, "BadGateway", TransientError),
        (503, "ErrorMailboxStoreUnavailable", TransientError),
        (504, "GatewayTimeout", TransientError),
        (507, "ErrorQuotaExceeded", RefusedError),
        (302, "Moved", RefusedError),
        (418, "Teapot", RefusedError),
    ],
)
def test_each_refusal_of_an_update_is_told_as_what_it_is(
    setting: Setting, calendar: OutlookCalendar, status: int, code: str, meaning: type[ProviderError]
) -> None:
    put = creation(content(location="Room 2"))
    (outcome,) = written(calendar.apply([put]))
    headers = {"Location": "http://127.0.0.1:9/elsewhere"} if status == 302 else {}
    setting.graph.once("PATCH", EVENT, says(status, code, **headers), times=9)
    error = failure(calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert isinstance(error, meaning)
    assert "Hold" not in str(error)


@pytest.mark.parametrize(
    "body",
    [b"<html>Sign in</html>", [], {"value": "x"}, {"id": 7}, {"id": "A"}, b'{"id": "A"', b"\xff\xfe", b"", {}],
)
def test_an_answer_without_sense_is_no_success_and_no_crash(
    setting: Setting, calendar: OutlookCalendar, body: object
) -> None:
    said = lambda _, __: Reply(200, body)  # noqa: E731 - a script
    setting.graph.once("POST", EVENTS, said)
    setting.graph.once("POST", BATCH, said)
    setting.graph.once("GET", "/calendarView/delta$", said)
    setting.graph.once("GET", "/calendarView$", said)
    setting.graph.once("GET", EVENT, said)
    put = creation()
    assert isinstance(failure(calendar.apply([put])), TransientError)
    assert all(isinstance(outcome, Failed) for outcome in calendar.apply([creation(), creation()]))
    with pytest.raises(TransientError):
        calendar.changes(None)
    with pytest.raises(TransientError):
        calendar.busy(DAY)
    with pytest.raises(TransientError):
        calendar.read([replace(put.ref, href="AAkA=")])
    written(calendar.apply([put]))
    assert setting.hand.size() == 1


def test_a_part_of_a_batch_without_an_answer_is_not_done(setting: Setting, calendar: OutlookCalendar) -> None:
    def forgetful(_: object, forward: object) -> Reply:
        reply: Reply = forward()  # type: ignore[operator]
        del reply.body["responses"][0]
        return reply

    setting.graph.once("POST", BATCH, forgetful)
    puts = [creation(content(hours=n)) for n in range(3)]
    outcomes = list(calendar.apply(puts))
    assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [TransientError]
    assert len(written(calendar.apply(puts))) == 3
    assert setting.hand.size() == 3


def test_what_waited_for_something_that_failed_is_tried_later(setting: Setting, calendar: OutlookCalendar) -> None:
    put = creation()
    setting.graph.once("POST", EVENTS, says(403, "ErrorAccessDenied"))
    outcomes = list(calendar.apply([put, again(put, put.ref, content(hours=1))]))
    assert {type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)} == {
        RefusedError,
        TransientError,
    }


def test_a_service_that_is_gone_stops_everything_at_once(setting: Setting, calendar: OutlookCalendar) -> None:
    calendar.changes(None)
    setting.graph.stop()
    outcomes = list(calendar.apply([creation(content(hours=n)) for n in range(45)]))
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert len(errors) == 45
    assert len({id(error) for error in errors}) == 1
    assert isinstance(errors[0], TransientError)


def test_a_provider_that_was_closed_opens_again(setting: Setting) -> None:
    provider = Outlook(clock=setting.clock, monotonic=setting.ticks)
    for _ in range(2):
        assert provider.account(setting.kept, setting.graph.network).calendars()
        provider.close()


def test_a_connection_that_broke_while_idle_is_replaced(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.once("GET", "/calendarView$", hang_up)
    assert calendar.busy(DAY).times == []


# Losing access


def test_a_token_refused_once_is_replaced_and_nobody_notices(setting: Setting, calendar: OutlookCalendar) -> None:
    calendar.changes(None)
    setting.graph.entra.forget_access()
    written(calendar.apply([creation()]))
    assert setting.graph.entra.refreshes == 1


def test_a_token_refused_again_is_lost_access_and_stops_the_rest(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.once("POST", BATCH, says(401, "InvalidAuthenticationToken"), times=2)
    outcomes = list(calendar.apply([creation(content(hours=n)) for n in range(45)]))
    assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [AccessLostError] * 45
    assert setting.graph.methods() == ["BATCH"] * 2


def test_access_lost_while_a_write_is_looked_into_spares_the_others(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    puts = [creation(content(hours=n)) for n in range(3)]
    refs = {outcome.key: outcome.ref for outcome in written(calendar.apply(puts))}
    setting.mailbox.spurious = 2
    setting.graph.once("GET", EVENT, says(401, "InvalidAuthenticationToken"), times=2)
    setting.graph.forget()
    outcomes = list(calendar.apply([again(put, refs[put.key], content(hours=9)) for put in puts]))
    assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [AccessLostError] * 2
    assert isinstance(outcomes[0], Written)
    assert setting.graph.methods() == ["BATCH", "GET", "GET"]


def test_a_token_that_runs_out_inside_a_batch_is_replaced(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.once("POST", EVENTS, says(401, "InvalidAuthenticationToken"), times=2)
    assert len(written(calendar.apply([creation(content(hours=n)) for n in range(3)]))) == 3
    assert setting.hand.size() == 3


def test_a_revoked_grant_is_lost_access_everywhere(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.entra.revoke()
    assert isinstance(failure(calendar.apply([creation()])), AccessLostError)
    for ask in (lambda: calendar.changes(None), lambda: calendar.busy(DAY), lambda: setting.account().calendars()):
        with pytest.raises(AccessLostError):
            ask()
