"""Every letter that touches a client's calendar, at every receiver; what others got wrong shows that models bite."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from itertools import permutations

import pytest

from connector.domain.notice import NoticeKind
from connector.domain.notice_table import ROWS, Method
from tests.receivers import rules
from tests.receivers.broken import FAULTS, LIFE, Fault, shown, written
from tests.receivers.mails import read
from tests.receivers.models import RECEIVERS, Receiver, Strict, after
from tests.receivers.rules import Rule

receivers = pytest.mark.parametrize("kind", RECEIVERS, ids=[kind.name for kind in RECEIVERS])
KINDS = tuple(LIFE)


def mails(*kinds: NoticeKind, locale: str = "en") -> list[bytes]:
    return [written(LIFE[kind], kind, locale=locale) for kind in kinds]


def test_the_life_of_a_session_has_every_letter_with_a_calendar_part() -> None:
    assert set(KINDS) == {row.kind for row in ROWS if row.method in (Method.REQUEST, Method.CANCEL)}


@receivers
def test_a_time_that_is_declined_changes_no_calendar(kind: type[Receiver]) -> None:
    booked, moved = LIFE[NoticeKind.BOOKED], LIFE[NoticeKind.MOVED]
    declined = written(booked, NoticeKind.PROPOSAL_DECLINED)
    assert after([*mails(NoticeKind.BOOKED), declined], kind).entries == shown(booked)
    assert after([*mails(NoticeKind.BOOKED, NoticeKind.MOVED), declined], kind).entries == shown(moved)
    assert after([declined, *mails(NoticeKind.BOOKED)], kind).entries == shown(booked)


@receivers
@pytest.mark.parametrize("locale", ["en", "de"])
def test_after_each_letter_the_client_has_the_one_entry_that_stands(kind: type[Receiver], locale: str) -> None:
    for n, last in enumerate(KINDS):
        receiver = after(mails(*KINDS[: n + 1], locale=locale), kind)

        assert receiver.entries == shown(LIFE[last])
        assert not receiver.unheeded


@receivers
def test_what_comes_twice_changes_nothing(kind: type[Receiver]) -> None:
    for n, last in enumerate(KINDS):
        told = mails(*KINDS[: n + 1])

        assert after([mail for mail in told for _ in range(2)], kind).entries == shown(LIFE[last])
        assert after(told + told, kind).entries == shown(LIFE[last])


@receivers
def test_what_is_overtaken_changes_nothing(kind: type[Receiver]) -> None:
    """In any order after the first, which nothing overtakes: what was never invited cannot be cancelled."""
    first, *rest = mails(*KINDS)

    for order in permutations(rest):
        assert after([first, *order], kind).entries == []
    first, *rest = mails(*KINDS[:-1])
    for order in permutations(rest):
        assert after([first, *order], kind).entries == shown(LIFE[KINDS[-2]])


def test_whoever_forgets_nothing_is_right_in_any_order() -> None:
    for order in permutations(mails(*KINDS)):
        assert after(list(order), Strict).entries == []


def test_a_cancellation_that_overtakes_the_booking_misleads_whoever_forgets_it() -> None:
    """Which is why letters about one session leave one after another."""
    booked, cancelled = mails(NoticeKind.BOOKED, NoticeKind.CANCELLED)

    misled = [kind.name for kind in RECEIVERS if after([cancelled, booked], kind).entries]

    assert misled == [kind.name for kind in RECEIVERS if kind is not Strict]


@receivers
def test_any_letter_but_the_last_may_be_lost(kind: type[Receiver]) -> None:
    for n, last in enumerate(KINDS):
        for lost in range(n):
            told = mails(*KINDS[: n + 1])
            del told[lost]

            assert after(told, kind).entries == shown(LIFE[last])


@receivers
def test_letters_without_a_calendar_part_touch_no_calendar(kind: type[Receiver]) -> None:
    booked = LIFE[NoticeKind.BOOKED]
    words = [written(booked, row.kind) for row in ROWS if row.method is None and row.kind in _TO_CLIENTS]

    receiver = after([*mails(NoticeKind.BOOKED), *words], kind)

    assert words
    assert receiver.entries == shown(booked)
    assert not receiver.unheeded


_TO_CLIENTS = (
    NoticeKind.OFFERED,
    NoticeKind.OFFER_CHANGED,
    NoticeKind.OFFER_REMINDER,
    NoticeKind.REJECTED,
    NoticeKind.LAPSED,
    NoticeKind.WITHDRAWN,
)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_others_got_wrong_misleads_those_it_is_known_to_mislead(fault: Fault) -> None:
    last = LIFE[fault.told[-1]]

    misled = [kind for kind in RECEIVERS if after(fault.mails(), kind, zone="Europe/Berlin").entries != shown(last)]

    assert sorted(kind.name for kind in misled) == fault.misled.split(", ")


@receivers
def test_every_receiver_has_a_fault_that_misleads_it(kind: type[Receiver]) -> None:
    assert [name for name, fault in FAULTS.items() if kind.name in fault.misled.split(", ")]


class Lenient(Receiver):
    """Acts on whatever comes."""

    name = "lenient"
    sound = newer = ()


def test_every_rule_is_broken_by_a_fault() -> None:
    """A rule that nothing breaks proves nothing."""
    held_by = {rules.asks_for_something, *(rule for kind in RECEIVERS for rule in (*kind.sound, *kind.newer))}

    broken = {rule for fault in FAULTS.values() for rule in _broken(held_by, fault)}

    assert [rule.__name__ for rule in held_by - broken] == []


def _broken(candidates: Iterable[Rule], fault: Fault) -> list[Rule]:
    told = fault.mails()
    receiver = after(told[:-1], Lenient)
    wrong, last = read(told[fault.at]), read(told[-1])
    assert wrong is not None
    assert last is not None
    held = receiver.held.get(last.uid)
    if fault.at == 0:
        held = receiver._entry(wrong, is_invitation=False)
    return [rule for rule in candidates if rule(last, held)]


def test_every_rule_names_its_source() -> None:
    found = [rule for _, rule in inspect.getmembers(rules, inspect.isfunction) if rule.__module__ == rules.__name__]

    assert found
    assert [rule.__name__ for rule in found if "Source: " not in (rule.__doc__ or "")] == []
