"""What became of outcomes, for whoever has a link from the command line: to be looked at, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.errors import RuleError
from connector.services.outcomes import looking
from connector.services.outcomes.looking import Looking
from connector.services.views import deliveries as views
from connector.services.views.deliveries import DeliveriesPage, DeliveryState
from connector.web import speaking, visit

pages = Blueprint("deliveries", __name__, url_prefix=paths.deliveries("<token>"))
_HIGHEST = 2**63 - 1  # that a database counts to
_ZONE = "UTC"  # it is for machines' people, who compare it with logs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    locale: str
    zone: str = _ZONE


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show the endpoints, and the newest deliveries to them or to one of them, in all states or in one."""
    runtime, language = visit.runtime(), speaking.language()
    now, (endpoint_id, state, before) = runtime.clock(), _asked()
    with runtime.database.read() as db:
        link = looking.find(runtime.seal, token)
        if link.has_ended(now):
            return speaking.render("deliveries/ended.html"), 410
        page = views.page(
            db, only=link.endpoint_id, endpoint_id=endpoint_id or link.endpoint_id, state=state, before=before
        )
    reader = speaking.to(_Reader(locale=language.tag))
    whys = {one.id: language.sentence(one.error) for one in page.deliveries if one.error is not None}
    address = _Address(token=token, link=link, endpoint_id=endpoint_id, state=state)
    return speaking.render(
        "deliveries/show.html",
        page=page,
        link=link,
        reader=reader,
        now=now,
        states=tuple(DeliveryState),
        chosen=(endpoint_id, state),
        whys=whys,
        address=address,
        older=_older(page),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """Where a link of the page leads: what is chosen stays so, but for what the link is about."""

    token: str
    link: Looking
    endpoint_id: UUID | None
    state: DeliveryState | None

    def __call__(self, **changed: Any) -> str:
        chosen = {"to": self.endpoint_id, "state": self.state, **changed}
        said: dict[str, Any] = {name: str(value) for name, value in chosen.items() if value is not None}
        return url_for("deliveries.show", token=self.token, **said)


def _older(page: DeliveriesPage) -> str | None:
    return f"{page.next[0]}.{page.next[1].hex}" if page.next is not None else None


def _asked() -> tuple[UUID | None, DeliveryState | None, tuple[int, UUID] | None]:
    """Return which deliveries are asked for: to an endpoint, in a state, older than one.

    Raises: RuleError for what no link of the page asks.
    """
    endpoint, state, before = (request.args.get(name, "") for name in ("to", "state", "before"))
    try:
        return (
            UUID(endpoint) if endpoint else None,
            DeliveryState(state) if state else None,
            _place(before) if before else None,
        )
    except ValueError:
        raise RuleError(
            "There are no such deliveries. Please choose them by the links of the page.", code="deliveries_not_chosen"
        ) from None


def _place(text: str) -> tuple[int, UUID]:
    """Return the place of a delivery that `_older` has written. Raises: ValueError."""
    number, _, last = text.partition(".")
    seq = int(number)
    if not 0 <= seq <= _HIGHEST:
        raise ValueError
    return seq, UUID(hex=last)
