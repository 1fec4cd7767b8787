"""Genuine notifications make pulls due, however many they are; all others change nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.connection import Calendar
from connector.errors import NotificationRejectedError
from connector.ports import Lifecycle, Notification
from connector.services.accounts.notifications import PULL_GAP, Receipt
from connector.services.accounts.notifications import receive as receive_notifications
from connector.storage import ledger
from connector.storage.channels import ChannelState
from connector.storage.ledger import Kind, Urgency
from tests.services import channels, connected
from tests.services.channels import claimed, finish_pull, opened, pull, row
from tests.services.practice import Practice


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    return channels.connected(practice)


def receive(practice: Practice, *notifications: Notification, provider: str = "memory") -> Receipt:
    return receive_notifications(practice.database, notifications, provider=provider, now=practice.now)


def test_a_notification_makes_the_pull_due_now_and_is_noted(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    assert receive(practice, notification) == Receipt(calendars=frozenset({calendar.id}), refused=0)
    assert row(practice.database, calendar.id).due_at == practice.now
    assert row(practice.database, calendar.id).urgency == Urgency.LOOK, "a poll would wait behind all others"
    assert channels.stored_channels(practice, calendar)[0].last_notified_at == practice.now


@pytest.mark.parametrize("state", list(ChannelState))
def test_a_notification_counts_before_the_channel_is_open_and_while_it_closes(
    practice: Practice, calendar: Calendar, state: ChannelState
) -> None:
    receive(practice, opened(practice, calendar, state=state))
    assert row(practice.database, calendar.id).due_at == practice.now


@pytest.mark.parametrize(
    "notification",
    [
        Notification(channel_id="another", secret="secret of one"),
        Notification(channel_id="one", secret="secret of another"),
        Notification(channel_id="one", secret=""),
        Notification(channel_id="one", secret="sécret of öne"),
    ],
    ids=["unknown channel", "wrong secret", "no secret", "not ASCII"],
)
def test_a_notification_that_proves_nothing_is_refused_and_changes_nothing(
    practice: Practice, calendar: Calendar, notification: Notification
) -> None:
    opened(practice, calendar)
    before = row(practice.database, calendar.id)
    with pytest.raises(NotificationRejectedError):
        receive(practice, notification)
    assert row(practice.database, calendar.id) == before


def test_a_notification_by_another_services_door_is_refused(practice: Practice, calendar: Calendar) -> None:
    with pytest.raises(NotificationRejectedError):
        receive(practice, opened(practice, calendar), provider="google")


def test_each_notification_of_a_bundle_is_checked_by_itself(practice: Practice, calendar: Calendar) -> None:
    other = connected.connect(practice, name="other")
    pull(practice, other)
    practice.wait(minutes=1)
    forged = Notification(channel_id=opened(practice, other, "two").channel_id, secret="guessed")
    before = row(practice.database, other.id)
    assert receive(practice, opened(practice, calendar), forged).refused == 1
    assert row(practice.database, calendar.id).due_at == practice.now
    assert row(practice.database, other.id) == before


def test_many_notifications_at_once_write_once(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    before = row(practice.database, calendar.id).desired
    for _ in range(50):
        receive(practice, notification)
    assert row(practice.database, calendar.id).desired == before + 1


def test_a_notification_right_after_a_pull_waits_two_seconds(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    receive(practice, notification)
    pull(practice, calendar)
    receive(practice, notification)
    assert row(practice.database, calendar.id).due_at == practice.now + PULL_GAP


def test_notifications_during_a_pull_lead_to_one_more_after_a_pause(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    receive(practice, notification)
    claim = claimed(practice, calendar)
    for _ in range(10):
        receive(practice, notification)
    finish_pull(practice, calendar, claim)
    assert row(practice.database, calendar.id).due_at == practice.now + PULL_GAP
    practice.wait(seconds=2)
    pull(practice, calendar)
    assert row(practice.database, calendar.id).due_at > practice.now + timedelta(minutes=1)


def test_notifications_during_a_pull_that_dies_are_not_lost(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    receive(practice, notification)
    claimed(practice, calendar)
    receive(practice, notification)
    ledger.clear_leases(practice.database)
    practice.wait(seconds=2)
    claimed(practice, calendar)


def test_a_notification_makes_no_pull_before_the_service_may_be_asked_again(
    practice: Practice, calendar: Calendar
) -> None:
    notification = opened(practice, calendar)
    receive(practice, notification)
    claim = claimed(practice, calendar)
    retry_after = timedelta(minutes=30)
    ledger.postpone(practice.database, claim, now=practice.now, retry_after=retry_after, error="busy")
    practice.wait(seconds=5)
    for _ in range(2):
        receive(practice, notification)
    assert row(practice.database, calendar.id).due_at == practice.now + retry_after - timedelta(seconds=5)


def test_a_refused_pull_is_tried_again_when_a_notification_comes(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    receive(practice, notification)
    ledger.refuse(practice.database, claimed(practice, calendar), now=practice.now, error="refused")
    receive(practice, notification)
    assert row(practice.database, calendar.id).due_at == practice.now


def test_a_channel_to_be_reauthorized_is_due_for_renewal_and_nothing_is_pulled(
    practice: Practice, calendar: Calendar
) -> None:
    notification = opened(practice, calendar)
    before = row(practice.database, calendar.id)
    receive(
        practice,
        Notification(channel_id=notification.channel_id, secret=notification.secret, lifecycle=Lifecycle.EXPIRING),
    )
    assert row(practice.database, calendar.id, Kind.CHANNEL).due_at == practice.now
    assert channels.stored_channels(practice, calendar)[0].renew_at == practice.now
    assert row(practice.database, calendar.id) == before


def test_a_removed_channel_is_given_up_and_due_to_be_replaced(practice: Practice, calendar: Calendar) -> None:
    notification = opened(practice, calendar)
    receive(
        practice,
        Notification(channel_id=notification.channel_id, secret=notification.secret, lifecycle=Lifecycle.REMOVED),
    )
    assert row(practice.database, calendar.id, Kind.CHANNEL).due_at == practice.now
    assert channels.states(practice, calendar) == ["closing"]


@pytest.mark.parametrize("lifecycle", [Lifecycle.MISSED, None])
def test_missed_pushes_and_words_we_do_not_know_make_the_pull_due(
    practice: Practice, calendar: Calendar, lifecycle: Lifecycle | None
) -> None:
    notification = opened(practice, calendar)
    receive(practice, Notification(channel_id=notification.channel_id, secret=notification.secret, lifecycle=lifecycle))
    assert row(practice.database, calendar.id).due_at == practice.now


def test_a_push_without_notifications_is_no_refusal(practice: Practice) -> None:
    assert receive(practice) == Receipt(calendars=frozenset(), refused=0)


def test_bundles_that_name_the_same_channels_in_any_order_do_not_block_each_other(
    practice: Practice, calendar: Calendar
) -> None:
    other = connected.connect(practice, name="other")
    notifications = [opened(practice, calendar), opened(practice, other, "two")]
    bundle = [replace(notification, lifecycle=Lifecycle.EXPIRING) for notification in notifications]
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda n: receive(practice, *bundle[:: 1 if n % 2 else -1]), range(64)))
    assert {receipt.refused for receipt in receipts} == {0}
    assert row(practice.database, calendar.id, Kind.CHANNEL).desired == 64
