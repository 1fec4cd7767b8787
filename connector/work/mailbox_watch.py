"""Listens to the reply mailbox, so that what comes in is fetched at once: what is heard means no more than *look*.

Whatever is not heard is found by the look that is due every few minutes anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count

from connector.failures import tell
from connector.ports import Clock, ReplyMailbox
from connector.services import fetching
from connector.storage import reply_mailbox
from connector.storage.database import Database
from connector.storage.ledger import LEASE, Urgency

_BATON = 0x6D61696C  # the advisory lock of the one process that listens
_LISTENS_FOR = fetching.POLL_TOLD  # then it begins anew: shorter than servers and networks keep a silent connection
_SILENCE = LEASE / 2  # after so long without a sign of life, another process takes over
_CONFIRMED_AFTER = 10  # beats, a second each
_BREATH = timedelta(seconds=1)  # between two words of a server that has much to say
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)
_STOPS_WITHIN = timedelta(seconds=5)
_RARELY = timedelta(hours=1)  # where the server cannot tell what comes in, that is asked for again


class MailboxWatch:
    """One thread that listens, in one process of all those on the database.

    Args:
        database: Where the mailbox is made due.
        mailbox: What clients answer to.
        clock: For when that is.
        take_over: How often a process that does not listen looks whether it is its turn.
    """

    def __init__(
        self,
        database: Database,
        mailbox: ReplyMailbox,
        clock: Clock,
        *,
        take_over: timedelta = timedelta(seconds=10),
    ) -> None:
        self._database = database
        self._mailbox = mailbox
        self._clock = clock
        self._take_over = take_over
        self._baton = database.baton(_BATON, silence=_SILENCE)
        self._stop = threading.Event()
        self._failures = 0
        self._thread = self._new_thread()

    def start(self) -> None:
        """Have the mailbox looked into, and start to listen, or to wait for the process that does to end."""
        fetching.begin(self._database, self._mailbox, now=self._clock(), urgency=Urgency.LOOK)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread lives; only a fault of ours ends it before `stop`."""
        return self._thread.is_alive()

    def restart(self) -> None:
        """Go on in a new thread, after the former one has died."""
        self._thread = self._new_thread()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and let another process listen; one that waits for a silent server ends with its process."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOPS_WITHIN.total_seconds())
        if not self._thread.is_alive():
            self._baton.close()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="mailbox", daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            pause = self._take_over
            try:
                if self._baton.held():
                    pause = self._listen()
            except Exception as error:  # noqa: BLE001 - the server, or the database, may be back next time
                pause = self._pause_after(error)
            self._stop.wait(pause.total_seconds())

    def _listen(self) -> timedelta:
        """Listen for as long as it is our turn, and return how long to pause.

        Where the mailbox cannot be read nobody knocks a second time: those who look into it do, ever more slowly.
        """
        with self._database.read() as db:
            standing = reply_mailbox.standing(db)
        if standing is not None and standing.fault is not None:
            return self._take_over
        with self._mailbox.open() as folder:
            if not folder.tells:
                return _RARELY
            while not self._stop.is_set() and self._baton.held():
                folder.wait(_LISTENS_FOR, beat=self._beat())
                self._failures = 0
                self._stop.wait(_BREATH.total_seconds())
        return self._take_over

    def _beat(self) -> Callable[[], bool]:
        """Return what has the mailbox looked into once the server listens: what came before that, it may not tell."""
        beats = count()

        def beat() -> bool:
            number = next(beats)
            if number == 0:
                fetching.begin(self._database, self._mailbox, now=self._clock(), urgency=Urgency.LOOK)
            is_ours = number % _CONFIRMED_AFTER != 0 or self._baton.held()
            return is_ours and not self._stop.is_set()

        return beat

    def _pause_after(self, error: Exception) -> timedelta:
        """Tell once that nobody listens, and return how long to pause; why, those who look into it will tell, too."""
        self._failures += 1
        if self._failures == 1:
            tell("mailbox_not_listened_to", error)
        doublings = min(self._failures - 1, 10)
        return min(_FIRST_PAUSE * float(2**doublings), _LONGEST_PAUSE)
