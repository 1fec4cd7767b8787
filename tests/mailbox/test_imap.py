"""The reply mailbox is read from Dovecot as from any server, and no server has our time, our memory or our trust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import InstallationError, TransientError
from connector.inbox.bounds import LARGEST
from connector.mailbox.imap import ImapMailbox
from connector.ports import ListedMail, OpenMailbox
from tests.fakes.dovecot import Dovecot
from tests.fakes.dripping import Drip, Dripping
from tests.fakes.imap_liar import ImapLiar, Kept

SOON = timedelta(seconds=0.2)
MARCH = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

dovecot_marked = pytest.mark.dovecot


def check(url: str, *, timeout: timedelta = timedelta(seconds=20), ca_file: str | None = None) -> bool:
    """Open a mailbox and read nothing; return whether it tells what comes in."""
    with ImapMailbox(url, timeout=timeout, ca_file=ca_file).open() as folder:
        return folder.tells


@contextmanager
def opened(liar: ImapLiar, timeout: timedelta = timedelta(seconds=20)) -> Iterator[OpenMailbox]:
    with ImapMailbox(liar.url, timeout=timeout).open() as folder:
        yield folder


@dovecot_marked
@pytest.mark.parametrize("scheme", ["imap", "imap+starttls", "imaps"])
def test_mails_are_listed_by_what_came_in_since_and_fetched_one_by_one(server: Dovecot, user: str, scheme: str) -> None:
    mails = [b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * n) for n in range(5)]
    server.deliver(user, *mails, at=MARCH)
    with ImapMailbox(server.url(user, scheme=scheme), ca_file=server.ca_file).open() as folder:
        assert folder.tells
        assert folder.validity > 0
        assert folder.after(0, most=2) == (
            ListedMail(uid=1, size=len(mails[0]), came_at=MARCH),
            ListedMail(uid=2, size=len(mails[1]), came_at=MARCH),
        )
        assert [mail.uid for mail in folder.after(3, most=9)] == [4, 5]
        assert folder.after(5, most=9) == ()
        assert [folder.fetch(uid) for uid in range(1, 6)] == mails
        assert folder.mark([2, 4])
    assert server.seen(user) == [False, True, False, True, False]


@dovecot_marked
def test_of_a_mail_that_is_too_large_no_more_than_a_byte_beyond_the_bound_is_fetched(
    server: Dovecot, user: str
) -> None:
    server.deliver(user, b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * (LARGEST // 60))
    with ImapMailbox(server.url(user)).open() as folder:
        [listed] = folder.after(0, most=1)
        assert listed.size > LARGEST
        assert len(folder.fetch(1)) == LARGEST + 1


@dovecot_marked
def test_gaps_that_others_have_left_are_no_obstacle(server: Dovecot, user: str) -> None:
    server.deliver(user, *(b"Subject: %d\r\n\r\n" % n for n in range(40)))
    with server.owner(user) as api:
        for gone in ("1:3", "10", "20:30", "38:40"):
            api.uid("STORE", gone, "+FLAGS", r"(\Deleted)")
        api.expunge()
    left = [n for n in range(1, 41) if n not in {1, 2, 3, 10, *range(20, 31), 38, 39, 40}]
    with ImapMailbox(server.url(user)).open() as folder:
        for uid in range(42):
            assert [mail.uid for mail in folder.after(uid, most=50)] == [n for n in left if n > uid]


@dovecot_marked
def test_what_comes_in_is_told_while_it_is_waited_for(server: Dovecot, user: str) -> None:
    beats: list[int] = []

    def beat() -> bool:
        if not beats:
            server.deliver(user, b"Subject: new\r\n\r\n")
        beats.append(1)
        return len(beats) < 60

    with ImapMailbox(server.url(user, scheme="imaps"), ca_file=server.ca_file).open() as folder:
        folder.wait(timedelta(minutes=1), beat=beat)
        assert len(beats) < 60
        assert folder.after(0, most=9) == ()  # it was opened before that
    with ImapMailbox(server.url(user)).open() as folder:
        assert len(folder.after(0, most=9)) == 1


@dovecot_marked
def test_waiting_ends_when_it_is_asked_to(server: Dovecot, user: str) -> None:
    with ImapMailbox(server.url(user)).open() as folder:
        folder.wait(timedelta(hours=1), beat=lambda: False)
        assert folder.after(0, most=1) == ()


@dovecot_marked
def test_a_refusal_says_what_to_correct_and_quotes_nobody(server: Dovecot, user: str) -> None:
    for url, words in (
        (server.url(user, password="hidden"), "refuses to let us log in: check user and password"),
        (server.url(user, folder="Nowhere"), "no such folder, or does not let us open it: check the folder"),
        (server.url(user, scheme="imaps"), "certificate of the mailbox's server cannot be trusted"),
    ):
        with pytest.raises(InstallationError, match=words) as told:
            check(url)
        assert not {user, "hidden", "Nowhere"} & set(str(told.value).split())


@dovecot_marked
def test_a_certificate_of_another_name_is_not_trusted(server: Dovecot, user: str) -> None:
    url = server.url(user, scheme="imaps").replace("@localhost", "@127.0.0.1")
    with pytest.raises(InstallationError, match="certificate"):
        check(url, ca_file=server.ca_file)
    assert check(server.url(user, scheme="imaps"), ca_file=server.ca_file)


def test_a_server_without_starttls_gets_no_password(liar: ImapLiar) -> None:
    with pytest.raises(InstallationError, match="offers no STARTTLS"):
        check(liar.url.replace("imap:", "imap+starttls:"))
    assert liar.heard["LOGIN"] == 0


def test_a_server_that_claims_to_know_us_before_it_is_encrypted_gets_nothing(liar: ImapLiar) -> None:
    liar.greeting = b"* PREAUTH welcome\r\n"
    liar.capabilities = "IMAP4rev1 STARTTLS"
    with pytest.raises(TransientError):
        check(liar.url.replace("imap:", "imap+starttls:"))
    assert liar.heard["LOGIN"] == liar.heard["SELECT"] == 0


def test_a_server_that_is_busy_is_not_one_that_refuses(liar: ImapLiar) -> None:
    liar.refused["LOGIN"] = "NO [UNAVAILABLE] come back later"
    with pytest.raises(TransientError, match="for now"):
        check(liar.url)


STEPS = [
    pytest.param("greeting", marks=pytest.mark.long),
    pytest.param("CAPABILITY", marks=pytest.mark.long),
    "LOGIN",
    pytest.param("SELECT", marks=pytest.mark.long),
    pytest.param("FETCH", marks=pytest.mark.long),
    "body",
    pytest.param("STORE", marks=pytest.mark.long),
    pytest.param("IDLE", marks=pytest.mark.long),
]


def use(liar: ImapLiar) -> None:
    """Do everything that can be done with a mailbox, once."""
    with opened(liar, SOON) as folder:
        folder.after(0, most=9)
        folder.fetch(1)
        folder.mark([1])
        folder.wait(SOON, beat=lambda: True)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", ["silent", "dropped"])
def test_a_server_that_never_answers_or_hangs_up_is_a_passing_failure(liar: ImapLiar, step: str, fault: str) -> None:
    liar.capabilities = "IMAP4rev1 IDLE"
    liar.put(b"Subject: one\r\n\r\n" + b"x" * 100_000)
    if step == "greeting":
        liar.greeting = b"" if fault == "silent" else b"nonsense\r\n"
    elif step == "body":
        {"silent": liar.silent_at, "dropped": liar.dropped_at}[fault].add(1)
    else:
        {"silent": liar.silent, "dropped": liar.dropped}[fault].add(step)
    with pytest.raises(TransientError) as told:
        use(liar)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("scheme", ["imap", "imap+starttls", "imaps"])
@pytest.mark.parametrize("drip", [Drip(b""), Drip(b"* OK ", b"x"), Drip(b"", b"\x16\x03\x03\x40\x00")])
def test_a_server_that_never_comes_to_an_end_is_cut_off_at_one_deadline(drip: Drip, scheme: str) -> None:
    with Dripping(drip, speaks_first=True) as server, pytest.raises(TransientError, match=r"too long|no encrypted"):
        check(f"{scheme}://kim:secret@127.0.0.1:{server.port}", timeout=SOON)


def test_a_server_that_says_more_than_it_was_asked_for_is_cut_off(liar: ImapLiar) -> None:
    liar.put(b"Subject: one\r\n\r\n")
    liar.flood = 300_000
    with opened(liar) as folder:
        assert len(folder.after(0, most=1)) == 1
    liar.flood = 2_000_000
    with pytest.raises(TransientError, match="more than it was asked for"), opened(liar) as folder:
        folder.after(0, most=1)


@pytest.mark.parametrize(
    "lie",
    [
        b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n",
        b"* 1 FETCH (UID 1 BODY[]<0> NIL)\r\n* 1 FETCH (X {1}\r\n",
        b"* 1 FETCH (UID 1 BODY[]<0> {-5}\r\n",
        b"* \xff\xfe\r\n",
        b"* " + b"x" * 70_000 + b"\r\n",
    ],
)
def test_an_answer_that_makes_no_sense_is_a_passing_failure(liar: ImapLiar, lie: bytes) -> None:
    liar.put(b"Subject: one\r\n\r\n")
    liar.lying_at[1] = lie
    with opened(liar, SOON) as folder, pytest.raises(TransientError):
        folder.fetch(1)


def test_a_listing_that_leaves_mails_out_is_not_taken_for_whole(liar: ImapLiar) -> None:
    liar.put(b"Subject: one\r\n\r\n")
    with opened(liar) as folder:
        liar.mails.clear()
        with pytest.raises(TransientError, match="changes while it is looked through"):
            folder.after(0, most=9)


def test_a_mail_that_is_left_out_of_a_listing_ends_it_and_is_listed_by_its_number_alone(liar: ImapLiar) -> None:
    for text in (b"a", b"b", b"c"):
        liar.put(text)
    liar.unlisted.add(2)
    with opened(liar) as folder:
        assert [mail.uid for mail in folder.after(0, most=9)] == [1]
        assert folder.after(1, most=9) == (ListedMail(uid=2, size=0, came_at=None),)
        assert [mail.uid for mail in folder.after(2, most=9)] == [3]


def test_numbers_that_make_no_sense_are_a_passing_failure(liar: ImapLiar) -> None:
    liar.mails = [Kept(uid=uid, raw=b"a") for uid in (5, 5, 3)]
    with opened(liar) as folder, pytest.raises(TransientError, match="makes no sense"):
        folder.after(2, most=9)


def test_a_server_that_cannot_tell_of_mail_says_so(liar: ImapLiar) -> None:
    with opened(liar) as folder:
        assert not folder.tells
    liar.refused["IDLE"] = "BAD never heard of it"
    with opened(liar) as folder, pytest.raises(TransientError, match="does not tell"):
        folder.wait(SOON, beat=lambda: True)


def test_a_mailbox_that_may_only_be_read_is_read(liar: ImapLiar) -> None:
    liar.put(b"Subject: one\r\n\r\n")
    liar.readonly = True
    liar.refused["STORE"] = "NO read-only"
    with opened(liar) as folder:
        assert folder.fetch(1) == b"Subject: one\r\n\r\n"
        assert not folder.mark([1])


def test_when_a_mail_came_in_is_unknown_where_the_server_tells_nonsense(liar: ImapLiar) -> None:
    liar.put(b"a", came="32-Foo-9999 99:99:99 +0000")
    with opened(liar) as folder:
        assert [mail.came_at for mail in folder.after(0, most=1)] == [None]
