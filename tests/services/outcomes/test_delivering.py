"""What happens arrives at hosts: signed, in order, at least once, and whatever fails there delays nobody else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from connector.domain.notice import NoticeKind
from connector.domain.outcomes import OutcomeType
from connector.errors import NotFoundError, RuleError
from connector.services import standstill, upkeep
from connector.services.outcomes import delivering, endpoints
from connector.services.outcomes.delivering import PAUSES
from connector.storage import outcomes, tables
from connector.storage.ledger import Kind
from connector.storage.outcomes import DeliveryState
from tests.domain.examples import KIM, PRACTICE, when
from tests.fakes.dripping import HEADERS, Dripping
from tests.fakes.outcome_host import WAIT_SECONDS, OutcomeHost
from tests.services.outcomes.telling import INNER, Telling
from tests.services.practice import SEAL, KeptLetters, Practice

SESSIONS = [type_ for type_ in OutcomeType if type_.startswith("session.")]


def test_a_session_that_is_booked_is_told_signed_and_without_a_word_of_its_client(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    endpoint = telling.add(types=SESSIONS)
    session = practice.book()
    assert [ending.how for ending in telling.deliver()] == ["done"]
    [received] = host.received
    assert received.said == {
        "id": received.id,
        "type": "session.booked",
        "timestamp": received.said["timestamp"],
        "data": {
            "occurred_at": received.said["timestamp"],
            "actor": "practitioner",
            "cause": None,
            "reason": None,
            "practitioner_id": str(practice.kim.id),
            "practitioner_external_id": None,
            "client_id": str(practice.alex.id),
            "client_external_id": None,
            "session_id": str(session.id),
            "session_external_id": None,
            "revision": 0,
            "offer_id": None,
            "offer_external_id": None,
            "connection_id": None,
            "connection_external_id": None,
            "time": {
                "start": session.when.span.start.astimezone(ZoneInfo(session.when.zone)).isoformat(),
                "end": session.when.span.end.astimezone(ZoneInfo(session.when.zone)).isoformat(),
                "zone": session.when.zone,
            },
        },
    }
    assert received.headers["content-type"] == "application/json"
    assert received.is_signed_by(telling.secrets[endpoint.id])
    assert not replace(received, body=received.body.replace(b"booked", b"moved!")).is_signed_by(
        telling.secrets[endpoint.id]
    )
    for word in (practice.alex.name, practice.alex.email, PRACTICE.text, practice.kim.name, practice.kim.email):
        assert word.encode() not in received.body
    [delivery] = telling.deliveries()
    assert (delivery.state, delivery.attempts, delivery.status) == (DeliveryState.DELIVERED, 1, 204)
    assert telling.deliver() == []


def test_nothing_is_made_while_there_is_no_endpoint(practice: Practice, telling: Telling, host: OutcomeHost) -> None:
    practice.book()
    with practice.database.read() as db:
        assert outcomes.feed(db, after=(0, 0), limit=10) == []
    assert telling.deliver() == []
    telling.add()
    assert telling.deliver() == []
    assert host.received == []


def test_an_endpoint_gets_the_types_and_the_practitioner_that_it_wants(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    other = Practice(practice.database, runtime=practice.runtime)
    moves = telling.add(types=[OutcomeType.SESSION_MOVED])
    own = telling.add(of=practice.kim.id, types=SESSIONS)
    practice.move(practice.book(), when(72))
    other.book()
    telling.deliver()
    assert len(telling.deliveries(moves)) == 1
    assert len(telling.deliveries(own)) == 2
    assert sorted(host.types) == ["session.booked", "session.moved", "session.moved"]


def test_what_happens_to_one_session_arrives_in_its_order_and_a_failure_keeps_the_rest_waiting(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    telling.add(types=SESSIONS)
    first, other = practice.book(), practice.book(500)
    host.next = [500]
    telling.deliver()
    practice.move(first, when(72))
    practice.cancel(first)
    telling.deliver()
    practice.wait(seconds=11)
    telling.deliver()
    about = {one.id: str(one.said["data"]["session_id"]) for one in host.received}
    [failed] = {host.received[0].said["data"]["session_id"]}
    whole = ["session.booked", "session.moved", "session.cancelled"]
    for session, wanted in ((first, whole), (other, whole[:1])):
        told = [one.type for one in host.received if about[one.id] == str(session.id)]
        assert told == (wanted[:1] + wanted if failed == str(session.id) else wanted)
    again = [one for one in host.received if one.id == host.received[0].id]
    assert len(again) == 2
    assert again[0].body == again[1].body


def test_the_pauses_grow_to_six_hours_and_after_three_days_the_endpoint_is_disabled_and_the_operator_told(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    practice.policy = replace(practice.policy, operator="operator@example.org")
    endpoint = telling.add(types=SESSIONS)
    host.status = 500
    session = practice.book()
    begun, tried = practice.now, [0.0]
    telling.deliver()
    while telling.now(endpoint).is_enabled:
        [delivery] = telling.deliveries()
        assert delivery.next_at is not None
        practice.now = delivery.next_at + timedelta(seconds=6)  # the ledger may add some
        telling.deliver()
        tried.append((practice.now - begun).total_seconds())
    pauses = [after - before for before, after in pairwise(tried)]
    wanted = [pause.total_seconds() for pause in PAUSES]
    for pause, least in zip(pauses, wanted, strict=False):
        assert least <= pause <= least + 12
    assert max(pauses) <= 6 * 3600 + 12
    assert timedelta(days=3) <= practice.now - begun <= timedelta(days=3, hours=7)
    ended = telling.now(endpoint)
    assert (ended.disabled_why, ended.failing_since) == (endpoints.FAILING, begun)
    practice.mail()
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    [letter] = [one for one in sender.letters if one.notice.kind is NoticeKind.ENDPOINT_DISABLED]
    assert (letter.notice.about, letter.notice.reason) == ("127.0.0.1", "failing")
    many = len(host.received)
    practice.cancel(session)
    practice.wait(hours=24)
    telling.deliver()
    assert len(host.received) == many
    host.status = 200
    with practice.database.begin() as db:
        endpoints.enable(db, endpoint.id, now=practice.now)
    telling.deliver()
    assert host.types[many:] == ["session.booked", "session.cancelled"]


def test_an_endpoint_that_is_gone_is_disabled_at_once(practice: Practice, telling: Telling, host: OutcomeHost) -> None:
    endpoint = telling.add(types=SESSIONS)
    host.status = 410
    practice.book()
    assert [ending.how for ending in telling.deliver()] == ["done"]
    assert telling.now(endpoint).disabled_why == endpoints.GONE
    practice.book(500)
    assert telling.deliver() == []
    assert len(host.received) == 1
    with practice.database.begin() as db, pytest.raises(RuleError, match="disabled"):
        endpoints.test(db, endpoint.id, by=KIM, now=practice.now)


def test_one_that_an_endpoint_never_takes_is_given_up_after_three_days_and_the_rest_goes_on(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    endpoint = telling.add(types=SESSIONS)
    bad = practice.book()
    good = practice.book(500)

    def refuse_bad(request: BaseHTTPRequestHandler) -> None:
        is_bad = host.received[-1].type == "session.booked" and host.received[-1].said["data"]["session_id"] == str(
            bad.id
        )
        request.send_response(400 if is_bad else 200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    host.answer = refuse_bad
    practice.cancel(bad)
    for day in range(14):
        telling.deliver()
        practice.wait(hours=6, seconds=20)
        practice.move(good, when(501 + day))
    telling.deliver()
    assert telling.now(endpoint).is_enabled
    states = {one.state for one in telling.deliveries()}
    assert states == {DeliveryState.DELIVERED, DeliveryState.FAILED}
    assert host.types.count("session.cancelled") == 1


def test_a_host_that_asks_us_to_wait_is_left_alone_until_then_for_all_its_outcomes(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    endpoint = telling.add(types=SESSIONS)
    host.next, host.headers = [429], {"Retry-After": "600"}
    practice.book()
    telling.deliver()
    practice.book(500)
    practice.wait(seconds=300)
    telling.deliver()
    assert len(host.received) == 1
    host.headers = {}
    practice.wait(seconds=301)
    telling.deliver()
    assert len(host.received) == 3
    assert telling.now(endpoint).not_before is None
    host.next, host.headers = [503], {"Retry-After": "99999999"}
    practice.book(600)
    telling.deliver()
    assert telling.now(endpoint).not_before == practice.now + delivering.WAIT_LONGEST


def test_a_success_brings_forward_what_waits_for_the_same_endpoint(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    telling.add(types=SESSIONS)
    host.status = 500
    practice.book()
    for pause in PAUSES[:5]:
        telling.deliver()
        practice.wait(seconds=pause.total_seconds() + 11)
    telling.deliver()  # the next attempt would be in six hours
    host.status = 200
    practice.book(500)
    telling.deliver()
    assert {one.state for one in telling.deliveries()} == {DeliveryState.DELIVERED}


def _huge(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    try:
        for _ in range(20_000):
            request.wfile.write(b"x" * 10_000)
    except OSError:
        pass


def test_of_a_huge_answer_the_status_counts_and_little_is_read(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    host.answer = _huge
    telling.add(types=SESSIONS)
    practice.book()
    telling.deliver()
    assert [one.state for one in telling.deliveries()] == [DeliveryState.DELIVERED]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(
    practice: Practice, telling: Telling, host: OutcomeHost, status: int
) -> None:
    with OutcomeHost() as elsewhere:
        host.status, host.headers = status, {"Location": elsewhere.url}
        telling.add(types=SESSIONS)
        practice.book()
        assert [ending.how for ending in telling.deliver()] == ["postponed"]
        assert elsewhere.received == []
    [delivery] = telling.deliveries()
    assert (delivery.status, str(delivery.error)) == (
        status,
        f"it answers with a redirect ({status}), and none is followed",
    )


def test_a_host_that_drips_a_line_at_a_time_is_ended_in_time(practice: Practice, host: OutcomeHost) -> None:
    telling = Telling(practice, host, timeout=timedelta(seconds=0.5))
    with Dripping(HEADERS) as dripping:
        telling.add(dripping.url, types=SESSIONS)
        practice.book()
        assert [ending.how for ending in telling.deliver()] == ["postponed"]
    [delivery] = telling.deliveries()
    assert (delivery.status, str(delivery.error)) == (None, "127.0.0.1 took too long")


def test_an_endpoint_that_is_down_is_tried_again(practice: Practice, telling: Telling, host: OutcomeHost) -> None:
    telling.add(types=SESSIONS)
    practice.book()
    port = host.port
    host.close()
    assert [ending.how for ending in telling.deliver()] == ["postponed"]
    host.open(port)
    practice.wait(seconds=11)
    assert [ending.how for ending in telling.deliver()] == ["done"]
    assert host.types == ["session.booked"]


def test_a_name_that_leads_inside_by_now_is_not_asked(practice: Practice, host: OutcomeHost) -> None:
    telling = Telling(practice, host)
    telling.add(types=SESSIONS)
    Telling(practice, host, inner_hosts=frozenset({"localhost"}))  # the operator has taken the permission back
    practice.book()
    assert [ending.how for ending in telling.deliver()] == ["postponed"]
    telling.add("https://127.0.0.1.nip.example/", types=SESSIONS)
    assert host.received == []


def test_a_name_that_leads_elsewhere_a_moment_later_is_asked_where_it_was_looked_at(
    practice: Practice, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked, reached = ["93.184.216.34", "127.0.0.1", "::ffff:10.0.0.1"], [], []

    def look_up(host: str, port: int, **_more: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[len(asked) - 1], port))]

    def connect(address: tuple[str, int], **_more: object) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    telling.add("https://moves.example/", types=SESSIONS)
    practice.book()
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    errors = []
    for _ in answers:
        telling.deliver()
        [delivery] = telling.deliveries()
        errors.append("inner network" in str(delivery.error))
        practice.wait(hours=1)
    assert errors == [False, True, True]
    assert reached == [("93.184.216.34", 443)]  # asked once, and reached there and nowhere else
    assert asked == ["moves.example"] * 3


def test_a_host_that_takes_its_time_is_not_waited_for(practice: Practice, host: OutcomeHost) -> None:
    telling = Telling(practice, host, timeout=timedelta(seconds=0.5))

    def say_nothing(_request: BaseHTTPRequestHandler) -> None:
        host.closed.wait(WAIT_SECONDS)

    host.answer = say_nothing
    telling.add(types=SESSIONS)
    practice.book()
    assert [ending.how for ending in telling.deliver()] == ["postponed"]
    [delivery] = telling.deliveries()
    assert (delivery.status, str(delivery.error)) == (None, "127.0.0.1 took too long")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.org/", "endpoint_url_unencrypted"),
        ("https://10.0.0.1/", "inner_address"),
        ("https://[::1]/", "inner_address"),
        ("https://localhost/", "inner_address"),
        ("https://[::1/", "endpoint_url_malformed"),
        ("https://user:secret@example.org/", "endpoint_url_malformed"),
        ("https://example.org/#there", "endpoint_url_malformed"),
        ("https://example.org:99999/", "endpoint_url_malformed"),
        ("https://example.org:0/", "endpoint_url_malformed"),
        ("ftp://example.org/", "endpoint_url_malformed"),
        ("example.org", "endpoint_url_malformed"),
        ("https://exa mple.org/", "endpoint_url_malformed"),
        ("https://example.org/\n", "endpoint_url_malformed"),
        ("https://example.org/" + "a" * 2000, "endpoint_url_malformed"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(telling: Telling, url: str, code: str) -> None:
    with pytest.raises(RuleError) as refused:
        telling.add(url)
    assert (refused.value.code, refused.value.field) == (code, "url")


def test_for_a_day_both_secrets_sign_and_an_older_one_ends_at_once(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    endpoint = telling.add(types=SESSIONS)
    secrets = [telling.secrets[endpoint.id]]
    for hours in (48, 72):
        with practice.database.begin() as db:
            _, secret = endpoints.rotate_secret(db, SEAL, endpoint.id, now=practice.now)
        secrets.append(secret)
        practice.book(hours)
        telling.deliver()
    assert [[one.is_signed_by(secret) for secret in secrets] for one in host.received] == [
        [True, True, False],
        [False, True, True],
    ]
    practice.wait(hours=24)
    practice.book(500)
    telling.deliver()
    assert [host.received[-1].is_signed_by(secret) for secret in secrets] == [False, False, True]


def test_each_attempt_is_signed_anew_under_the_same_id(practice: Practice, telling: Telling, host: OutcomeHost) -> None:
    endpoint = telling.add(types=SESSIONS)
    host.next = [500]
    practice.book()
    telling.deliver()
    practice.wait(seconds=15)
    telling.deliver()
    first, second = host.received
    assert first.id == second.id
    assert (second.at - first.at).total_seconds() == 15
    assert second.is_signed_by(telling.secrets[endpoint.id])


def test_one_or_all_since_an_instant_go_once_more_in_their_order(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    early = telling.add(types=[OutcomeType.ENDPOINT_TEST])
    endpoint = telling.add(types=SESSIONS)
    session = practice.book()
    practice.wait(hours=1)
    since = practice.now
    practice.move(session, when(72))
    practice.cancel(session)
    telling.deliver()
    with practice.database.begin() as db:
        endpoints.replay(db, telling.deliveries(endpoint)[0].id, now=practice.now)
    telling.deliver()
    assert host.types[3:] == ["session.booked"]
    assert host.received[3].id == host.received[0].id
    with practice.database.begin() as db:
        assert endpoints.replay_since(db, endpoint.id, since, now=practice.now) == 2
    telling.deliver()
    assert host.types[4:] == ["session.moved", "session.cancelled"]
    with practice.database.begin() as db:  # it wants all of them by now, and never got one
        endpoints.change(db, early, types=[], inner_hosts=(), now=practice.now)
        assert endpoints.replay_since(db, early.id, since - timedelta(hours=2), now=practice.now) == 3
    telling.deliver()
    assert host.types[6:] == ["session.booked", "session.moved", "session.cancelled"]
    with practice.database.begin() as db, pytest.raises(NotFoundError):
        endpoints.replay(db, UUID(int=1), now=practice.now)


@pytest.mark.parametrize("act", ["change", "replay", "since", "enable"])
def test_whoever_mends_an_endpoint_waits_for_no_pause(
    practice: Practice, telling: Telling, host: OutcomeHost, act: str
) -> None:
    endpoint = telling.add(types=SESSIONS)
    practice.book()
    host.status = 500
    telling.deliver()
    practice.wait(seconds=10)
    telling.deliver()  # and again in a minute
    host.status = 204
    with practice.database.begin() as db:
        match act:
            case "change":
                endpoints.change(db, endpoint, url=f"{host.url}&new", inner_hosts=INNER, now=practice.now)
            case "replay":
                endpoints.replay(db, telling.deliveries()[0].id, now=practice.now)
            case "since":
                endpoints.replay_since(db, endpoint.id, practice.now - timedelta(hours=1), now=practice.now)
            case _:
                endpoints.disable(db, endpoint.id, now=practice.now)
                endpoints.enable(db, endpoint.id, now=practice.now)
    telling.deliver()
    assert [one.state for one in telling.deliveries()] == [DeliveryState.DELIVERED]


def during(host: OutcomeHost, status: int, act: Callable[[], object]) -> None:
    """Have the host answer the next request so, after something was done while we wait for it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        host.answer = None
        act()
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    host.answer = answer


