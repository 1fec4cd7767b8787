"""I am away: the sessions in some days, other times for each of them, one look at all of it, and one act that sends.

Nothing is stored before that act: what has been chosen so far is in the form.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from connector import paths
from connector.domain.away import LONGEST_DAYS, MOST_SESSIONS, Shown
from connector.domain.session import Session
from connector.domain.span import LONGEST, SHORTEST, Span, When, zone_named
from connector.errors import NotFoundError, RuleError
from connector.language.messages import marked
from connector.language.telling import Teller, TimeText
from connector.services.scheduling import away
from connector.services.scheduling.away import Review, Reviewed, Wanted
from connector.services.sync import free_busy
from connector.services.views import away as views
from connector.services.views import practitioners
from connector.services.views.absences import absence_of
from connector.services.views.away import AwaySession, Turn
from connector.web import speaking, visit
from connector.web.forms import YEARS, TimeInput, day

_DIGITS = 11  # of seconds since 1970
_MOST_PICKS = 20
_FULL = marked("All of these are chosen, and no more fit in one go. Send them first, or leave one of them out.")

pages = Blueprint("away", __name__, url_prefix=paths.AWAY)
pages.before_request(visit.require)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What was chosen and typed for one session, and what was shown of it.

    Attributes:
        picks: The suggestions that were ticked.
        manual: One more time.
        despite: What stands at these times in other calendars, once it was accepted.
    """

    session_id: UUID
    shown: Shown
    included: bool
    picks: tuple[Span, ...]
    manual: TimeInput
    despite: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The whole form, as typed; `after` says which sessions come after those in it."""

    first: str
    last: str
    rows: tuple[Typed, ...]
    after: Turn | None = None

    @property
    def turn(self) -> str:
        """What comes back of `after`."""
        if self.after is None:
            return ""
        return f"{self.after.rank}.{self.after.starts_at.timestamp():.0f}.{self.after.session_id.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One time that can be ticked."""

    value: str
    text: TimeText
    ticked: bool
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One session in the form: `shown` is what comes back of it, `errors` what is in its way."""

    view: AwaySession
    now_at: TimeText
    shown: str
    included: bool
    picks: tuple[Pick, ...]
    manual: TimeInput
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One session on the page that is looked over: what comes back of it, and what sending does; None if it is left."""

    shown: str
    picks: tuple[str, ...]
    one: Reviewed | None


@pages.get("")
def choose() -> ResponseReturnValue:
    """Ask from when to when; then show the sessions in that time, with other times for each."""
    first, last = request.args.get("from", "").strip(), request.args.get("to", "").strip()
    only: frozenset[UUID] | None = None
    if named := request.args.get("absence", "").strip():
        first, last, only = _days_of(named)
    elif "sent" in request.args:
        only = frozenset()  # whatever is left was left on purpose, or has come since
    if not first and not last:
        return _choose("", "")
    runtime = visit.runtime()
    if request.method == "GET":  # HEAD asks for no page, and so for no reading
        free_busy.refresh(runtime.database, runtime.policy, visit.practitioner_id(), now=runtime.clock())
    try:
        return _plan(Asked(first=first, last=last or first, rows=()), only=only)
    except NotFoundError:
        raise
    except RuleError as error:
        return _choose(first, last, error=visit.refusal(error), status=visit.status_of(error))


@pages.post("/change")
def change() -> ResponseReturnValue:
    """Show what was chosen once more, to change it."""
    return _plan(_asked(request.form))


@pages.post("/further")
def further() -> ResponseReturnValue:
    """Show the next sessions in place of those that are left as they are; nothing that was chosen is lost."""
    asked = _asked(request.form)
    kept = tuple(row for row in asked.rows if row.included or not row.manual.blank)
    if len(kept) < MOST_SESSIONS:
        return _plan(replace(asked, rows=kept), only=frozenset(), lately={row.session_id for row in asked.rows})
    return _plan(asked, error=speaking.say(_FULL), status=422)


@pages.post("/review")
def review() -> ResponseReturnValue:
    """Show what sending all of it will do."""
    asked = _asked(request.form)
    wanted, asked, errors = _wanted(asked)
    if errors or not wanted:
        text = speaking.say("Please look at the marked sessions. Nothing has been sent.") if errors else _none_chosen()
        return _plan(asked, errors=errors, error=text, status=422)
    reviewed = _looked_at(wanted)
    if reviewed.refused:
        text = speaking.say("Please look at the marked sessions. Nothing has been sent.")
        return _refused(asked, reviewed, error=text, status=422)
    return _review(asked, reviewed)


