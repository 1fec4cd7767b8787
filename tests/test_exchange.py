"""One deadline over a whole exchange, whatever library carries it out."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from connector.errors import RefusedError
from connector.exchange import LateError, left, uses, within

SOON, LONG = timedelta(seconds=0.4), timedelta(seconds=60)  # soon, and yet begun by then on a busy machine


@dataclass(eq=False)
class Line:
    """A connection: `sock` is ours, and nobody says anything at the other end."""

    sock: socket.socket
    peer: socket.socket

    def is_open(self) -> bool:
        self.peer.sendall(b"x")
        return self.sock.recv(1) == b"x"


@pytest.fixture
def line() -> Iterator[Line]:
    sock, peer = socket.socketpair()
    with sock, peer:
        yield Line(sock, peer)


def test_who_waits_for_an_answer_is_freed_when_the_time_has_passed(line: Line) -> None:
    def act() -> None:
        uses(line)
        line.sock.recv(1)

    with pytest.raises(LateError), within(SOON):
        act()


def test_what_a_cut_connection_seemed_to_say_is_not_believed(line: Line) -> None:
    words = b"?"

    def act() -> None:
        nonlocal words
        uses(line)
        words = line.sock.recv(1)

    with pytest.raises(LateError), within(SOON):
        act()
    assert words == b""


def test_what_a_library_makes_of_the_cut_is_named_for_what_it_is(line: Line) -> None:
    def act() -> None:
        uses(line)
        line.sock.recv(1)
        raise KeyError("status")

    with pytest.raises(LateError) as caught, within(SOON):
        act()
    assert isinstance(caught.value.__cause__, KeyError)


def test_our_own_errors_go_through(line: Line) -> None:
    def act() -> None:
        uses(line)
        line.sock.recv(1)
        raise RefusedError("too long")

    with pytest.raises(RefusedError), within(SOON):
        act()


def test_a_library_that_connects_anew_finds_no_more_time(line: Line) -> None:
    def act() -> None:
        uses(line)
        line.sock.recv(1)
        uses(line)
        pytest.fail("it was let connect")

    with pytest.raises(LateError), within(SOON):
        act()


def test_a_socket_the_library_lets_go_of_is_cut_too(line: Line) -> None:
    kept = line.sock

    def act() -> None:
        uses(line)
        line.sock = line.peer
        kept.recv(1)

    with pytest.raises(LateError), within(SOON):
        act()


def test_an_exchange_that_has_ended_is_not_cut(line: Line) -> None:
    with within(SOON):
        uses(line)
    with pytest.raises(LateError), within(SOON + SOON):
        _wait_for_cut()
    assert line.is_open()


def test_a_connection_somebody_else_uses_by_now_is_not_cut(line: Line) -> None:
    def act() -> None:
        uses(line)
        with within(LONG):
            uses(line)
        with pytest.raises(LateError), within(SOON):
            _wait_for_cut()

    with pytest.raises(LateError), within(SOON):
        act()


def test_a_part_ends_with_the_whole(line: Line) -> None:
    def act() -> None:
        uses(line)
        line.sock.recv(1)

    with pytest.raises(LateError), within(SOON), within(LONG):
        act()


def test_a_connection_whose_exchange_has_failed_is_not_used_again(line: Line) -> None:
    def act() -> None:
        uses(line)
        raise KeyError("nonce")

    with pytest.raises(KeyError), within(LONG):
        act()
    assert line.sock.recv(1) == b""


def test_what_was_taken_stays_so_however_long_the_goodbye(line: Line) -> None:
    with within(SOON) as exchange:
        uses(line)
        line.sock.recv(1)
        exchange.taken()


def test_a_thread_without_an_exchange_has_no_limit(line: Line) -> None:
    uses(line)
    assert left() is None
    with within(LONG):
        assert timedelta() < (left() or LONG) <= LONG
    assert left() is None


def test_a_process_that_was_forked_watches_for_itself(line: Line) -> None:
    with within(LONG):
        pass  # so that the thread of this process runs
    child = multiprocessing.get_context("fork").Process(target=_end_late, args=(line,))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def _end_late(line: Line) -> None:
    def act() -> None:
        uses(line)
        line.sock.recv(1)

    with pytest.raises(LateError), within(SOON):
        act()


def _wait_for_cut() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        other = Line(ours, theirs)
        uses(other)
        ours.recv(1)