@pytest.mark.parametrize("status", [410, 500, 204])
def test_what_an_address_answers_that_was_changed_meanwhile_is_not_held_against_the_new_one(
    practice: Practice, telling: Telling, host: OutcomeHost, status: int
) -> None:
    endpoint = telling.add(types=SESSIONS)

    def move() -> None:
        with practice.database.begin() as db:
            endpoints.change(db, endpoint, url=f"{host.url}&new", inner_hosts=INNER, now=practice.now)

    practice.book()
    during(host, status, move)
    telling.deliver()
    after = telling.now(endpoint)
    assert (after.is_enabled, after.failing_since) == (True, None)
    assert [one.state for one in telling.deliveries()] == [DeliveryState.DELIVERED]
    assert [one.path.endswith("new") for one in host.received] == [False] + [True] * (status != 204)


@pytest.mark.parametrize("status", [410, 500, 204])
def test_what_is_replayed_while_it_is_under_way_goes_once_more(
    practice: Practice, telling: Telling, host: OutcomeHost, status: int
) -> None:
    endpoint = telling.add(types=SESSIONS)
    since = practice.now
    practice.book()
    practice.wait(seconds=1)

    def replay() -> None:
        with practice.database.begin() as db:
            endpoints.replay_since(db, endpoint.id, since, now=practice.now)

    during(host, status, replay)
    telling.deliver()
    [delivery] = telling.deliveries()
    if status == 410:
        assert (telling.now(endpoint).is_enabled, delivery.state) == (False, DeliveryState.PENDING)
    else:
        assert (len(host.received), delivery.state) == (2, DeliveryState.DELIVERED)