@pages.post("/send")
def send() -> ResponseReturnValue:
    """Ask every client, or nobody if anything is not as it was shown."""
    asked, runtime = _asked(request.form), visit.runtime()
    wanted, asked, errors = _wanted(asked)
    if errors or not wanted:
        text = speaking.say("Please look at the marked sessions. Nothing has been sent.") if errors else _none_chosen()
        return _plan(asked, errors=errors, error=text, status=422)
    runtime.read_busy(visit.practitioner_id(), [when for one in wanted for when in one.times])
    try:
        with runtime.database.begin() as db:
            by, now = visit.actor(db), runtime.clock()
            sent = away.send(db, runtime.policy, visit.practitioner_id(), wanted, by=by, now=now)
    except NotFoundError:
        raise
    except RuleError as error:
        text = visit.refusal(error)
        with runtime.database.read() as db:
            reviewed = away.review(db, runtime.policy, visit.practitioner_id(), wanted, now=runtime.clock())
        if reviewed.refused:
            return _refused(asked, reviewed, error=text, status=409)
        return _review(asked, reviewed, error=text, status=409)
    done = speaking.language().say_n(
        "The offer is sent. The times are kept free, and your client is being told.",
        "%(n)s offers are sent. The times are kept free, and your clients are being told.",
        len(sent),
    )
    flash(done, "done")
    for warning in dict.fromkeys(speaking.language().sentence(one) for offer in sent for one in offer.warnings):
        flash(warning, "warning")
    query: dict[str, Any] = {"from": asked.first, "to": asked.last, "sent": "yes"}
    return redirect(url_for(".choose", **query), 303)


def _none_chosen() -> str:
    return speaking.say("Choose at least one session for which other times are offered. Nothing has been sent.")


def _looked_at(wanted: Sequence[Wanted]) -> Review:
    """Have the calendars read, and look at what sending would do."""
    runtime = visit.runtime()
    runtime.read_busy(visit.practitioner_id(), [when for one in wanted for when in one.times])
    with runtime.database.read() as db:
        return away.review(db, runtime.policy, visit.practitioner_id(), wanted, now=runtime.clock())


def _asked(form: MultiDict[str, str]) -> Asked:
    """Read the form.

    Raises: RuleError if it is not one that was shown.
    """
    rows = tuple(_typed(form, f"-{n}") for n in range(MOST_SESSIONS) if f"shown-{n}" in form)
    if len({row.session_id for row in rows}) < len(rows):
        raise _malformed()
    return Asked(first=form.get("from", ""), last=form.get("to", ""), rows=rows, after=_turn(form.get("after", "")))


def _typed(form: MultiDict[str, str], suffix: str) -> Typed:
    session_id, start, end, offer_id = (*form["shown" + suffix].split("."), "", "", "")[:4]
    picks = form.getlist("pick" + suffix)
    try:
        return Typed(
            session_id=UUID(session_id),
            shown=Shown(span=_span(f"{start}.{end}"), offer_id=UUID(offer_id) if offer_id else None),
            included=f"with{suffix}" in form,
            picks=tuple(dict.fromkeys(_span(value) for value in picks[:_MOST_PICKS])),
            manual=TimeInput.from_form(form, suffix),
            despite=form.get("despite" + suffix, ""),
        )
    except ValueError:
        raise _malformed() from None


def _turn(value: str) -> Turn | None:
    """Read where the next sessions begin. Raises: RuleError."""
    if not value:
        return None
    try:
        rank, starts_at, session_id = value.split(".")
        return Turn(int(rank[:1]), datetime.fromtimestamp(int(starts_at[:_DIGITS]), UTC), UUID(session_id))
    except (ValueError, OverflowError, OSError):
        raise _malformed() from None


def _span(value: str) -> Span:
    """Read a time as the form carries it. Raises: ValueError."""
    start, end = value.split(".")
    if not (start + end).isascii() or not (start + end).isdigit() or max(len(start), len(end)) > _DIGITS:
        raise ValueError(value)
    start_at, end_at = (datetime.fromtimestamp(int(text), UTC) for text in (start, end))
    if not SHORTEST <= end_at - start_at <= LONGEST or end_at.year not in YEARS:
        raise ValueError(value)
    return Span(start=start_at, end=end_at)


