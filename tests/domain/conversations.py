"""A session, its practitioner and a client who reads letters, as a world in which the rules of telling are tried.

What happens is made by the transitions of `session` and `offer`; letters leave as `services/conversations.py` has them
leave. The reader believes each letter as it arrives, and knows nothing of the rules that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import product
from uuid import UUID, uuid4

from connector.domain import conversation, offer, session
from connector.domain.conversation import Belief, Conversation
from connector.domain.facts import Fact, MoveReason, SessionMoved
from connector.domain.next_letter import Next, Standing, next_letter
from connector.domain.notice import Choice, DeclinedProposal, Notice, NoticeKind, Recipient
from connector.domain.offer import Offer, OfferState
from connector.domain.offer import Transition as OfferTransition
from connector.domain.people import Actor, Role
from connector.domain.session import Edit, Location, Session, SessionState
from connector.domain.span import When, zone_named
from tests.domain.examples import ALEX, ATTESTED, KIM, NOW, PRACTICE, SUPPORT, when

ZONE = "Europe/London"
BASIS = Notice(
    kind=NoticeKind.BOOKED,
    to=Recipient(name="Alex Client", address="alex@client.example", zone=ZONE, locale="en"),
    practitioner_name="Kim Beispiel",
    client_name="Alex Client",
)
REQUESTS = {NoticeKind.BOOKED, NoticeKind.MOVED, NoticeKind.CORRECTED, NoticeKind.RELOCATED, NoticeKind.ACCEPTED}
ASKING = {NoticeKind.OFFERED, NoticeKind.OFFER_CHANGED, NoticeKind.OFFER_REMINDER}
ENDING = {NoticeKind.REJECTED, NoticeKind.LAPSED, NoticeKind.WITHDRAWN}
WORDED_FOR_THE_PAST = {NoticeKind.MOVED, NoticeKind.CORRECTED, NoticeKind.ACCEPTED}
CONFIRMING = {
    NoticeKind.ACCEPTED,
    NoticeKind.REJECTED,
    NoticeKind.CANCELLED,
    NoticeKind.OFFER_REMINDER,
    NoticeKind.PROPOSAL_DECLINED,
}
MOST_LETTERS = 12  # that one state of things can need, with doubts
Place = tuple[When, Location]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules that are tried; a mutant replaces one. `revised` sees a session before and after a change."""

    revised: Callable[[Session, Session], Session] = lambda _before, after: after
    witnessed: Callable[[Conversation, Iterable[Fact]], Conversation] = conversation.witnessed
    handed_over: Callable[..., Conversation] = conversation.handed_over
    arrived: Callable[[Conversation, UUID], Conversation] = conversation.arrived
    not_sent: Callable[[Conversation, UUID], Conversation] = conversation.not_sent
    refused: Callable[[Conversation, UUID, Notice], Conversation] = conversation.refused
    doubted: Callable[[Conversation], Conversation] = conversation.doubted
    readdressed: Callable[[Conversation], Conversation] = conversation.readdressed
    next_letter: Callable[..., Next] = next_letter


class Fate(StrEnum):
    """What becomes of a letter that is handed over."""

    TAKEN = "taken"
    NOT_SENT = "surely not sent"
    ARRIVED_UNKNOWN = "arrived, which nobody knows"
    LOST_UNKNOWN = "lost, which nobody knows"
    REFUSED = "refused for good"


