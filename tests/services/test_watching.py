"""One open channel for each calendar that can ring, in time, whatever happens between two steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog.testing

from connector.errors import AccessLostError, MissingError, RefusedError, TransientError
from connector.ports import Ring
from connector.services import ringing, watching
from connector.services.ringing import REAUTHORIZE, REMOVED
from connector.services.watching import ASK_AGAIN, LOOK_AGAIN, RENEW_AFTER
from connector.storage import channels
from connector.storage.calendars import Calendar
from connector.storage.ledger import Kind
from connector.storage.seal import Seal
from providers import memory
from providers._memory_bell import LIFE
from providers.memory import MemoryCalendar

from . import belling, connecting
from .belling import URL, known, opened, pull, row, states, watch
from .connecting import SEAL
from .making import Practice


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    calendar = connecting.connect(practice)
    pull(practice, calendar)
    practice.wait(minutes=1)
    return calendar


@pytest.fixture
def remote(practice: Practice, calendar: Calendar) -> Iterator[MemoryCalendar]:
    yield connecting.remote(practice, calendar.remote_id)
    memory.forget(str(practice.kim.id))


def one_channel(practice: Practice, calendar: Calendar, remote: MemoryCalendar) -> None:
    """Assert that one channel is open, that we and the service mean the same, and that its ring is believed."""
    [channel] = known(practice, calendar)
    [there] = remote.channels.values()
    assert (channel.id, channel.remote_id, channel.expires_at) == (there.id, there.remote_id, there.expires_at)
    assert watching.secret_of(SEAL, channel) == there.secret
    practice.wait(minutes=5)
    ring = Ring(channel_id=there.id, secret=there.secret)
    assert ringing.receive(practice.database, [ring], provider="memory", now=practice.now).calendars


def test_a_channel_is_opened_and_what_happened_before_is_pulled(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    again_at = watch(practice, calendar)
    assert again_at
    assert (
        practice.now + LIFE * RENEW_AFTER[0] - timedelta(seconds=1) <= again_at <= practice.now + LIFE * RENEW_AFTER[1]
    )
    assert row(practice.database, calendar.id).due_at == practice.now
    assert list(remote.addresses.values()) == [f"{URL}/hooks/memory"]
    one_channel(practice, calendar, remote)


def test_the_first_ring_may_come_before_the_answer(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    heard = []

    def hear(ring: Ring) -> None:
        heard.append(states(practice, calendar))
        ringing.receive(practice.database, [ring], provider="memory", now=practice.now)

    remote.heard = hear
    watch(practice, calendar)
    assert heard == [["opening"]]


def test_nothing_is_asked_while_there_is_enough_life_left(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    again_at = watch(practice, calendar)
    practice.wait(days=2)
    assert watch(practice, calendar) == again_at
    assert [verb for verb, _ in remote.asked] == ["watch"]


@pytest.mark.parametrize(
    ("renewal", "asked"),
    [
        ("prolongs", ["renew"]),
        ("succeeds", ["renew", "watch", "unwatch"]),
        ("refused", ["renew", "watch", "unwatch"]),
    ],
)
def test_a_channel_is_renewed_in_time_and_a_successor_is_opened_before_the_old_one_is_closed(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, renewal: str, asked: list[str]
) -> None:
    remote.renewal = renewal  # type: ignore[assignment]
    again_at = watch(practice, calendar)
    assert again_at
    remote.asked.clear()
    practice.now = again_at
    following = watch(practice, calendar)
    assert [verb for verb, _ in remote.asked] == asked
    assert following
    assert following > practice.now + LIFE / 2
    one_channel(practice, calendar, remote)


def test_a_successor_whose_name_we_choose_is_stored_before_it_is_asked_for(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.renewal = "refused"
    practice.now = watch(practice, calendar) or practice.now
    heard = []
    remote.heard = lambda _: heard.append(states(practice, calendar))
    watch(practice, calendar)
    assert heard == [["opening", "open"]]


def test_a_prolonged_channel_causes_no_pull_and_a_successor_does(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    practice.now = watch(practice, calendar) or practice.now
    pull(practice, calendar)
    due_at = row(practice.database, calendar.id).due_at
    practice.now = watch(practice, calendar) or practice.now
    assert row(practice.database, calendar.id).due_at == due_at
    pull(practice, calendar)
    remote.renewal = "succeeds"
    watch(practice, calendar)
    assert row(practice.database, calendar.id).due_at == practice.now


def test_a_channel_that_has_expired_is_opened_anew_and_nobody_is_asked_to_close_it(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    watch(practice, calendar)
    remote.channels.clear()
    remote.asked.clear()
    practice.wait(days=8)
    watch(practice, calendar)
    assert [verb for verb, _ in remote.asked] == ["watch"]
    one_channel(practice, calendar, remote)


def test_a_very_short_life_is_not_renewed_without_pause(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.life = timedelta(seconds=1)
    assert watch(practice, calendar) == practice.now + timedelta(minutes=1)


@pytest.mark.parametrize("lifecycle", [REAUTHORIZE, REMOVED])
def test_what_the_service_says_of_the_channel_is_heeded(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, lifecycle: str
) -> None:
    watch(practice, calendar)
    practice.wait(hours=1)
    remote.heard = lambda ring: ringing.receive(practice.database, [ring], provider="memory", now=practice.now) and None
    remote.ring(lifecycle)
    belling.claimed(practice, calendar, Kind.CHANNEL)
    watch(practice, calendar)
    assert remote.asked[1][0] == ("renew" if lifecycle == REAUTHORIZE else "watch")
    one_channel(practice, calendar, remote)


def test_a_calendar_that_cannot_ring_is_left_alone_for_a_week(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.silent = True
    assert watch(practice, calendar) == practice.now + ASK_AGAIN
    assert known(practice, calendar) == []


def test_a_calendar_of_a_service_without_channels_is_left_alone(practice: Practice, calendar: Calendar) -> None:
    again_at = watching.watch(
        practice.database,
        SEAL,
        calendar.id,
        object(),  # type: ignore[arg-type]
        public_url=URL,
        renew=lambda: None,
        now=practice.now,
    )
    assert again_at == practice.now + ASK_AGAIN


def test_the_words_of_a_refusal_are_logged_without_addresses(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.fail_bell(RefusedError("kim@practice.example: https://dav.example/kim cannot ring"))
    with structlog.testing.capture_logs() as logs:
        watch(practice, calendar)
    assert [line["reason"] for line in logs] == ["… … cannot ring"]


def test_without_an_https_address_nothing_is_opened_and_it_is_said_once(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    url = f"http://{calendar.id}.example"
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert watch(practice, calendar, url=url) == practice.now + LOOK_AGAIN
    assert [line["event"] for line in logs] == ["no_channels"]
    assert remote.asked == []


@pytest.mark.parametrize("error", [AccessLostError("no"), TransientError("busy"), MissingError("gone")])
def test_other_errors_pass_through(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, error: Exception
) -> None:
    remote.fail_bell(error)  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        watch(practice, calendar)


def test_an_opening_whose_answer_was_lost_is_given_up_for_another(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.fail_bell(TransientError("lost"), answer_lost=True)
    with pytest.raises(TransientError):
        watch(practice, calendar)
    [orphan] = remote.channels.values()
    ring = Ring(channel_id=orphan.id, secret=orphan.secret)
    assert ringing.receive(practice.database, [ring], provider="memory", now=practice.now).calendars
    watch(practice, calendar)
    with pytest.raises(ringing.NotificationRejectedError):
        ringing.receive(practice.database, [ring], provider="memory", now=practice.now)
    del remote.channels[orphan.id]
    one_channel(practice, calendar, remote)


def test_a_failed_renewal_leaves_the_channel_ringing_and_is_tried_again(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    practice.now = watch(practice, calendar) or practice.now
    remote.fail_bell(TransientError("busy"))
    with pytest.raises(TransientError):
        watch(practice, calendar)
    assert states(practice, calendar) == ["open"]
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_calendar_that_cannot_ring_any_more_keeps_its_channel_until_that_expires(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    practice.now = watch(practice, calendar) or practice.now
    remote.silent = True
    [channel] = known(practice, calendar)
    assert watch(practice, calendar) == channel.expires_at
    assert states(practice, calendar) == ["open"]


@pytest.mark.parametrize("step", range(1, 4))
def test_whatever_ends_between_two_requests_is_taken_up_again(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, step: int
) -> None:
    remote.renewal = "refused"
    practice.now = watch(practice, calendar) or practice.now
    left = step

    def renew() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        watching.watch(practice.database, SEAL, calendar.id, remote, public_url=URL, renew=renew, now=practice.now)
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_channel_that_could_not_be_closed_is_closed_the_next_time(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    watch(practice, calendar)
    ring = opened(practice, calendar, "old")
    with practice.database.begin() as db:
        channels.retire(db, [ring.channel_id])
    remote.fail_bell(TransientError("busy"))
    with pytest.raises(TransientError):
        watch(practice, calendar)
    assert sorted(states(practice, calendar)) == ["closing", "open"]
    watch(practice, calendar)
    assert remote.asked[-1] == ("unwatch", "old")
    one_channel(practice, calendar, remote)


@pytest.mark.parametrize("error", [MissingError("gone"), RefusedError("never heard of it")])
def test_a_channel_that_cannot_be_closed_is_forgotten(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, error: MissingError | RefusedError
) -> None:
    watch(practice, calendar)
    ring = opened(practice, calendar, "old")
    with practice.database.begin() as db:
        channels.retire(db, [ring.channel_id])
    remote.fail_bell(error)
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_worker_that_was_overtaken_closes_what_it_opened(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    def overtake(ring: Ring) -> None:
        remote.heard = None
        with practice.database.begin() as db:
            channels.remove(db, [ring.channel_id])
        watch(practice, calendar)

    remote.heard = overtake
    with pytest.raises(TransientError):
        watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_channel_whose_secret_no_key_opens_is_replaced(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    ring = opened(practice, calendar, "old")
    with practice.database.begin() as db:
        old = channels.get(db, ring.channel_id)
        assert old
        channels.swap_secret(db, old, Seal(["another key of at least thirty-two characters"]).seal({"secret": "x"}))
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_disconnecting_leaves_no_channel(practice: Practice, calendar: Calendar, remote: MemoryCalendar) -> None:
    watch(practice, calendar)
    remote.fail_bell(TransientError("busy"))
    with pytest.raises(TransientError):
        end(practice, calendar, remote)
    end(practice, calendar, remote)
    assert known(practice, calendar) == []
    assert remote.channels == {}


def end(practice: Practice, calendar: Calendar, remote: MemoryCalendar) -> None:
    watching.end(practice.database, SEAL, calendar.id, remote, renew=lambda: None, now=practice.now)
