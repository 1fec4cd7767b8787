"""Every pair that can be: a letter that has not left yet, what happens next, and what leaves then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from connector.errors import RuleError
from tests.domain.conversations import World
from tests.domain.examples import ALEX, PRACTICE, SUPPORT, when
from tests.domain.test_conversation import ELSEWHERE, FOURTH, SECOND, THIRD, TOLD

LISTED = Path(__file__).parent.parent / "data" / "conversation_pairs.txt"

ACTS: dict[str, Callable[[World], None]] = {
    "moved": lambda world: world.move(FOURTH),
    "moved back": lambda world: world.move(TOLD),
    "corrected": lambda world: world.correct(when(144)),
    "corrected back": lambda world: world.correct(TOLD),
    "relocated": lambda world: world.relocate(ELSEWHERE),
    "relocated back": lambda world: world.relocate(PRACTICE),
    "cancelled": World.cancel,
    "offered": lambda world: world.offer(SECOND, THIRD),
    "time withdrawn": World.withdraw_alternative,
    "offer withdrawn": World.withdraw,
    "accepted": lambda world: world.accept(by=ALEX),
    "accepted by support": lambda world: world.accept(by=SUPPORT),
    "rejected": lambda world: world.reject(by=ALEX),
    "rejected by support": World.reject_by_support,
    "booking cancelled": lambda world: world.cancel_booking(by=ALEX),
    "lapsed": World.lapse_at_the_deadline,
    "23 hours passed": lambda world: world.passes(timedelta(hours=23)),
    "begun": lambda world: world.passes(timedelta(hours=48)),
}
SETTLED = (  # what was told before
    "",
    "booked",
    "booked, relocated",
    "booked, offered",
    "booked, offered, time withdrawn",
    "booked, offered, rejected",
    "booked, offered, lapsed",
    "booked, offered, accepted",
    "booked, offered, 23 hours passed",
)


def _settled(acts: str) -> World:
    world = World()
    for act in filter(None, acts.split(", ")):
        if act != "booked":
            ACTS[act](world)
        world.send_all()
    return world


def _happens(world: World, act: str) -> bool:
    """Whether something changes by an act, or time passes."""
    before = (world.session, dict(world.offers), world.now)
    with suppress(RuleError):
        ACTS[act](world)
    return (world.session, world.offers, world.now) != before


def _rows() -> Iterator[tuple[str, str]]:
    """Every pair with what leaves, and a history in which it does."""
    for settled in SETTLED:
        for first in ACTS if settled else ("",):
            for second in ACTS:
                world = _settled(settled)
                if first and not _happens(world, first):
                    continue
                unsent = world.next().notice
                if unsent is None or not _happens(world, second):
                    continue
                kinds = [kind.value for kind in world.send_all()]
                world.check_quiet()
                history = ", ".join(filter(None, (settled, f"[{first or 'booked'}]", f"[{second}]")))
                yield f"{unsent.kind.value} + {second} -> {', '.join(kinds) or 'nothing'}", history


def reachable() -> dict[str, str]:
    """The rows, each with the first history that was found for it."""
    found: dict[str, str] = {}
    for row, history in _rows():
        found.setdefault(row, history)
    return found


def test_what_can_be_reached_is_what_is_listed() -> None:
    listed = dict(line.split("  # ") for line in LISTED.read_text(encoding="utf-8").splitlines())

    assert reachable() == {row.strip(): history for row, history in listed.items()}