@dataclass
class Reader:
    """Somebody who believes each letter, and whose calendar takes each message that is not older than the last."""

    known: Place | None = None
    entry: Place | None = None
    sequence: int = -1
    offers: dict[UUID, tuple[tuple[Choice, ...], datetime]] = field(default_factory=dict)
    void: set[When] = field(default_factory=set)
    answered: set[UUID] = field(default_factory=set)

    def read(self, notice: Notice) -> None:
        assert notice.session is not None
        here = (notice.session.when, notice.session.location)
        if notice.kind in REQUESTS:
            self._invite(here, notice.session.revision)
            self.void -= {notice.old_when, here[0]}
            if notice.offer_withdrawn or notice.kind is NoticeKind.ACCEPTED:
                self.offers.clear()
        elif notice.kind is NoticeKind.CANCELLED:
            self._invite(None, notice.session.revision)
            self.void.clear()
            if notice.offer_id is not None:  # the letter says so
                self.offers.clear()
        elif notice.kind in ASKING:
            assert notice.offer_id is not None
            assert notice.expires_at is not None
            if notice.offer_withdrawn:
                self.offers.clear()
            if notice.offer_id not in self.answered:  # a letter that crosses their answer asks nothing
                self.offers[notice.offer_id] = (notice.choices, notice.expires_at)
        elif notice.kind is not NoticeKind.PROPOSAL_DECLINED:
            assert notice.kind in ENDING
            self.offers.clear()
        self.known = None if notice.kind is NoticeKind.CANCELLED else here

    def _invite(self, entry: Place | None, sequence: int) -> None:
        if sequence >= self.sequence:
            self.entry, self.sequence = entry, sequence

    def as_of_now(self) -> Reader:
        return replace(self, offers=dict(self.offers), void=set(self.void), answered=set(self.answered))

    def times(self) -> list[When]:
        return [place[0] for place in (self.known, self.entry) if place is not None]

    def is_case_of(self, belief: Belief) -> bool:
        """Whether this is how they are in a case that the conversation thinks possible."""
        known, entry = ((a and (a.when, a.location)) for a in (belief.known, belief.entry))
        is_known = known == self.known or (known and self.known and known[1] is None and known[0] == self.known[0])
        told = {belief.offer.offer_id: (belief.offer.choices, belief.offer.expires_at)} if belief.offer else {}
        return bool(is_known) and entry == self.entry and told == self.offers


@dataclass(kw_only=True)
class Begun:
    """A letter that was begun and neither sent nor refused."""

    letter: UUID
    notice: Notice
    in_doubt: bool = False


