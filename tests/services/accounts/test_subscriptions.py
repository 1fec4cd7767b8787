"""One open channel for each calendar that has channels, renewed in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog.testing

from connector.domain.connection import Calendar
from connector.errors import RefusedError
from connector.ports import Lifecycle, Notification
from connector.services.accounts import notifications, subscriptions
from connector.services.accounts.subscriptions import ASK_AGAIN, LOOK_AGAIN, RENEW_AFTER
from connector.storage.ledger import Kind
from providers.memory import provider as memory
from providers.memory.provider import MemoryCalendar
from providers.memory.push import LIFE
from tests.services import channels, connected
from tests.services.channels import URL, one_channel, pull, row, states, stored_channels, watch
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    return channels.connected(practice)


@pytest.fixture
def remote(practice: Practice, calendar: Calendar) -> Iterator[MemoryCalendar]:
    yield connected.remote(practice, calendar.remote_id)
    memory.forget(str(practice.kim.id))


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


def test_the_first_notification_may_come_before_the_answer(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    heard = []

    def hear(notification: Notification) -> None:
        heard.append(states(practice, calendar))
        notifications.receive(practice.database, [notification], provider="memory", now=practice.now)

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
    ("renewal", "verbs"),
    [
        ("prolongs", ["renew"]),
        ("succeeds", ["renew", "watch", "unwatch"]),
        ("refused", ["renew", "watch", "unwatch"]),
    ],
)
def test_a_channel_is_renewed_in_time_and_a_successor_is_opened_before_the_old_one_is_closed(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, renewal: str, verbs: list[str]
) -> None:
    remote.renewal = renewal  # type: ignore[assignment]
    again_at = watch(practice, calendar)
    assert again_at
    remote.asked.clear()
    practice.now = again_at
    following = watch(practice, calendar)
    assert [verb for verb, _ in remote.asked] == verbs
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


@pytest.mark.parametrize("lifecycle", [Lifecycle.EXPIRING, Lifecycle.REMOVED])
def test_what_the_service_says_of_the_channel_is_acted_on(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, lifecycle: Lifecycle
) -> None:
    watch(practice, calendar)
    practice.wait(hours=1)

    def receive(notification: Notification) -> None:
        notifications.receive(practice.database, [notification], provider="memory", now=practice.now)

    remote.heard = receive
    remote.notification(lifecycle)
    channels.claimed(practice, calendar, Kind.CHANNEL)
    watch(practice, calendar)
    assert remote.asked[1][0] == ("renew" if lifecycle is Lifecycle.EXPIRING else "watch")
    one_channel(practice, calendar, remote)


def test_a_calendar_that_has_no_channels_is_left_alone_for_a_week(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.silent = True
    assert watch(practice, calendar) == practice.now + ASK_AGAIN
    assert stored_channels(practice, calendar) == []


def test_a_calendar_of_a_service_without_channels_is_left_alone(practice: Practice, calendar: Calendar) -> None:
    again_at = subscriptions.watch(
        practice.database,
        SEAL,
        calendar.id,
        object(),  # type: ignore[arg-type]
        public_url=URL,
        fence=OURS,
        now=practice.now,
    )
    assert again_at == practice.now + ASK_AGAIN


def test_a_channel_is_shown_to_its_service_as_it_was_granted_and_before_that_as_expiring_now(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    watch(practice, calendar)
    [stored], [granted] = stored_channels(practice, calendar), remote.channels.values()
    assert subscriptions.service_channel(SEAL, stored, now=practice.now) == granted
    opening = replace(stored, expires_at=None)
    shown = subscriptions.service_channel(SEAL, opening, now=practice.now)
    assert shown == replace(granted, expires_at=practice.now)


def test_the_words_of_a_refusal_are_logged_without_addresses(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.fail_channel(RefusedError("kim@practice.example: https://dav.example/kim cannot push"))
    with structlog.testing.capture_logs() as logs:
        watch(practice, calendar)
    assert [line["error"].partition(" (")[0] for line in logs] == ["RefusedError: … … cannot push"]


def test_without_an_https_address_nothing_is_opened_and_it_is_said_once(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    url = f"http://{calendar.id}.example"
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert watch(practice, calendar, url=url) == practice.now + LOOK_AGAIN
    assert [line["event"] for line in logs] == ["no_channels"]
    assert remote.asked == []
