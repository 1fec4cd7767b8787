"""Whatever happens to a session, its offers and its letters: who believes each letter ends with the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from connector.domain import conversation, next_letter
from connector.domain.conversation import Conversation
from connector.domain.facts import Fact, LocationChanged, MoveReason, SessionMoved
from connector.domain.next_letter import Next, Standing
from connector.domain.notice import Notice, NoticeKind
from connector.domain.notice_table import ROWS, Audience, Effect
from connector.domain.offer import OfferState
from connector.domain.people import Actor
from connector.domain.session import Location, LocationKind, Session
from connector.domain.span import When
from connector.errors import RuleError
from tests.domain.conversations import Fate, Rules, World
from tests.domain.examples import ALEX, KIM, PRACTICE, SUPPORT, when

FEW, MANY, STEPS = 60, 10_000, 25
MOST_BELIEFS = 12  # hardly ever more than 6: a case more for each letter in a row of which nobody knows
HOURS = (6, 20, 30, 48, 49, 50, 72, 96)
PLACES = (PRACTICE, Location(kind=LocationKind.IN_PERSON, text="Birkenweg 4, Berlin"))
FATES = (*[Fate.TAKEN] * 6, Fate.NOT_SENT, Fate.NOT_SENT, Fate.ARRIVED_UNKNOWN, Fate.LOST_UNKNOWN)
DELAYS = (1, 5, 13, 24)


class History:
    """One history: the same seed makes the same one as long as the rules make the same letters."""

    def __init__(self, seed: int, rules: Rules | None = None, *, is_opaque: bool = False) -> None:
        self.pick = Random(seed)
        self.world = World(rules, is_opaque=is_opaque)
        self.told: list[str] = ["book"]

    def run(self) -> World:
        for _ in range(STEPS):
            self._step()
            self.world.check_case()
        self.world.lapse()
        self.told.append("all is well")
        self.world.send_all()
        self.world.check_quiet()
        return self.world

    def _step(self) -> None:
        draw = self.pick.random()
        if draw < 0.4:
            self._act()
        elif draw < 0.85:
            self._send()
        elif draw < 0.96:
            hours = self.pick.choice(DELAYS)
            self.told.append(f"{hours} hours pass")
            self.world.passes(timedelta(hours=hours))
        else:
            is_stranger, is_back = self.pick.random() < 0.5, self.pick.random() < 0.5
            self.told.append(f"address corrected, the old one a stranger's: {is_stranger}, an earlier one: {is_back}")
            self.world.correct_address(is_stranger=is_stranger, is_back=is_back)

    def _send(self) -> None:
        notice = self.world.begin()
        if notice is None:
            if self.world.begun is None:
                self.world.check_quiet()
            return
        if self.pick.random() < 0.2:
            self._act()
        fate = Fate.REFUSED if self.pick.random() < 0.02 else self.pick.choice(FATES)
        self.told.append(f"{notice.kind}: {fate}")
        self.world.end(fate)

    def _act(self) -> None:
        acts: tuple[Callable[[], str], ...] = (
            self._move,
            self._correct,
            self._relocate,
            self._offer,
            self._change,
            self._answer,
            self._answer,
            self._end,
        )
        with suppress(RuleError):
            self.told.append("refused")
            self.told[-1] = self.pick.choice(acts)()

    def _by(self) -> Actor:
        return SUPPORT if self.pick.random() < 0.2 else KIM

    def _time(self) -> When:
        return when(self.pick.choice(HOURS))

    def _move(self) -> str:
        to, by = self._time(), self._by()
        location = self.pick.choice(PLACES) if self.pick.random() < 0.2 else None
        self.world.move(to, by=by, location=location)
        return f"moved to {to.local} by {by.role}"

    def _correct(self) -> str:
        to = when(-3) if self.pick.random() < 0.1 else self._time()
        self.world.correct(to)
        return f"corrected to {to.local}"

    def _relocate(self) -> str:
        to, by = self.pick.choice(PLACES), self._by()
        self.world.relocate(to, by=by)
        return f"relocated to {to.text} by {by.role}"

    def _offer(self) -> str:
        times = [when(hours) for hours in self.pick.sample(HOURS, self.pick.choice((1, 2, 3)))]
        location = self.pick.choice(PLACES) if self.pick.random() < 0.3 else None
        self.world.offer(*times, window=timedelta(hours=self.pick.choice((4, 24, 60))), location=location)
        return f"offered {[one.local for one in times]}"

    def _change(self) -> str:
        if self.pick.random() < 0.5:
            self.world.withdraw_alternative(self.pick.randrange(3))
            return "an alternative withdrawn"
        self.world.move_alternative(self._time(), self.pick.randrange(3))
        return "an alternative moved"

    def _answer(self) -> str:
        by = self.pick.choice((ALEX, ALEX, SUPPORT))
        if self.pick.random() < 0.1:
            self.world.follow_a_link()
        draw = self.pick.random()
        if draw < 0.55:
            self.world.accept(self.pick.randrange(3), by=by)
            return f"accepted by {by.role}"
        if draw < 0.9:
            self.world.reject(by=by)
            return f"rejected by {by.role}"
        self.world.cancel_booking(by=by)
        return f"booking cancelled by {by.role}"

    def _end(self) -> str:
        draw = self.pick.random()
        if draw < 0.4:
            self.world.lapse()
            return "the clock looks"
        if draw < 0.75:
            self.world.withdraw()
            return "offer withdrawn"
        self.world.cancel(by=self._by())
        return "cancelled"


class Writing(History):
    """A history whose client also asks for other times by mail, and how things stand."""

    def _act(self) -> None:
        draw = self.pick.random()
        if draw < 0.15:
            self.told.append("asks again")
            self.world.ask_again()
        elif draw < 0.3:
            self.told.append("a wish is declined")
            with suppress(RuleError):
                self.world.wish(self._time())
        else:
            super()._act()


def written(seed: int) -> World:
    history = Writing(seed)
    try:
        return history.run()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(history.told)) from error


def lived(seed: int, rules: Rules | None = None, *, is_opaque: bool = False) -> World:
    history = History(seed, rules, is_opaque=is_opaque)
    try:
        return history.run()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(history.told)) from error


def test_whoever_believes_each_letter_ends_with_the_truth() -> None:
    worlds = [lived(seed) for seed in range(FEW)]

    assert max(world.most_beliefs for world in worlds) <= MOST_BELIEFS


@pytest.mark.parametrize("histories", [FEW, pytest.param(MANY // 4, marks=pytest.mark.long)])
def test_whoever_writes_back_as_well_ends_with_the_truth(histories: int) -> None:
    worlds = [written(seed) for seed in range(histories)]

    assert NoticeKind.PROPOSAL_DECLINED in {notice.kind for world in worlds for notice in world.left}


@pytest.mark.long
def test_whoever_believes_each_letter_ends_with_the_truth_in_thousands_of_histories() -> None:
    worlds = [lived(seed) for seed in range(MANY)]

    assert max(world.most_beliefs for world in worlds) <= MOST_BELIEFS
    to_clients = {row.kind for row in ROWS if row.to is Audience.CLIENT and row.effect is not Effect.NONE}
    by_mail = {NoticeKind.PROPOSAL_DECLINED}  # what somebody has asked for by mail: see test_conversation_proposals
    assert {notice.kind for world in worlds for notice in world.left} == to_clients - by_mail


# One rule forgotten: the histories must find it.


def _doubt_forgotten(conv: Conversation) -> Conversation:
    return replace(conv, beliefs=tuple(belief for belief in conv.beliefs if belief.letter is None))


def _doubt_believed(conv: Conversation) -> Conversation:
    told = tuple(replace(belief, letter=None) for belief in conv.beliefs if belief.letter is not None)
    return replace(conv, beliefs=tuple(dict.fromkeys(told)) or conv.beliefs)


def _earlier_address_forgotten(conv: Conversation) -> Conversation:
    return replace(conversation.readdressed(conv), earlier=())


def _void_merged(conv: Conversation, facts: Iterable[Fact]) -> Conversation:
    facts = tuple(facts)
    after = conversation.witnessed(conv, facts)
    if any(
        isinstance(f, LocationChanged) or (isinstance(f, SessionMoved) and f.reason is MoveReason.AGREED) for f in facts
    ):
        return replace(after, beliefs=tuple(replace(belief, void=()) for belief in after.beliefs))
    return after


def _offer_after_its_deadline(conv: Conversation, standing: Standing, basis: Notice, **rest: Any) -> Next:
    now = rest["now"]
    if standing.open is not None and standing.open.expires_at is not None:
        now = min(now, standing.open.expires_at - timedelta(seconds=1))
    return next_letter.next_letter(conv, standing, basis, now=now)


def _changed(change: Callable[[Notice], Notice]) -> Callable[..., Next]:
    def changed(*args: Any, **rest: Any) -> Next:
        following = next_letter.next_letter(*args, **rest)
        return replace(following, notice=change(following.notice)) if following.notice else following

    return changed


@_changed
def _link_left_open_by_a_cancel(notice: Notice) -> Notice:
    return replace(notice, offer_id=None) if notice.kind is NoticeKind.CANCELLED else notice


def _revision_not_raised(before: Session, after: Session) -> Session:
    return replace(after, revision=before.revision)


def _lapse_told_to_the_unasked(conv: Conversation, standing: Standing, basis: Notice, **rest: Any) -> Next:
    following = next_letter.next_letter(conv, standing, basis, **rest)
    last = standing.ends[-1] if standing.ends else None
    if following.notice is None and last is not None and last[1] is OfferState.LAPSED:
        session = replace(standing.session, flag=None)
        return Next(notice=replace(basis, kind=NoticeKind.LAPSED, session=session, offer_id=last[0]))
    return following


def _past_told_as_to_come(*args: Any, **rest: Any) -> Next:
    following = next_letter.next_letter(*args, **rest)
    return replace(following, notice=following.untold or following.notice, untold=None)


MUTANTS = {  # each with the words in which it must be found
    "doubt forgotten": (Rules(doubted=_doubt_forgotten), "they believe"),
    "doubt believed": (Rules(doubted=_doubt_believed), "their calendar says"),
    "earlier address forgotten": (Rules(readdressed=_earlier_address_forgotten), "their calendar says"),
    "void merged": (Rules(witnessed=_void_merged), "was never taken back by its name"),
    "offer after its deadline": (Rules(next_letter=_offer_after_its_deadline), "an offer is told after its deadline"),
    "link left open by a cancel": (
        Rules(next_letter=_link_left_open_by_a_cancel),
        "they believe that an offer is open",
    ),
    "revision not raised": (Rules(revised=_revision_not_raised), "the same SEQUENCE says another thing"),
    "lapse told to the unasked": (Rules(next_letter=_lapse_told_to_the_unasked), "a lapse is told to the unasked"),
    "past told as to come": (
        Rules(next_letter=_past_told_as_to_come),
        "a session that has begun is told as to come",
    ),
}


def _seed_that_finds(mutant: Rules, words: str) -> int | None:
    for seed in range(MANY):
        try:
            lived(seed, mutant, is_opaque=True)
        except AssertionError as error:
            if words in str(error):
                return seed
    return None


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_the_histories_find_a_forgotten_rule_by_what_its_reader_ends_with(name: str) -> None:
    assert _seed_that_finds(*MUTANTS[name]) is not None
