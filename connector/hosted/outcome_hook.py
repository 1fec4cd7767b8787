"""The host's own function is told of outcomes, where due work is carried out. See docs/decisions/0072.

It is called by the thread that holds the claim, while no transaction of ours is open, and may take its time: the claim
is renewed meanwhile. Whatever it raises is an attempt that failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any

import msgspec
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError

from connector.errors import LeaseLostError
from connector.failures import tell
from connector.ports import IN_PROCESS, NotPostedError, Posted, Poster, Posting, before_request
from connector.runtime import Runtime
from connector.sentence import Sentence
from connector.services.outcomes import in_process
from connector.work.meanwhile import meanwhile

BEAT = timedelta(seconds=10)  # well within a third of a lease
SLOW = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))  # after which it is told that it still runs
_DONE = 204
_OURS = "connector"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOutcome:
    """What happened, as the body of a webhook says it.

    Attributes:
        type: Such as session.moved. Newer versions have more types than are known today: pass over the others.
        id: The same whenever the same outcome is told again.
        at: When it happened, aware.
        data: What else is known of it: ids, times and words, as JSON has them; docs/webhooks.md tells of each type.
    """

    type: str
    id: str
    at: datetime
    data: Mapping[str, Any]


OnOutcome = Callable[[ToldOutcome], object]
"""What it returns says nothing."""


class HookPoster:
    """Tells the host's function what is for it, and has others posted as before.

    Args:
        others: Posts to addresses.
        host: In whose application context the function is called.
        on_outcome: The function.
        beat: How often the claim is renewed while it runs.
    """

    def __init__(self, others: Poster | None, host: Flask, on_outcome: OnOutcome, *, beat: timedelta = BEAT) -> None:
        self._others = others
        self._host = host
        self._on_outcome = on_outcome
        self._beat = beat

    def post(self, posting: Posting) -> Posted:
        """Tell one outcome, once.

        Raises: NotPostedError; what `before_request` raises.
        """
        if not posting.url.startswith(IN_PROCESS):
            if self._others is None:
                raise NotPostedError(Sentence("nothing posts outcomes here"))
            return self._others.post(posting)
        before_request()
        told = read(posting.body)
        with meanwhile(_Renewal(self._beat), every=self._beat, name="on_outcome"):
            fault = Context().run(self._call, told)  # which knows nothing of our claim, nor of what our log is about
        if fault is not None:
            raise NotPostedError(fault)  # without the error itself: its words may name somebody
        return Posted(status=_DONE)

    def _call(self, told: ToldOutcome) -> Sentence | None:
        """Call the function, and return what went wrong; None if nothing did."""
        try:
            with self._host.app_context():
                answer = self._host.ensure_sync(self._on_outcome)(told)
        except BaseException as error:  # noqa: BLE001 - the thread is ours, and goes on whatever the host's code wants
            kind, place = type(error).__name__, _place(error.__traceback__)
            return Sentence("the host's function on_outcome raised %(kind)s (%(place)s)", kind=kind, place=place)
        if isinstance(answer, Awaitable | AsyncIterator | Generator):
            if isinstance(answer, Coroutine | Generator):
                answer.close()
            return Sentence("the host's function on_outcome has only promised to do something; give a plain function")
        return None


def read(body: bytes) -> ToldOutcome:
    """Return what the body of a webhook says."""
    said = msgspec.json.decode(body)
    at = datetime.fromisoformat(said["timestamp"])
    return ToldOutcome(type=said["type"], id=said["id"], at=at, data=MappingProxyType(said["data"]))


def equip(runtime: Runtime, host: Flask, on_outcome: OnOutcome | None) -> None:
    """Have the host's function told by the engines of this process, or nobody any more if there is none."""
    runtime.tells_host = on_outcome is not None
    if on_outcome is not None:
        runtime.poster = HookPoster(runtime.poster, host, on_outcome)
    runtime.begin_work = partial(_begin, runtime)


def _begin(runtime: Runtime) -> None:
    """Note, as an engine starts, whether there is a function."""
    now = runtime.clock()
    with runtime.database.begin() as db:
        if runtime.tells_host:
            in_process.register(db, runtime.seal, now=now)
        else:
            in_process.take_away(db, now=now)


class _Renewal:
    """Renews the claim of this context, and tells if that goes on for long.

    What is lost is noticed by whoever records what has come of it.
    """

    def __init__(self, beat: timedelta) -> None:
        self._beat = beat
        self._waited = timedelta()
        self._slow = list(SLOW)

    def __call__(self) -> bool:
        """Renew it once more; False if it is lost."""
        self._waited += self._beat
        if self._slow and self._waited >= self._slow[0]:
            seconds = round(self._slow.pop(0).total_seconds())
            tell("outcome_hook_slow", "on_outcome has not returned yet", seconds=seconds)
        try:
            before_request()
        except LeaseLostError:
            return False
        except (DBAPIError, WaitedTooLongError) as error:
            tell("claim_not_renewed", error)
        return True


def _place(step: TracebackType | None) -> str:
    """Return where in the host's code an error came from: a module and a line, and no path."""
    places: list[tuple[str, int]] = []
    while step is not None:
        module = step.tb_frame.f_globals.get("__name__", "?")
        if places or module.partition(".")[0] != _OURS:
            places.append((module, step.tb_lineno))
        step = step.tb_next
    if not places:
        return "?"
    package = places[0][0].partition(".")[0]
    module, line = next(place for place in reversed(places) if place[0].partition(".")[0] == package)
    return f"{module}:{line}"
