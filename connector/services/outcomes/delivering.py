"""Outcomes are posted, those of one session one after another, until they arrive or their endpoint ends.

What does not go through is tried again at the pace of `PAUSES`, for three days; a success of any brings the others of
its endpoint forward. At least once: whoever dies between an answer and its record posts the same outcome again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector import counters
from connector.domain.notice import Notice, NoticeKind
from connector.errors import TransientError
from connector.failures import tell
from connector.ports import Clock, NotPostedError, Posted, Poster, Posting
from connector.sentence import Sentence
from connector.services import notices
from connector.services.outcomes import bodies
from connector.services.outcomes.endpoints import FAILING, GONE, live_secrets
from connector.services.policy import Policy
from connector.storage import endpoints, ledger, outcomes, people
from connector.storage.database import Database
from connector.storage.endpoints import Endpoint
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Kind
from connector.storage.outcomes import Delivery, DeliveryState, StoredOutcome
from connector.storage.seal import Seal

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),  # and so on
)
LONGEST = timedelta(days=3)  # from the first attempt to the last
WAIT_LONGEST = timedelta(hours=6)  # a host that asks for more is asked again after that
SOONEST_ELSEWHERE, LATEST_ELSEWHERE = timedelta(seconds=5), timedelta(minutes=10)
AT_A_TIME = 20  # then others of the lane have their turn
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivering:
    """What outcomes are delivered with; `tells_host` where this process has the function of the host's program."""

    database: Database
    policy: Policy
    seal: Seal
    poster: Poster
    clock: Clock
    fence: Fence
    tells_host: bool = False

    def carry_out(self, queue_id: UUID) -> datetime | None:
        """Deliver what waits in a queue, and return when to go on; None once nothing waits, or nothing goes there.

        Raises: TransientError if one did not go through; LeaseLostError, StoppingError.
        """
        for _ in range(AT_A_TIME):
            with self.database.read() as db:
                following = outcomes.next_of(db, queue_id)
                if following is None:
                    return None
                delivery, stored = following
                endpoint = endpoints.get(db, delivery.endpoint_id)
                body = bodies.encoded(db, stored)
            if not endpoint.is_enabled:
                return None  # enabling makes it due again
            if endpoint.is_in_process and not self.tells_host:
                return self.clock() + _until_others_look(self.clock() - stored.outcome.at)
            if endpoint.not_before is not None and endpoint.not_before > self.clock():
                return endpoint.not_before
            self.fence.renew()
            self._deliver(endpoint, delivery, stored, body)
        return self.clock()

    def _deliver(self, endpoint: Endpoint, delivery: Delivery, stored: StoredOutcome, body: bytes) -> None:
        at = self.clock()
        posting = Posting(
            url=endpoint.url,
            id=bodies.message_id(stored),
            at=at,
            body=body,
            secrets=live_secrets(self.seal, endpoint, now=at),
        )
        try:
            posted = self.poster.post(posting)
        except NotPostedError as error:
            counters.add(counters.OUTCOMES, fate="late" if error.late else "failed")
            self._note_failed(endpoint, delivery, None, error.sentence)
            return
        counters.add(counters.OUTCOMES, fate=_fate(posted.status))
        if 200 <= posted.status < 300:  # noqa: PLR2004 - the class of success
            self._note_delivered(endpoint, delivery, posted)
        else:
            self._note_failed(endpoint, delivery, posted, _why(posted.status))

    def _note_delivered(self, endpoint: Endpoint, delivery: Delivery, posted: Posted) -> None:
        now = self.clock()
        was_failing = endpoint.failing_since is not None or endpoint.not_before is not None
        with fenced(self.database, self.fence) as db:
            stored = endpoints.find(db, endpoint.id, lock=True) if was_failing else None
            if stored is not None and stored.url == endpoint.url:
                endpoints.save(db, replace(stored, failing_since=None, not_before=None))
            outcomes.note_tried(db, delivery, _tried(delivery, DeliveryState.DELIVERED, posted, None, now))
        if was_failing:
            with fenced(self.database, self.fence) as db:  # of its own: that this one has arrived is stored by then
                waiting = outcomes.waiting(db, endpoint.id)
                ledger.bring_forward(db, Kind.OUTCOME, [str(queue_id) for queue_id in waiting], now=now)

    def _note_failed(self, posted_to: Endpoint, delivery: Delivery, posted: Posted | None, why: Sentence) -> None:
        """Note it, and put the queue off; an endpoint that is gone, or has failed for days, is disabled.

        What an address has answered that is the endpoint's no more says nothing of it, and its queue is not put off.

        Raises: TransientError.
        """
        now = self.clock()
        begun_at = delivery.begun_at or now
        pause = PAUSES[min(delivery.attempts, len(PAUSES) - 1)]
        is_over = now - begun_at >= LONGEST
        with fenced(self.database, self.fence) as db:
            endpoint = endpoints.find(db, delivery.endpoint_id, lock=True)
            if endpoint is None:
                return  # removed, and its deliveries with it
            if endpoint.url != posted_to.url:
                failed = _tried(delivery, DeliveryState.PENDING, posted, why, now)
                outcomes.note_tried(db, delivery, replace(failed, next_at=now))
                return
            failing_since = endpoint.failing_since or now
            is_failing = is_over and failing_since <= begun_at
            is_gone = posted is not None and posted.status == _GONE
            asked = min(posted.retry_after, WAIT_LONGEST) if posted and posted.retry_after else None
            ended = GONE if is_gone else FAILING if is_failing else None
            state = DeliveryState.FAILED if is_over and ended is None else DeliveryState.PENDING
            failed = _tried(delivery, state, posted, why, now)
            if state is DeliveryState.PENDING and ended is None:
                failed = replace(failed, next_at=now + max(pause, asked or timedelta()))
            counts = outcomes.note_tried(db, delivery, failed)
            changed = replace(endpoint, failing_since=failing_since, not_before=now + asked if asked else None)
            if ended is not None and endpoint.is_enabled:
                changed = replace(changed, disabled_at=now, disabled_why=ended)
                _tell_operator(db, self.policy, changed, now)
            if changed != endpoint:
                endpoints.save(db, changed)
        if not counts and ended is None:
            return  # it goes once more from the beginning, since somebody has asked for that
        if ended is not None:
            tell("endpoint_disabled", str(why), endpoint=str(endpoint.id), why=ended)
            return
        if state is DeliveryState.FAILED:
            counters.add(counters.OUTCOMES, fate="given_up")
            tell("outcome_given_up", str(why), endpoint=str(endpoint.id), delivery=str(delivery.id))
            return
        raise TransientError(why, retry_after=max(pause, asked or timedelta()))


