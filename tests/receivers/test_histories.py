"""Whatever happens to a client's sessions: their calendar has each once, where it stands, and no cancelled one."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TypeVar

import pytest

from connector.domain.notice import NoticeKind
from connector.domain.notice_table import ROWS, Audience
from connector.storage.database import Database
from tests.receivers.broken import Change, put
from tests.receivers.by_mail import AnsweringHistory
from tests.receivers.histories import History
from tests.receivers.mails import read
from tests.receivers.models import RECEIVERS, Receiver, Shown, Strict, after

FIRST, FEW, SOME, MANY = 8, 12, 40, 120


def deliveries(mails: list[bytes], pick: Random) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the ways in which mails may come: of each event the first one first, and the last one surely."""
    yield "in order", mails
    yield "each twice", [mail for mail in mails for _ in range(2)]
    yield "all twice", mails + mails
    yield "out of order", _first_things_first(mails, pick.sample(mails, len(mails)))
    spared = {_uid(mail): n for n, mail in enumerate(mails)}
    losable = [n for n, mail in enumerate(mails) if spared[_uid(mail)] != n]
    if losable:
        lost = pick.choice(losable)
        yield "one lost", [*mails[:lost], *mails[lost + 1 :]]


def _uid(mail: bytes) -> str:
    """Return what a mail is about; nothing where it only says no to a wish, and tells of no session how it stands."""
    message = read(mail)
    return message.uid if message and message.method != "DECLINECOUNTER" else ""


def _first_things_first(mails: list[bytes], shuffled: list[bytes]) -> list[bytes]:
    firsts: dict[str, bytes] = {}
    for mail in mails:
        firsts.setdefault(_uid(mail), mail)
    later = list(shuffled)
    for first in firsts.values():
        later.remove(first)
    return [*firsts.values(), *later]


OneHistory = TypeVar("OneHistory", bound=History)


def check(history: History, pick: Random) -> None:
    agreed = sorted(history.agreed(), key=str)
    fetched = history.subscriber.entries
    assert history.subscriber.faults == history.practitioners.faults == []
    assert sorted(history.practitioners.entries, key=str) == sorted(history.kept(), key=str)
    for where, mails in history.mailboxes.items():
        for how, coming in deliveries(mails, pick):
            for kind in RECEIVERS:
                assert _stands(coming, kind, fetched) == agreed, f"{kind.name}, {where}, {how}: not what was agreed"
        anyhow = pick.sample(mails, len(mails))
        assert _stands(anyhow, Strict, fetched) == agreed, (
            f"{where}, in any order, for who forgets nothing: not what was agreed"
        )


def _stands(mails: list[bytes], kind: type[Receiver], fetched: list[Shown]) -> list[Shown]:
    """Return what stands in a calendar by invitations and by what it subscribes to."""
    return sorted([*after(mails, kind).entries, *fetched], key=str)


def lived(database: Database, seed: int, *, change: Change | None = None, invites_all: bool = False) -> History:
    return checked(History(database, seed, change=change, invites_all=invites_all), seed)


def checked(history: OneHistory, seed: int) -> OneHistory:
    try:
        history.run()
        check(history, Random(seed))
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(history.told)) from error
    return history


def test_a_client_has_each_session_once_where_it_stands(sqlite_database: Database) -> None:
    for seed in range(FIRST):
        lived(sqlite_database, seed)


def test_so_it_is_when_clients_write_back_and_letters_seem_to_have_come_back(sqlite_database: Database) -> None:
    for seed in range(2):
        assert checked(AnsweringHistory(sqlite_database, seed), seed).unread() == 0


@pytest.mark.long
def test_so_it_is_in_dozens_of_histories_in_which_clients_write_back(sqlite_database: Database) -> None:
    kinds: set[NoticeKind] = set()
    for seed in range(SOME):
        history = checked(AnsweringHistory(sqlite_database, seed), seed)
        assert history.unread() == 0
        kinds |= history.kinds
    assert NoticeKind.PROPOSAL_DECLINED in kinds


@pytest.mark.long
def test_a_client_has_each_session_once_where_it_stands_in_hundreds_of_histories(sqlite_database: Database) -> None:
    told: set[NoticeKind] = set()
    for seed in range(MANY):
        told |= lived(sqlite_database, seed).kinds

    to_clients = {row.kind for row in ROWS if row.to is Audience.CLIENT and not row.tells_code}
    assert told == to_clients - {NoticeKind.PROPOSAL_DECLINED}  # which somebody has to ask for by mail


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(put("SEQUENCE", "0"), id="SEQUENCE fixed"),
        pytest.param(lambda text: put("UID", f"{len(text)}-{hash(text)}")(text), id="a UID a letter"),
        pytest.param(put("DTSTAMP", "20261123T090000"), id="local stamps"),
        pytest.param(put("METHOD", "REQUEST"), id="never a CANCEL"),
        pytest.param(put("LOCATION", "somewhere"), id="a place for all"),
    ],
)
def test_the_histories_find_what_others_got_wrong(sqlite_database: Database, change: Change) -> None:
    def is_misled(seed: int) -> bool:
        try:
            lived(sqlite_database, seed, change=change)
        except AssertionError:
            return True
        return False

    assert any(is_misled(seed) for seed in range(FEW))


@pytest.mark.long
def test_the_histories_find_an_invitation_to_who_subscribes(sqlite_database: Database) -> None:
    def is_misled(seed: int) -> bool:
        try:
            lived(sqlite_database, seed, invites_all=True)
        except AssertionError:
            return True
        return False

    assert any(is_misled(seed) for seed in range(FEW))
