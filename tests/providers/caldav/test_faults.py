"""What a network and its servers do to our writes: a scripted proxy stands before a real Radicale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Event

import pytest

from connector.domain.reconcile import Ref
from connector.errors import AccessLostError, EditConflictError, MissingError, RefusedError, TransientError
from connector.ports import Failed, Removed, UnsavedTokens
from providers._wire import LARGEST
from providers.caldav.provider import Caldav
from tests.fakes.caldav_proxy import Proxy, Reply, Request, hang_up, lose_answer, says, with_etag
from tests.fakes.servers import Server
from tests.providers.conftest import LOOPBACK, Setting
from tests.providers.contract import again, content, creation, failure, removal, written

Forward = Callable[[], Reply]

# How many requests (G1)


def test_creations_updates_and_removals_take_one_request_each(setting: Setting) -> None:
    puts = [creation(content(hours=n)) for n in range(3)]
    created = {outcome.key: outcome.ref for outcome in written(setting.calendar.apply(puts))}
    assert setting.proxy.methods() == ["PUT"] * 3
    assert {request.headers["if-none-match"] for request in setting.proxy.requests} == {"*"}
    setting.proxy.forget()
    updates = [again(put, created[put.key], content("Other", hours=n)) for n, put in enumerate(puts)]
    updated = {outcome.key: outcome.ref for outcome in written(setting.calendar.apply(updates))}
    assert setting.proxy.methods() == ["PUT"] * 3
    assert {request.headers["if-match"] for request in setting.proxy.requests} == {ref.etag for ref in created.values()}
    setting.proxy.forget()
    assert len(list(setting.calendar.apply([removal(put, updated[put.key]) for put in puts]))) == 3
    assert setting.proxy.methods() == ["DELETE"] * 3


def test_after_a_restart_the_first_update_reads_and_the_next_do_not(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    calendar = setting.reopened()
    setting.proxy.forget()
    (outcome,) = written(calendar.apply([again(put, outcome.ref, content(hours=1))]))
    (outcome,) = written(calendar.apply([again(put, outcome.ref, content(hours=2))]))
    assert setting.proxy.methods() == ["GET", "PUT", "PUT"]


def test_what_was_read_back_is_updated_in_one_request(setting: Setting) -> None:
    puts = [creation(content(hours=n)) for n in range(2)]
    refs = {outcome.key: outcome.ref for outcome in written(setting.calendar.apply(puts))}
    calendar = setting.reopened()
    setting.proxy.forget()
    calendar.read(list(refs.values()))
    written(calendar.apply([again(put, refs[put.key], content(hours=5)) for put in puts]))
    assert setting.proxy.methods() == ["REPORT", "PUT", "PUT"]


def test_no_change_is_one_request(setting: Setting) -> None:
    token = setting.calendar.changes(None).token
    setting.proxy.forget()
    setting.calendar.changes(token)
    assert setting.proxy.methods() == ["REPORT"]


def test_many_reads_are_one_request_for_each_fifty(setting: Setting) -> None:
    puts = [creation() for _ in range(60)]
    refs = [outcome.ref for outcome in written(setting.calendar.apply(puts))]
    setting.proxy.forget()
    assert all(setting.calendar.read(refs).values())
    assert setting.proxy.methods() == ["REPORT", "REPORT"]


def test_connections_are_kept_and_few(setting: Setting) -> None:
    for _ in range(3):
        written(setting.calendar.apply([creation(content(hours=n)) for n in range(6)]))
    assert setting.proxy.connections <= 4


def test_requests_are_in_flight_together_once_all_goes_well(setting: Setting) -> None:
    written(setting.calendar.apply([creation() for _ in range(16)]))
    barrier = Barrier(4)

    def meet(_: Request, forward: Forward) -> Reply:
        try:
            barrier.wait(60)
        except BrokenBarrierError:
            return Reply(500)
        return forward()

    setting.proxy.once("PUT", meet, times=4)
    written(setting.calendar.apply([creation() for _ in range(4)]))
    assert setting.proxy.busiest == 4


# Answers that are lost, late or false


def test_a_creation_whose_answer_was_lost_is_recognised_as_ours(setting: Setting) -> None:
    setting.proxy.once("PUT", lose_answer)
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert setting.proxy.methods() == ["PUT", "PUT", "GET"]
    assert setting.calendar.changes(None).changed[0].etag == outcome.ref.etag
    assert setting.owner.size() == 1


def test_an_update_whose_answer_was_lost_is_recognised_as_done(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.proxy.forget()
    setting.proxy.once("PUT", lose_answer)
    (outcome,) = written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.proxy.methods() == ["PUT", "PUT", "GET"]
    assert setting.calendar.changes(None).changed[0].etag == outcome.ref.etag


def test_a_kept_connection_that_was_dropped_is_replaced_unnoticed(setting: Setting) -> None:
    written(setting.calendar.apply([creation()]))
    setting.proxy.forget()
    setting.proxy.once("PUT", hang_up)
    written(setting.calendar.apply([creation()]))
    assert setting.proxy.methods() == ["PUT", "PUT"]


def test_a_server_that_always_hangs_up_is_unreachable_and_the_rest_is_not_tried(setting: Setting) -> None:
    setting.proxy.always("PUT", hang_up)
    outcomes = list(setting.calendar.apply([creation() for _ in range(8)]))
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, TransientError) for outcome in outcomes)
    assert len(outcomes) == 8
    assert setting.proxy.count("PUT") <= 4


def test_a_server_that_is_not_there_is_a_passing_fault(server: Server) -> None:
    provider = Caldav()
    with Proxy(server.url) as proxy:
        form = {"address": proxy.url, "username": server.username, "password": server.password}
        calendar = provider.account(UnsavedTokens(provider.connect(form, LOOPBACK)), LOOPBACK).open(
            f"{proxy.url}kim/work/"
        )
    with pytest.raises(TransientError):
        calendar.changes(None)
    assert isinstance(failure(calendar.apply([creation()])), TransientError)
    provider.close()


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_that_fails_once_fails_one_entry(setting: Setting, status: int) -> None:
    setting.proxy.once("PUT", says(status))
    puts = [creation() for _ in range(3)]
    outcomes = list(setting.calendar.apply(puts))
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert type(failed.error) is TransientError
    assert setting.owner.size() == 2


def test_a_redirected_write_is_a_refusal_and_never_a_success(setting: Setting) -> None:
    setting.proxy.once("PUT", says(302, Location=setting.proxy.url))
    assert isinstance(failure(setting.calendar.apply([creation()])), RefusedError)
    assert setting.proxy.methods() == ["PUT"]
    assert setting.owner.size() == 0


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"\x00\xff", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"])
def test_garbage_instead_of_xml_is_a_refusal(setting: Setting, body: bytes) -> None:
    setting.proxy.always("REPORT", says(207, body))
    with pytest.raises(RefusedError):
        setting.calendar.changes("sync:x")


def test_a_refused_password_is_not_shown_again(setting: Setting) -> None:
    setting.proxy.always("PUT", says(401))
    calendar = setting.reopened()
    outcomes = list(calendar.apply([creation() for _ in range(6)]))
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, AccessLostError) for outcome in outcomes)
    assert len(outcomes) == 6
    assert setting.proxy.count("PUT") == 1


@pytest.mark.parametrize("status", [400, 403, 415, 507])
def test_a_refusal_is_not_taken_for_lost_access(setting: Setting, status: int) -> None:
    setting.proxy.once("PUT", says(status))
    assert isinstance(failure(setting.calendar.apply([creation()])), RefusedError)


# Somebody else writes too


def test_an_edit_in_between_is_merged(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    href = outcome.ref.href or ""

    def edit_first(_: Request, forward: Forward) -> Reply:
        setting.owner.note(href, "mine")
        return forward()

    setting.proxy.forget()
    setting.proxy.once("PUT", edit_first)
    (outcome,) = written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.proxy.methods() == ["PUT", "GET", "PUT"]
    assert "mine" in setting.owner.text(href)


def test_a_move_in_between_is_not_written_over_by_who_knows_what_was_there(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    href = outcome.ref.href or ""

    def move_first(_: Request, forward: Forward) -> Reply:
        setting.owner.move(href, content(hours=9).span)
        return forward()

    setting.proxy.forget()
    setting.proxy.once("PUT", move_first)
    update = again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)
    assert isinstance(failure(setting.calendar.apply([update])), EditConflictError)
    assert setting.proxy.methods() == ["PUT", "GET"]
    assert "T210000Z" in setting.owner.text(href)


def test_knowing_what_was_there_costs_no_request(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.proxy.forget()
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)]))
    assert setting.proxy.methods() == ["PUT"]


def test_edits_without_end_are_a_conflict(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.proxy.always("PUT", says(412))
    assert isinstance(failure(setting.calendar.apply([again(put, outcome.ref, content(hours=1))])), EditConflictError)


def test_a_conflict_about_nothing_writes_nothing(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.proxy.forget()
    setting.proxy.once("PUT", says(412))
    (second,) = written(setting.calendar.apply([again(put, outcome.ref, put.entry.content)]))
    assert second == outcome
    assert setting.proxy.methods() == ["PUT", "GET"]


def test_a_deletion_in_between_is_told_and_nothing_comes_back(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.owner.delete(outcome.ref.href or "")
    assert isinstance(failure(setting.calendar.apply([again(put, outcome.ref, content(hours=1))])), MissingError)
    assert setting.owner.size() == 0


def test_a_server_that_creates_where_an_update_was_meant_is_set_right(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.proxy.once("PUT", lambda _, forward: replace(forward(), status=204))
    (outcome,) = written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    setting.owner.delete(outcome.ref.href or "")

    def careless(request: Request, _: Forward) -> Reply:
        request.headers.pop("if-match", None)
        return replace(setting.proxy.pass_on(request), status=201)

    setting.proxy.once("PUT", careless)
    assert isinstance(failure(setting.calendar.apply([again(put, outcome.ref, content(hours=2))])), MissingError)
    assert setting.owner.size() == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, b""),
        (412, b""),
        (403, b'<e:error xmlns:e="DAV:"><c:no-uid-conflict xmlns:c="urn:ietf:params:xml:ns:caldav"/></e:error>'),
    ],
)
def test_a_name_that_is_taken_and_yet_not_there_is_spent(setting: Setting, status: int, body: bytes) -> None:
    setting.proxy.once("PUT", says(status, body))
    assert isinstance(failure(setting.calendar.apply([creation()])), MissingError)


def test_a_foreign_event_at_our_address_is_left_alone(setting: Setting) -> None:
    setting.owner.add(content().span)
    (foreign,) = setting.calendar.changes(None).changed
    put = creation()
    stolen = again(put, Ref(name=put.ref.name, href=foreign.href, etag=foreign.etag), content(hours=1))
    before = setting.owner.text(foreign.href)
    assert isinstance(failure(setting.calendar.apply([stolen])), RefusedError)
    assert setting.owner.text(foreign.href) == before


# ETags


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_missing_or_weak_etag_is_asked_for(setting: Setting, etag: str | None) -> None:
    setting.proxy.once("PUT", with_etag(etag))
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert setting.proxy.methods() == ["PUT", "PROPFIND"]
    assert outcome.ref.etag == setting.calendar.changes(None).changed[0].etag
    setting.proxy.forget()
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert setting.proxy.methods() == ["GET", "PUT"]  # the server may have altered what we sent


def test_a_server_that_knows_no_strong_etag_is_still_written_to(setting: Setting) -> None:
    setting.proxy.always("PUT", with_etag(None))
    setting.proxy.always("GET", with_etag('W/"x"'))
    setting.proxy.always("PROPFIND", says(500))
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert outcome.ref.etag is None
    setting.proxy.always("PROPFIND", says(500))
    outcomes = list(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert isinstance(failure(outcomes), TransientError)


def test_an_event_the_server_put_elsewhere_is_found_there(setting: Setting) -> None:
    def elsewhere(request: Request, _: Forward) -> Reply:
        place = request.path.replace(".ics", "-moved.ics")
        reply = setting.proxy.pass_on(replace(request, path=place))
        return replace(reply, status=201, headers={**reply.headers, "Location": place})

    setting.proxy.once("PUT", elsewhere)
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert (outcome.ref.href or "").endswith("-moved.ics")
    (outcome,) = written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert list(setting.calendar.apply([removal(put, outcome.ref)])) == [Removed(key=put.key)]
    assert setting.owner.size() == 0


# Crowds


def test_a_locked_collection_slows_down_and_loses_nothing(setting: Setting) -> None:
    written(setting.calendar.apply([creation() for _ in range(12)]))
    setting.proxy.once("PUT", says(423), times=2)
    setting.proxy.forget()
    written(setting.calendar.apply([creation() for _ in range(12)]))
    assert setting.proxy.count("PUT") == 14
    assert setting.owner.size() == 24


def test_a_refusal_that_lands_after_its_company_has_gone_is_still_due_to_it(setting: Setting) -> None:
    written(setting.calendar.apply([creation()]))
    second_came, first_gone = Event(), Event()

    def done(_: Request, forward: Forward) -> Reply:
        second_came.wait(60)
        return forward()

    def late(_: Request, __: Forward) -> Reply:
        second_came.set()
        first_gone.wait(60)
        return Reply(429)

    setting.proxy.once("PUT", done)
    setting.proxy.once("PUT", late)
    landed = []
    for outcome in setting.calendar.apply([creation(), creation()]):
        landed.append(outcome)
        first_gone.set()
    assert len(written(landed)) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_without_our_doing_is_left_alone(setting: Setting, status: int) -> None:
    setting.proxy.always("PUT", says(status))
    assert isinstance(failure(setting.calendar.apply([creation()])), TransientError)
    assert setting.proxy.count("PUT") == 1


def test_a_lock_held_by_somebody_else_is_waited_for_by_asking_again_a_few_times(setting: Setting) -> None:
    setting.proxy.once("PUT", says(423), times=2)
    written(setting.calendar.apply([creation()]))
    setting.proxy.always("PUT", says(423))
    setting.proxy.forget()
    assert isinstance(failure(setting.calendar.apply([creation()])), TransientError)
    assert setting.proxy.count("PUT") == 4


def test_the_writes_of_one_entry_keep_their_order_even_when_the_first_must_be_repeated(setting: Setting) -> None:
    setting.proxy.once("PUT", says(423))
    put = creation()
    later = again(put, put.ref, content(hours=9))
    written(setting.calendar.apply([put, later, creation(), creation()]))
    sighting = setting.calendar.read([put.ref])[put.ref.name]
    assert sighting
    assert sighting.content == content(hours=9)


@pytest.mark.parametrize(("status", "wait"), [(429, "120"), (503, "120")])
def test_a_server_that_asks_for_a_pause_gets_it(setting: Setting, status: int, wait: str) -> None:
    setting.proxy.always("PUT", says(status, Retry_After=wait))
    outcomes = list(setting.calendar.apply([creation() for _ in range(9)]))
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert len(errors) == 9
    assert all(isinstance(error, TransientError) and error.retry_after == timedelta(minutes=2) for error in errors)
    assert setting.proxy.count("PUT") <= 2


def test_a_pause_until_a_date_is_counted_from_the_servers_own_clock(setting: Setting) -> None:
    until = says(503, Date="Sun, 22 Nov 2026 10:00:00 GMT", Retry_After="Sun, 22 Nov 2026 10:01:30 GMT")
    setting.proxy.once("PUT", until)
    error = failure(setting.calendar.apply([creation()]))
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=90)


# A collection that one answer cannot hold


CUT = (
    b'<multistatus xmlns="DAV:"><response><href>/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>'
    b"</multistatus>"
)


@pytest.mark.parametrize("answer", [b" " * (LARGEST + 1), CUT])
def test_a_collection_that_one_answer_cannot_hold_is_listed_in_pieces(setting: Setting, answer: bytes) -> None:
    puts = [creation(content(hours=n)) for n in range(12)]
    names = {outcome.ref.name for outcome in written(setting.calendar.apply(puts))}
    setting.proxy.forget()
    setting.proxy.once("REPORT", says(207, answer))
    listed = setting.calendar.listing(content(hours=-1).span.start)
    assert {one.name for one in listed} == names
    assert all(one.sighting.content is not None for one in listed)
    assert setting.proxy.methods() == ["REPORT"] * 4, "all of it, the addresses, ten events, two events"


def test_pieces_that_are_too_large_are_halved_and_one_event_that_is_is_left_out(setting: Setting) -> None:
    refs = [outcome.ref for outcome in written(setting.calendar.apply([creation(content(hours=n)) for n in range(4)]))]
    large = (refs[0].href or "").rpartition("/")[2].encode()

    def too_much(request: Request, forward: Forward) -> Reply:
        is_large = b"calendar-query" in request.body and b"calendar-data" in request.body
        return Reply(207, {}, b" " * (LARGEST + 1)) if is_large or large in request.body else forward()

    def too_much_alone(request: Request, forward: Forward) -> Reply:
        return Reply(200, {}, b" " * (LARGEST + 1)) if large in request.path.encode() else forward()

    setting.proxy.always("REPORT", too_much)
    setting.proxy.always("GET", too_much_alone)
    listed = setting.calendar.listing(content(hours=-1).span.start)
    assert {one.name for one in listed} == {ref.name for ref in refs[1:]}


# What others have made of an event of ours


def test_a_long_note_in_an_event_of_ours_stays(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert outcome.ref.href
    note = "DESCRIPTION:" + "word " * 70_000 + "\nATTACH:https://files.example.org/plan.pdf"
    setting.owner.rewrite(outcome.ref.href, ("END:VEVENT", f"{note}\nEND:VEVENT"))
    (outcome,) = written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert outcome.ref.href
    unfolded = setting.owner.text(outcome.ref.href).replace("\r\n ", "")
    assert unfolded.count("word ") == 70_000
    assert "plan.pdf" in unfolded
    sighting = setting.calendar.read([outcome.ref])[outcome.ref.name]
    assert sighting
    assert sighting.content == content(hours=1)


def test_an_event_of_ours_that_cannot_be_changed_without_loss_is_left_alone(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert outcome.ref.href
    torn = setting.owner.text(outcome.ref.href).replace("END:VEVENT", "DESCRIPTION:a long story").encode()
    update = again(put, replace(outcome.ref, etag='"former"'), content(hours=1))
    setting.proxy.forget()
    setting.proxy.once("GET", says(200, torn, ETag='"torn"'))
    assert isinstance(failure(setting.calendar.apply([update])), RefusedError)
    assert setting.proxy.count("PUT") == 0
