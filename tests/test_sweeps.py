from __future__ import annotations

from itertools import product

import pytest

from tests.sweeps import EVERY_CASE, positions, sample

CASES = [{"service": s, "write": w, "after": a} for s, w, a in product(range(3), range(13), range(2))]


@pytest.mark.parametrize("seed", ["1", "2", "another word"])
def test_every_value_of_every_parameter_is_tried_in_as_few_cases_as_the_longest_has_values(seed: str) -> None:
    taken = [CASES[n] for n in sample(CASES, seed=seed)]
    assert {case["service"] for case in taken} == set(range(3))
    assert {case["write"] for case in taken} == set(range(13))
    assert {case["after"] for case in taken} == set(range(2))
    assert len(taken) == 13


def test_pairs_that_did_not_come_yet_go_before_those_that_did() -> None:
    taken = [CASES[n] for n in sample(CASES, seed="1", at_least=39)]
    assert {(case["service"], case["write"]) for case in taken} == set(product(range(3), range(13)))


def test_a_seed_decides_and_all_is_all() -> None:
    assert sample(CASES, seed="1") == sample(CASES, seed="1") != sample(CASES, seed="2")
    assert sample(CASES, seed=EVERY_CASE) == set(range(len(CASES)))
    assert sample(CASES[:2], seed="1", at_least=5) == {0, 1}


def test_values_are_told_apart_as_the_things_they_are() -> None:
    first, second = ["equal"], ["equal"]
    assert positions([{"one": first}, {"one": second}, {"one": first}]) == [{"one": 0}, {"one": 1}, {"one": 0}]