@pytest.mark.parametrize("status", [410, 500, 204])
def test_an_endpoint_may_be_removed_while_it_is_posted_to(
    practice: Practice, telling: Telling, host: OutcomeHost, status: int
) -> None:
    endpoint = telling.add(types=SESSIONS)

    def remove() -> None:
        with practice.database.begin() as db:
            endpoints.remove(db, endpoint.id)

    practice.book()
    during(host, status, remove)
    assert {one.how for one in telling.deliver()} == {"done"}


def test_what_a_host_asks_us_to_wait_for_makes_no_edit_stale(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    endpoint = telling.add(types=SESSIONS)
    practice.book()
    host.status, host.headers = 503, {"Retry-After": "60"}
    telling.deliver()
    failing = telling.now(endpoint)
    assert failing.version == endpoint.version + 1  # since when it fails is shown
    practice.wait(seconds=100)
    telling.deliver()
    again = telling.now(endpoint)
    assert again.not_before != failing.not_before
    assert again.version == failing.version


def test_a_test_goes_to_the_tested_endpoint_alone(practice: Practice, telling: Telling, host: OutcomeHost) -> None:
    endpoint, other = telling.add(types=SESSIONS), telling.add()
    with practice.database.begin() as db:
        delivery_id = endpoints.test(db, endpoint.id, by=KIM, now=practice.now)
    telling.deliver()
    assert host.types == ["endpoint.test"]
    assert [one.id for one in telling.deliveries(endpoint)] == [delivery_id]
    assert telling.deliveries(other) == []


def test_a_quiet_endpoint_costs_no_request_and_a_removed_one_nothing_at_all(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    endpoint = telling.add(types=SESSIONS)
    for _ in range(10):
        practice.wait(hours=7)
        assert telling.deliver() == []
    assert host.received == []
    host.status = 500
    practice.book(500)
    telling.deliver()
    with practice.database.begin() as db:
        endpoints.remove(db, endpoint.id)
    practice.wait(hours=1)
    telling.deliver()
    assert len(host.received) == 1
    assert telling.deliveries() == []


def test_what_is_older_than_thirty_days_is_swept_and_the_numbers_go_on(practice: Practice, telling: Telling) -> None:
    telling.add(types=SESSIONS)
    practice.book()
    telling.deliver()
    [old] = telling.deliveries()
    practice.wait(days=29)
    practice.carry_out(Kind.UPKEEP)
    assert len(telling.deliveries()) == 1
    practice.wait(days=2)
    with practice.database.begin() as db:
        upkeep.sweep(db, now=practice.now)
    assert len(telling.deliveries()) == 1  # the newest stays, so that no number comes twice
    practice.book(2000)
    with practice.database.begin() as db:
        upkeep.sweep(db, now=practice.now)
    [new] = telling.deliveries()
    assert new.seq > old.seq


def test_a_failing_endpoint_delays_no_other(practice: Practice, telling: Telling) -> None:
    with OutcomeHost(status=500) as broken:
        bad, good = telling.add(broken.url, types=SESSIONS), telling.add(types=SESSIONS)
        practice.book()
        telling.deliver()
        assert [one.state for one in telling.deliveries(good)] == [DeliveryState.DELIVERED]
        assert [one.state for one in telling.deliveries(bad)] == [DeliveryState.PENDING]


def test_an_act_that_is_rolled_back_leaves_nothing_to_the_next_one(practice: Practice, telling: Telling) -> None:
    telling.add(types=SESSIONS)
    practice.book()
    with pytest.raises(RuleError):
        practice.book()  # the time is taken
    practice.book(500)
    assert len(telling.deliveries()) == 2


def test_who_reads_on_after_a_restore_misses_nothing(practice: Practice, telling: Telling) -> None:
    telling.add(types=SESSIONS)
    practice.book()
    with practice.database.begin() as db:  # the server that made the back-up had counted farther than this one
        db.execute(sa.update(tables.outcomes).values(tx=tables.outcomes.c.tx + 1_000_000))
        lost = db.execute(sa.select(tables.outcomes.c.tx, tables.outcomes.c.seq)).one()
    standstill.declare(practice.database, practice.policy, None, by=KIM, now=practice.now)
    with practice.database.begin() as db:
        standstill.end(db)
    practice.book(500)
    with practice.database.read() as db:
        all_of_it = outcomes.feed(db, after=(0, 0), limit=10)
        behind = outcomes.feed(db, after=(lost.tx + 1000, lost.seq + 1000), limit=10)
    assert [one.outcome.type for one in all_of_it] == [OutcomeType.SESSION_BOOKED] * 2
    assert [one.id for one in behind] == [all_of_it[1].id]


def test_the_feed_has_what_was_committed_in_that_order(practice: Practice, telling: Telling) -> None:
    telling.add()
    session = practice.book()
    practice.cancel(session)
    with practice.database.read() as db:
        [first, *rest] = [one for one in outcomes.feed(db, after=(0, 0), limit=10) if one.outcome.type in SESSIONS]
        after = outcomes.feed(db, after=(first.tx, first.seq), limit=10)
    assert first.outcome.type is OutcomeType.SESSION_BOOKED
    assert [one.seq for one in after if one.outcome.type in SESSIONS] == [one.seq for one in rest]
