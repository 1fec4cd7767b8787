"""Whatever fails or ends between two requests, one channel is open in the end, and nothing else is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from connector.domain.connection import Calendar
from connector.errors import (
    AccessLostError,
    MissingError,
    NotificationRejectedError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.ports import Notification
from connector.services.accounts import disconnect, notifications, subscriptions
from connector.storage import channels
from connector.storage.database import Database
from connector.storage.seal import Seal
from providers.memory import provider as memory
from providers.memory.provider import MemoryCalendar
from tests.domain.examples import KIM
from tests.services import channels as channel_steps
from tests.services import connected
from tests.services.channels import URL, one_channel, opened, states, stored_channels, watch
from tests.services.fences import OURS, Claimed
from tests.services.practice import SEAL, Practice


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database)


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    return channel_steps.connected(practice)


@pytest.fixture
def remote(practice: Practice, calendar: Calendar) -> Iterator[MemoryCalendar]:
    yield connected.remote(practice, calendar.remote_id)
    memory.forget(str(practice.kim.id))


@pytest.mark.parametrize("error", [AccessLostError("no"), TransientError("busy"), MissingError("gone")])
def test_other_errors_pass_through(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, error: ProviderError
) -> None:
    remote.fail_channel(error)
    with pytest.raises(type(error)):
        watch(practice, calendar)


def test_an_opening_whose_answer_was_lost_is_given_up_for_another(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    remote.fail_channel(TransientError("lost"), answer_lost=True)
    with pytest.raises(TransientError):
        watch(practice, calendar)
    [orphan] = remote.channels.values()
    notification = Notification(channel_id=orphan.id, secret=orphan.secret)
    assert notifications.receive(practice.database, [notification], provider="memory", now=practice.now).calendars
    watch(practice, calendar)
    with pytest.raises(NotificationRejectedError):
        notifications.receive(practice.database, [notification], provider="memory", now=practice.now)
    del remote.channels[orphan.id]
    one_channel(practice, calendar, remote)


def test_a_failed_renewal_leaves_the_channel_open_and_is_tried_again(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    practice.now = watch(practice, calendar) or practice.now
    remote.fail_channel(TransientError("busy"))
    with pytest.raises(TransientError):
        watch(practice, calendar)
    assert states(practice, calendar) == ["open"]
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_calendar_that_no_longer_has_channels_keeps_the_open_one_until_that_expires(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    practice.now = watch(practice, calendar) or practice.now
    remote.silent = True
    [channel] = stored_channels(practice, calendar)
    assert watch(practice, calendar) == channel.expires_at
    assert states(practice, calendar) == ["open"]


@pytest.mark.parametrize("step", range(1, 4))
def test_whatever_ends_between_two_requests_is_taken_up_again(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, step: int
) -> None:
    remote.renewal = "refused"
    practice.now = watch(practice, calendar) or practice.now
    renewals = step

    def renew() -> None:
        nonlocal renewals
        renewals -= 1
        if renewals == 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        subscriptions.watch(
            practice.database, SEAL, calendar.id, remote, public_url=URL, fence=Claimed(renew), now=practice.now
        )
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_channel_that_could_not_be_closed_is_closed_the_next_time(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    watch(practice, calendar)
    notification = opened(practice, calendar, "old")
    with practice.database.begin() as db:
        channels.retire(db, [notification.channel_id])
    remote.fail_channel(TransientError("busy"))
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
    notification = opened(practice, calendar, "old")
    with practice.database.begin() as db:
        channels.retire(db, [notification.channel_id])
    remote.fail_channel(error)
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_a_worker_that_was_overtaken_closes_what_it_opened(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    def overtake(notification: Notification) -> None:
        remote.heard = None
        with practice.database.begin() as db:
            channels.remove(db, [notification.channel_id])
        watch(practice, calendar)

    remote.heard = overtake
    with pytest.raises(TransientError):
        watch(practice, calendar)
    one_channel(practice, calendar, remote)


@pytest.mark.parametrize("renewal", ["prolongs", "succeeds", "refused"])
def test_a_channel_opened_while_its_calendar_is_disconnected_leaves_none(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar, renewal: Literal["prolongs", "succeeds", "refused"]
) -> None:
    practice.now = watch(practice, calendar) or practice.now
    remote.renewal = renewal
    with pytest.raises(TransientError):
        subscriptions.watch(
            practice.database,
            SEAL,
            calendar.id,
            remote,
            public_url=URL,
            fence=Claimed(lambda: _begin_disconnecting(practice, calendar)),
            now=practice.now,
        )
    end(practice, calendar, remote)
    assert remote.channels == {}


def _begin_disconnecting(practice: Practice, calendar: Calendar) -> None:
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)


def test_a_channel_whose_secret_no_key_opens_is_replaced(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar
) -> None:
    notification = opened(practice, calendar, "old")
    with practice.database.begin() as db:
        old = channels.get(db, notification.channel_id)
        assert old
        channels.swap_secret(db, old, Seal(["another key of at least thirty-two characters"]).seal({"secret": "x"}))
    watch(practice, calendar)
    one_channel(practice, calendar, remote)


def test_disconnecting_leaves_no_channel(practice: Practice, calendar: Calendar, remote: MemoryCalendar) -> None:
    watch(practice, calendar)
    remote.fail_channel(TransientError("busy"))
    with pytest.raises(TransientError):
        end(practice, calendar, remote)
    end(practice, calendar, remote)
    assert stored_channels(practice, calendar) == []
    assert remote.channels == {}


def end(practice: Practice, calendar: Calendar, remote: MemoryCalendar) -> None:
    subscriptions.end(practice.database, SEAL, calendar.id, remote, fence=OURS, now=practice.now)
