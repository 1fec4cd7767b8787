"""The practitioner's week: today first, what waits for them above it."""

from __future__ import annotations

from datetime import date, time, timedelta

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from connector import paths
from connector.errors import RuleError
from connector.services.sync import free_busy
from connector.services.views.week import DAYS, week_page
from connector.web import speaking, visit
from connector.web.forms import day

_WEEK, _DAY, _HOUR, _MINUTE = timedelta(days=DAYS), timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

pages = Blueprint("week", __name__)
pages.before_request(visit.require)


@pages.get(paths.WEEK)
def show() -> ResponseReturnValue:
    """Show the week of a day, by default of today."""
    runtime = visit.runtime()
    now = runtime.clock()
    wanted = _day("day") or _day("week")
    if request.method == "GET":  # HEAD asks for no page, and so for no reading
        free_busy.refresh(runtime.database, runtime.policy, visit.practitioner_id(), now=now)
    with runtime.database.read() as db:
        page = week_page(
            db,
            runtime.policy,
            visit.practitioner_id(),
            wanted,
            now=now,
            first_weekday=speaking.language().formats.first_week_day,
        )
    return speaking.render(
        "week/show.html",
        page=page,
        reader=speaking.to(page.practitioner),
        now=now,
        last=page.first + timedelta(days=DAYS - 1),
        before=page.first - _WEEK,
        after=page.first + _WEEK,
        left=lambda until: _left(until - now),
        clock=time,
    )


def _left(rest: timedelta) -> str:
    """Tell how long somebody still has, as exactly as matters; where scripts run, they go on telling it so."""
    unit = next((unit for unit in (_DAY, _HOUR) if rest >= 2 * unit), _MINUTE)
    return speaking.language().value(max(rest // unit, 1) * unit)


def _day(name: str) -> date | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    named = day(text)
    if named is None:
        raise RuleError("Write the day as 2026-03-31.", code="day_malformed", field=name)
    return named