def _value(span: Span) -> str:
    return f"{span.start.timestamp():.0f}.{span.end.timestamp():.0f}"


def _malformed() -> RuleError:
    return RuleError(
        "This page cannot be read as it was sent. Open it again and choose once more. Nothing was sent to anybody.",
        code="away_form_malformed",
    )


def _wanted(asked: Asked) -> tuple[list[Wanted], Asked, dict[UUID, list[str]]]:
    """Return what is to be offered, the form with each typed time among the chosen ones, and what is wrong with it."""
    runtime = visit.runtime()
    now = runtime.clock()
    with runtime.database.read() as db:
        sessions = views.own_sessions(db, visit.practitioner_id(), [row.session_id for row in asked.rows])
    wanted: list[Wanted] = []
    rows: list[Typed] = []
    errors: dict[UUID, list[str]] = {}
    for typed in asked.rows:
        session, row = sessions[typed.session_id], typed
        if not row.manual.blank:
            row, problem = _with_manual(row, session, now)
            if problem:
                errors[session.id] = [problem]
        if row.included and not row.picks and session.id not in errors:
            errors[session.id] = [speaking.say("Choose a time here, or leave this session as it is.")]
        rows.append(row)
        if row.included:
            times = tuple(When.of(span, zone=session.when.zone) for span in sorted(row.picks))
            wanted.append(Wanted(session_id=session.id, times=times, shown=row.shown, accepts=row.despite))
    return wanted, replace(asked, rows=tuple(rows)), errors


def _with_manual(row: Typed, session: Session, now: datetime) -> tuple[Typed, str]:
    """Return the row with its typed time among the chosen ones; or with what is wrong with it."""
    if not row.included:
        return row, speaking.say("A time is given here, but the box above is not ticked. Tick it, or empty the time.")
    when, manual = row.manual.checked(session.when.zone, after=now)
    if when is None:
        return replace(row, manual=manual), manual.error
    return replace(row, picks=(*row.picks, when.span), manual=_blank(session)), ""


def _refused(asked: Asked, reviewed: Review, *, error: str, status: int) -> ResponseReturnValue:
    """Show the form again: each thing that is in the way at its session, and something else in its place."""
    errors = {one.session.id: [visit.refusal(refused.why) for refused in one.refused] for one in reviewed.each}
    lost = {
        one.session.id: {refused.when.span for refused in one.refused if refused.when is not None}
        for one in reviewed.each
    }
    return _plan(asked, errors=errors, lost=lost, error=error, status=status)


