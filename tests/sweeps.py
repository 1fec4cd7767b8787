"""Which cases of a sweep `make test-long` tries: every value of every parameter, not every pair of them.

A sweep has a case for every combination: each write to each service, before and after. A test that starts processes of
its own takes ten seconds, and hundreds of them an hour. `CONNECTOR_TEST_SWEEP=all make test-long` tries every case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import combinations

EVERY_CASE = "all"

Case = Mapping[str, int]  # the position of each parameter's value


def positions(cases: Sequence[Mapping[str, object]]) -> list[Case]:
    """Return which of a parameter's values each case has: the first that came, the second, and so on."""
    came: dict[str, dict[int, int]] = {}
    return [
        {name: came.setdefault(name, {}).setdefault(id(value), len(came[name])) for name, value in case.items()}
        for case in cases
    ]


def sample(cases: Sequence[Case], *, seed: str, at_least: int = 1) -> set[int]:
    """Return positions of cases in which each value of each parameter comes, `at_least` so many of them.

    The case with the most values that did not come yet is taken next, then the one with the most new pairs of them;
    among equals the seed decides.
    """
    if seed == EVERY_CASE:
        return set(range(len(cases)))
    values = [set(case.items()) for case in cases]
    pairs = [set(combinations(sorted(case.items()), 2)) for case in cases]
    chance = [sha256(f"{seed} {sorted(case.items())}".encode()).digest() for case in cases]
    wanted, unmet = set().union(*values), set().union(*pairs)
    taken: set[int] = set()
    while wanted or len(taken) < min(at_least, len(cases)):
        left = (n for n in range(len(cases)) if n not in taken)
        best = max(left, key=lambda n: (len(values[n] & wanted), len(pairs[n] & unmet), chance[n]))
        taken.add(best)
        wanted -= values[best]
        unmet -= pairs[best]
    return taken