class World:
    """What stands, what is told of it, and who reads it. Each act is refused by RuleError where it cannot be."""

    def __init__(self, rules: Rules | None = None, *, hours: float = 48, is_opaque: bool = False) -> None:
        self.rules = rules or Rules()
        self.is_opaque = is_opaque  # whether to look only at letters and their reader, not at beliefs
        self.now = NOW
        self.beliefs = Conversation()
        self.reader = Reader()
        self.absent: list[Reader] = []  # who read at an address that letters no longer go to
        self.links: set[UUID] = set()  # of offers whose page the client has seen or can open
        self.offers: dict[UUID, Offer] = {}
        self.begun: Begun | None = None
        self.left: list[Notice] = []  # every letter that may have left, in order, once
        self.untold: list[Notice] = []
        self.in_doubt = False  # whether a letter's fate may be unknown to the rules
        self.is_crossed = False  # whether the client acted on a page while a letter was under way
        self.reminders: dict[UUID, UUID] = {}
        self.asked: set[UUID] = set()
        self.has_acted = False  # whether the client has answered, or support for them
        self.content: dict[int, tuple[object, ...]] = {}
        self.turned_away: list[Notice] = []
        self.most_beliefs = 1
        self.reached = False  # whether anything may have reached the reader
        booking = session.book(
            practitioner_id=uuid4(),
            client_id=uuid4(),
            when=when(hours),
            location=PRACTICE,
            organizer="sessions@pencilled.example",
            by=KIM,
            now=self.now,
        )
        self.session: Session = booking.session
        self._witness(booking.facts)

    # What people and the clock do.

    @property
    def open(self) -> Offer | None:
        """The offer that is open."""
        return next((one for one in self.offers.values() if one.state is OfferState.OPEN), None)

    @property
    def newest(self) -> Offer | None:
        """The offer that was sent last."""
        return next(reversed(self.offers.values()), None)

    def move(self, to: When, *, by: Actor = KIM, location: Location | None = None) -> None:
        self._edit(Edit(when=to, location=location, attestation=ATTESTED), by=by)

    def correct(self, to: When, *, by: Actor = KIM) -> None:
        self._edit(Edit(when=to, reason=MoveReason.CORRECTION, override_past=True), by=by)

    def relocate(self, to: Location, *, by: Actor = KIM) -> None:
        self._edit(Edit(location=to), by=by)

    def _edit(self, edit: Edit, *, by: Actor) -> None:
        self.lapse()
        transition = session.edit(self.session, edit, by=by, now=self.now)
        facts = transition.facts
        new_session = transition.session
        moves = [fact for fact in facts if isinstance(fact, SessionMoved)]
        if self.open is not None and moves:
            withdrawal = offer.withdraw(self.open, new_session, by=by, now=self.now)
            self._keep(withdrawal.offer)
            facts = (*withdrawal.facts, *facts)
        for move, reader in product(moves, (self.reader, *self.absent)):
            reader.void.discard(move.new)
            if move.reason is MoveReason.CORRECTION and reader.known and reader.known[0] == move.old:
                reader.void.add(move.old)
        self._stands(new_session)
        self._witness(facts)

    def cancel(self, *, by: Actor = KIM) -> None:
        self.lapse()
        if self.open is None:
            transition = session.cancel(self.session, by=by, now=self.now)
            new_session, facts = transition.session, transition.facts
        else:
            ending = offer.end_with_session(self.open, self.session, by=by, now=self.now)
            self._keep(ending.offer)
            new_session, facts = ending.session, ending.facts
        self._stands(new_session)
        self._witness(facts)

    def offer(self, *times: When, window: timedelta = timedelta(hours=24), location: Location | None = None) -> None:
        self.lapse()
        draft = offer.draft(self.session, [(one, location) for one in times], window=window, by=KIM, now=self.now)
        sending = offer.send(draft.offer, self.session, by=KIM, now=self.now)
        facts: tuple[Fact, ...] = sending.facts
        if self.open is not None:
            ending = offer.replaced(self.open, self.session, sending.offer, by=KIM, now=self.now)
            self._keep(ending.offer)
            facts = (*ending.facts, *facts)
        self._settle(replace(sending, facts=(*draft.facts, *facts)))

    def withdraw(self) -> None:
        self.lapse()
        if self.open is not None:
            self._settle(offer.withdraw(self.open, self.session, by=KIM, now=self.now))

    def withdraw_alternative(self, n: int = 0) -> None:
        self.lapse()
        if self.open is not None and self.open.standing:
            target = self.open.standing[n % len(self.open.standing)]
            self._settle(offer.withdraw_alternative(self.open, self.session, target.id, by=KIM, now=self.now))

    def move_alternative(self, to: When, n: int = 0) -> None:
        self.lapse()
        if self.open is not None and self.open.standing:
            target = self.open.standing[n % len(self.open.standing)]
            self._settle(offer.move_alternative(self.open, self.session, target.id, to, by=KIM, now=self.now))

    def accept(self, n: int = 0, *, by: Actor = ALEX) -> None:
        """By the client on the page of an offer, or by support, after a lapse or a rejection as well."""
        if (chosen := self._answered(by)) is None:
            return
        alternative = chosen.standing[n % len(chosen.standing)] if chosen.standing else chosen.alternatives[0]
        transition = offer.accept(chosen, self.session, alternative.id, by=by, now=self.now)
        self.has_acted = self.has_acted or bool(transition.facts)
        for reader in self.absent if transition.facts else ():
            reader.void.discard(transition.session.when)
        if transition.facts and by is ALEX:
            self._on_page()
            self.reader.known = (transition.session.when, transition.session.location)
            self.reader.answered.add(chosen.id)
            self.reader.offers.clear()
            self.reader.void.clear()  # they have seen another time on the page, and chosen a third
        elif transition.facts:
            self.reader.void.discard(transition.session.when)
        self._settle(transition)

    def reject(self, *, by: Actor = ALEX) -> None:
        if (rejected := self._answered(by)) is None:
            return
        transition = offer.reject(rejected, self.session, by=by, now=self.now)
        self.has_acted = self.has_acted or bool(transition.facts)
        if transition.facts and by is ALEX:
            self._on_page()
            self.reader.answered.add(rejected.id)
            self.reader.offers.pop(rejected.id, None)
        self._settle(transition)

    def cancel_booking(self, *, by: Actor = ALEX) -> None:
        if (answered := self._answered(by)) is None:
            return
        transition = offer.cancel_booking(answered, self.session, by=by, now=self.now)
        if transition.facts and by is ALEX:
            self._on_page()
        self._settle(transition)

    def _answered(self, by: Actor) -> Offer | None:
        """The offer that somebody can answer: the client needs its link."""
        if by.role is not Role.SUPPORT:
            self.lapse()
        return next((one for one in reversed(self.offers.values()) if by is not ALEX or one.id in self.links), None)

    def _on_page(self) -> None:
        self.has_acted = True
        self.is_crossed = self.is_crossed or self.begun is not None

    def follow_a_link(self) -> None:
        """The client has the link to the open offer from somewhere else, such as a short message."""
        if self.open is not None:
            self.links.add(self.open.id)

    def lapse(self) -> None:
        """The clock ends an offer whose deadline has come."""
        if self.open is not None:
            self._settle(offer.lapse(self.open, self.session, now=self.now))

    def lapse_at_the_deadline(self) -> None:
        if self.open is not None and self.open.expires_at is not None:
            self.now = max(self.now, self.open.expires_at)
        self.lapse()

    def reject_by_support(self) -> None:
        self.reject(by=SUPPORT)

    def passes(self, duration: timedelta) -> None:
        self.now += duration

    def wish(self, to: When) -> None:
        """The client asks for a time by mail, and their practitioner declines it."""
        self.lapse()
        session.check_stands(self.session)
        if not self.reached:
            return  # who has no letter has nothing to answer
        wished = DeclinedProposal(when=to, sequence=self.session.revision, at=self.now)
        self.beliefs = conversation.declining(self.beliefs, wished)

    def ask_again(self) -> None:
        """The client's calendar has lost the entry, and asks how the session stands."""
        if self.session.state is SessionState.CANCELLED or self.session.when.span.start <= self.now or not self.reached:
            return
        told = [notice for notice in self.left if notice.kind in REQUESTS]
        latest = told[-1].session if told else None
        accepted = latest is not None and latest.revision == self.session.revision and told[-1].kind in CONFIRMING
        self.is_crossed = self.is_crossed or self.begun is not None
        self.reader.entry, self.reader.sequence, self.turned_away = None, -1, []
        self.beliefs = conversation.asked_again(self.beliefs, self.session, accepted=accepted)

    def correct_address(self, *, is_stranger: bool, is_back: bool = False) -> None:
        """Letters go to another address, where somebody else reads them; or to an earlier one again, if `is_back`.

        `is_stranger`: the old address is not theirs as well.
        """
        if self.begun is not None and not self.begun.in_doubt:
            self.beliefs = self._without_begun()
        self.begun, self.in_doubt = None, True
        self.beliefs = self.rules.readdressed(self.beliefs)
        self.content = dict.fromkeys(self.content, ())  # each message names the address it goes to
        self.turned_away = []
        if is_back and self.absent:
            reader = self.absent.pop(0)
            self.absent.append(self.reader)
            self.reader = reader
        elif is_stranger:
            self.absent.append(self.reader)
            self.reader = Reader()

    def _settle(self, transition: OfferTransition) -> None:
        self._keep(transition.offer)
        self._stands(transition.session)
        self._witness(transition.facts)

    def _stands(self, new_session: Session) -> None:
        self.session = self.rules.revised(self.session, new_session)

    def _keep(self, one: Offer) -> None:
        self.offers[one.id] = one

    def _witness(self, facts: tuple[Fact, ...]) -> None:
        if facts:
            self.beliefs = self.rules.witnessed(self.beliefs, facts)
            if self.session.state is SessionState.CANCELLED:
                for reader in (self.reader, *self.absent):
                    reader.void.clear()

    # What leaves.

    def next(self, beliefs: Conversation | None = None) -> Next:
        """What would be told now."""
        ends = tuple((one.id, one.state) for one in self.offers.values())
        standing = Standing(session=self.session, open=self.open, ends=ends)
        return self.rules.next_letter(beliefs or self._without_begun(), standing, BASIS, now=self.now)

    def _without_begun(self) -> Conversation:
        return self.rules.not_sent(self.beliefs, self.begun.letter) if self.begun else self.beliefs

    def begin(self) -> Notice | None:
        """Make the next letter, or the one begun before if it is still what is to be told."""
        following, before = self.next(), self._without_begun()
        if self.begun is not None:
            before = self.rules.doubted(self.beliefs) if self.begun.in_doubt else before
            if following.notice != self.begun.notice:
                self.begun = None
                following = self.next(before)
        if following.untold is not None:
            self.untold.append(following.untold)
            before = replace(before, untold=self.session.revision)
        if following.notice is None:
            self.beliefs, self.begun = before, None
            return None
        is_new = self.begun is None
        self.begun = self.begun or Begun(letter=uuid4(), notice=following.notice)
        self.beliefs = self.rules.handed_over(before, following.notice, self.begun.letter, now=self.now)
        cases = {replace(belief, letter=None) for belief in self.beliefs.beliefs}
        self.most_beliefs = max(self.most_beliefs, len(cases))
        self._check_leaving(following.notice, is_new=is_new)
        return following.notice

    def end(self, fate: Fate) -> None:
        """Decide what becomes of the letter that is under way."""
        begun = self.begun
        assert begun is not None
        if fate in (Fate.TAKEN, Fate.ARRIVED_UNKNOWN):
            before = self.reader.as_of_now()
            self.reader.read(begun.notice)
            is_news = self.reader != before or begun.notice.kind in CONFIRMING
            assert is_news or self.in_doubt or self.is_crossed, "they are told what they know"
            if begun.notice.kind in ASKING and begun.notice.offer_id is not None:
                self.links.add(begun.notice.offer_id)
        if fate in (Fate.ARRIVED_UNKNOWN, Fate.LOST_UNKNOWN):
            begun.in_doubt = self.in_doubt = True
        if fate in (Fate.TAKEN, Fate.ARRIVED_UNKNOWN, Fate.LOST_UNKNOWN):
            self._note_leaving(begun)
        if fate is Fate.TAKEN:
            self.beliefs, self.begun = self.rules.arrived(self.beliefs, begun.letter), None
            self.turned_away = []
            cases = self.beliefs.beliefs
            self.in_doubt = self.in_doubt and (len(cases) > 1 or bool(cases[0].void))
        elif fate is Fate.REFUSED:
            self.turned_away.append(begun.notice)
            self.beliefs, self.begun = self.rules.refused(self.beliefs, begun.letter, begun.notice), None

    def send(self, fate: Fate = Fate.TAKEN) -> NoticeKind | None:
        """Make one letter and decide its fate."""
        notice = self.begin()
        if notice is not None:
            self.end(fate)
        return notice.kind if notice else None

    def send_all(self) -> tuple[NoticeKind, ...]:
        """Send until there is nothing to tell; every letter is taken."""
        kinds: list[NoticeKind] = []
        while (kind := self.send()) is not None:
            kinds.append(kind)
            assert len(kinds) < MOST_LETTERS, f"there is no end of letters: {kinds}"
        return tuple(kinds)

    # What must hold of a letter that leaves.

    def _check_leaving(self, notice: Notice, *, is_new: bool) -> None:
        assert notice.session is not None
        assert notice.session == replace(self.session, flag=None), "a letter tells of a session that does not stand"
        assert notice not in self.turned_away, "what was refused for good is repeated"
        assert self.reached or self.has_acted or notice.kind in (REQUESTS | ASKING), "an end is told to the unasked"
        is_cancelled = self.session.state is SessionState.CANCELLED
        assert is_cancelled is (notice.kind is NoticeKind.CANCELLED)
        if notice.kind in REQUESTS | {NoticeKind.CANCELLED}:
            self._check_calendar(notice)
        if notice.kind in ASKING:
            self._check_asking(notice, is_new=is_new)
        if notice.kind is NoticeKind.LAPSED:
            assert notice.offer_id in self.asked, "a lapse is told to the unasked"
        if notice.kind is NoticeKind.CORRECTED:
            assert notice.old_when is not None, "a correction does not name what was wrong"
        has_begun = self.session.when.span.start <= self.now
        if has_begun and notice.kind in REQUESTS:
            is_held = any(one.span.start > self.now for one in self.reader.times())
            assert is_held or self.in_doubt or self.is_crossed, "a session that has begun is told as to come"
            assert notice.kind in WORDED_FOR_THE_PAST, "a session that has begun is told as to come"

    def _check_calendar(self, notice: Notice) -> None:
        assert notice.session is not None
        revision = notice.session.revision
        is_choice = notice.kind is NoticeKind.ACCEPTED and not notice.by_support
        place = (notice.session.when, notice.session.location)
        content = (notice.kind is NoticeKind.CANCELLED, *place, is_choice)
        assert revision >= max(self.content, default=0), "SEQUENCE has fallen"
        self.content[revision] = self.content.get(revision) or content
        assert self.content[revision] == content, "the same SEQUENCE says another thing"

    def _check_asking(self, notice: Notice, *, is_new: bool) -> None:
        current = self.open
        assert current is not None, "an offer is told after its end"
        assert notice.offer_id == current.id
        assert current.expires_at is not None
        assert self.now < current.expires_at, "an offer is told after its deadline"
        assert any(choice.when.span.start > self.now for choice in notice.choices), "nothing can be chosen any more"
        if notice.kind is not NoticeKind.OFFER_REMINDER:
            return
        assert self.begun is not None
        assert self.reminders.get(current.id, self.begun.letter) == self.begun.letter, "a second reminder of one offer"
        if is_new:
            local = self.now.astimezone(zone_named(ZONE)).time()
            assert time(8) <= local < time(21), "a reminder leaves at night"

    def _note_leaving(self, begun: Begun) -> None:
        self.reached = True
        if not self.left or self.left[-1] is not begun.notice:
            self.left.append(begun.notice)
        if begun.notice.kind in ASKING and begun.notice.offer_id is not None:
            self.asked.add(begun.notice.offer_id)
        if begun.notice.kind is NoticeKind.OFFER_REMINDER and begun.notice.offer_id is not None:
            self.reminders[begun.notice.offer_id] = begun.letter

    # What must hold of the reader.

    def check_case(self) -> None:
        """The reader's case is among those that the conversation thinks possible."""
        if self.is_crossed or self.is_opaque:
            return
        cases = self.beliefs.beliefs
        assert any(self.reader.is_case_of(belief) for belief in cases), f"nobody thought of {self.reader} in {cases}"

    def check_quiet(self) -> None:
        """Nothing more is told, so the reader has the truth, or what they hold has passed, or was refused for good."""
        if self.beliefs.refused:
            return
        is_cancelled = self.session.state is SessionState.CANCELLED
        here = None if is_cancelled else (self.session.when, self.session.location)
        has_passed = all(one.span.start <= self.now for one in (self.session.when, *self.reader.times()))
        if not has_passed:
            self.is_crossed = False
            self.check_case()
            assert self.reader.known == here, f"they believe {self.reader.known}, and it is {here}"
            assert self.reader.entry == here, f"their calendar says {self.reader.entry}, and it is {here}"
            assert not self.reader.void, f"{self.reader.void} was never taken back by its name"
        elif self.reader.known != here and self.reached:
            assert self.beliefs.untold == self.session.revision, "nobody was told that it could not be told in time"
        self._check_offers(has_passed=has_passed)

    def _check_offers(self, *, has_passed: bool) -> None:
        current = self.open
        believed = dict(self.reader.offers)
        if has_passed:  # times that have passed as well need no word
            believed = {
                offer_id: (choices, deadline)
                for offer_id, (choices, deadline) in believed.items()
                if self.now < deadline and any(choice.when.span.start > self.now for choice in choices)
            }
        if current is None or current.expires_at is None:
            assert not believed, "they believe that an offer is open"
            return
        can_be_answered = self.now < current.expires_at and any(a.when.span.start > self.now for a in current.standing)
        if not can_be_answered:
            assert believed.keys() <= {current.id}, "they believe that an old offer is open"
            return
        places = tuple(Choice(when=a.when, location=a.location or self.session.location) for a in current.standing)
        assert self.reader.offers == {current.id: (places, current.expires_at)}, "they do not know what is offered"
