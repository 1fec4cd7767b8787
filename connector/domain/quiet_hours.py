"""When a text may wake somebody: only where its reader could not do without it until the morning."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.domain.next_letter import by_day
from connector.domain.notice import Notice, NoticeKind

_URGENT = frozenset({NoticeKind.OFFERED, NoticeKind.OFFER_CHANGED})  # their time to answer runs
_NOTICE = timedelta(hours=2)  # before a time that is told: who learns of it later may be on their way


def leaves_at(notice: Notice, *, now: datetime, offer_waits: bool = False) -> datetime:
    """Return when a text may leave: now, or in the morning of its reader.

    `offer_waits`: an offer is told after it, which cannot wait; then neither can this.
    """
    if notice.kind in _URGENT or offer_waits:
        return now
    morning = by_day(now, notice.to.zone)
    times = [when.span.start for when in (notice.session and notice.session.when, notice.old_when) if when]
    is_soon = any(now < start < morning + _NOTICE for start in times)
    is_late = notice.expires_at is not None and now < notice.expires_at <= morning
    return now if is_soon or is_late else morning