def _until_others_look(age: timedelta) -> timedelta:
    """Return how long an outcome of this age is left to processes that can tell it: ever longer, as none seems to."""
    return min(max(age / 4, SOONEST_ELSEWHERE), LATEST_ELSEWHERE)


def _tried(
    delivery: Delivery, state: DeliveryState, posted: Posted | None, error: Sentence | None, now: datetime
) -> Delivery:
    return replace(
        delivery,
        state=state,
        attempts=delivery.attempts + 1,
        status=posted.status if posted else None,
        error=error,
        begun_at=delivery.begun_at or now,
        tried_at=now,
        next_at=None,
    )


def _fate(status: int) -> str:
    match status // 100:
        case 2:
            return "delivered"
        case 3:
            return "redirected"
        case 4:
            return "gone" if status == _GONE else "answered_4xx"
        case _:
            return "answered_5xx"


def _why(status: int) -> Sentence:
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
        return Sentence("it answers with a redirect (%(status)s), and none is followed", status=status)
    return Sentence("it answers %(status)s", status=status)


def _tell_operator(db: Connection, policy: Policy, endpoint: Endpoint, now: datetime) -> None:
    """Tell whoever runs the installation, once, that nothing goes to an endpoint any more."""
    if not policy.operator:
        return
    notice = Notice(
        kind=NoticeKind.ENDPOINT_DISABLED,
        to=policy.to_operator,
        practitioner_name="",
        about=endpoint.host,
        reason=endpoint.disabled_why or "",
        since=endpoint.failing_since,
    )
    for practitioner in list(people.all_practitioners(db))[:1]:  # a conversation belongs to one, whoever it is with
        notices.tell(db, notice, key=f"{notice.kind}:{uuid4()}", practitioner_id=practitioner.id, now=now)