def _plan(
    asked: Asked,
    *,
    errors: Mapping[UUID, Sequence[str]] | None = None,
    lost: Mapping[UUID, Collection[Span]] | None = None,
    only: Collection[UUID] | None = None,
    lately: Collection[UUID] = (),
    error: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    """Show the sessions, each with the times that were chosen and those that are suggested beside them.

    `only`: the sessions that are ticked at first, where that is not all of them. `lately`: those shown just before.
    """
    errors, lost, runtime = errors or {}, lost or {}, visit.runtime()
    with runtime.database.read() as db:
        own = visit.practitioner_id()
        sessions = views.own_sessions(db, own, [row.session_id for row in asked.rows])
        chosen = {
            row.session_id: [
                When.of(span, zone=sessions[row.session_id].when.zone)
                for span in row.picks
                if span not in lost.get(row.session_id, ())
            ]
            for row in asked.rows
        }
        first, last = _day(asked.first, "from"), _day(asked.last, "to")
        plan = views.plan(
            db,
            runtime.policy,
            own,
            first,
            last,
            now=runtime.clock(),
            chosen=chosen,
            also=sessions,
            named=only or (),
            after=asked.after,
            lately=lately,
        )
    reader = speaking.to(plan.practitioner)
    typed = {row.session_id: row for row in asked.rows}
    rows = [
        _row(
            view,
            typed.get(view.session.id),
            reader,
            errors=errors.get(view.session.id, ()),
            lost=len(lost.get(view.session.id, ())),
            meant=view.session.id in only if only is not None else not asked.rows,
        )
        for view in plan.sessions
    ]
    marked = next((n for n, row in enumerate(rows) if row.errors), None)
    asked = replace(asked, after=plan.after)
    body = speaking.render(
        "away/plan.html", plan=plan, rows=rows, reader=reader, asked=asked, error=error, marked=marked
    )
    return body, status


def _row(
    view: AwaySession, typed: Typed | None, reader: Teller, *, errors: Sequence[str], lost: int, meant: bool
) -> Row:
    """Return a session's part of the form; at first all that is suggested is ticked, then what replaces a lost time."""
    session = view.session
    ticked = len(view.suggested) if typed is None else lost
    picks = sorted(
        [(when.span, True, False) for when in view.chosen]
        + [(when.span, n < ticked, n < lost) for n, when in enumerate(view.suggested)]
    )
    offer_id = view.open.id.hex if view.open else ""
    return Row(
        view=view,
        now_at=reader.parts(session.when, other=view.client.zone),
        shown=f"{session.id.hex}.{_value(session.when.span)}.{offer_id}",
        included=bool(meant and view.suggested and view.media and not view.open) if typed is None else typed.included,
        picks=tuple(
            Pick(
                value=_value(span),
                text=reader.parts(When.of(span, zone=session.when.zone), other=view.client.zone),
                ticked=is_ticked,
                fresh=is_fresh,
            )
            for span, is_ticked, is_fresh in picks
        ),
        manual=typed.manual if typed and typed.manual != TimeInput() else _blank(session),
        errors=tuple(errors),
    )


def _blank(session: Session) -> TimeInput:
    return TimeInput(minutes=TimeInput.of(session.when).minutes)


def _review(asked: Asked, reviewed: Review, *, error: str = "", status: int = 200) -> ResponseReturnValue:
    """Show what sending will do, with everything that was chosen in the form."""
    runtime = visit.runtime()
    reader = speaking.to(reviewed.practitioner)
    by_session = {one.session.id: one for one in reviewed.each}
    body = speaking.render(
        "away/review.html",
        reviewed=reviewed,
        rows=[
            Chosen(
                shown=_shown(row),
                picks=tuple(_value(span) for span in row.picks),
                one=by_session.get(row.session_id),
            )
            for row in asked.rows
        ],
        asked=asked,
        reader=reader,
        deadline=runtime.clock() + runtime.policy.window,
        window=runtime.policy.window,
        error=error,
    )
    return body, status


def _shown(row: Typed) -> str:
    return f"{row.session_id.hex}.{_value(row.shown.span)}.{row.shown.offer_id.hex if row.shown.offer_id else ''}"


def _choose(first: str, last: str, *, error: str = "", status: int = 200) -> ResponseReturnValue:
    """Show the form that asks for the days, and the days that are asked for most."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        practitioner = practitioners.get(db, visit.practitioner_id())
    reader = speaking.to(practitioner)
    today = runtime.clock().astimezone(zone_named(practitioner.zone)).date()
    sunday = today + timedelta(days=6 - today.weekday())
    body = speaking.render(
        "away/choose.html",
        first=first,
        last=last,
        today=today,
        tomorrow=today + timedelta(days=1),
        sunday=sunday,
        reader=reader,
        error=error,
    )
    return body, status


def _days_of(named: str) -> tuple[str, str, frozenset[UUID]]:
    """Return the first and the last day of the sessions that an absence names, and which they are.

    Raises: NotFoundError if it is none of whoever is signed in.
    """
    try:
        absence_id = UUID(named)
    except ValueError:
        raise NotFoundError("There is no such question.", code="question_not_found") from None
    with visit.runtime().database.read() as db:
        page = absence_of(db, visit.practitioner_id(), absence_id)
    zone, span = zone_named(page.practitioner.zone), page.absence.span
    now = visit.runtime().clock()
    spans = [one.session.when.span for one in page.sessions if one.session.when.span.start > now] or [span]
    days = [span.start.astimezone(zone).date() for span in spans]
    last = min(max(days), min(days) + timedelta(days=LONGEST_DAYS - 1))  # the others follow once these are settled
    return min(days).isoformat(), last.isoformat(), frozenset(one.session.id for one in page.sessions)


def _day(text: str, field: str) -> date:
    """Read a day as browsers send it. Raises: RuleError."""
    named = day(text)
    if named is None:
        raise RuleError(
            "Give the first and the last day that you are away, such as 2026-03-31.",
            code="away_day_malformed",
            field=field,
        )
    return named
