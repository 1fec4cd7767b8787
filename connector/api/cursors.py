"""Where a list goes on: signed, and good for the same list alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from connector.errors import NotFoundError, RequestError
from connector.storage.seal import Seal

Row = TypeVar("Row")
Order = TypeVar("Order")
_PURPOSE = "api-cursor"


class Cursor:
    """The place in a list at which a page begins, and how long the page is.

    A list is ordered by something and then by id, and goes on behind the last row that was shown, whatever has been
    added or has gone since. Ask the database for `wanted` rows behind `after`, and show what `page` returns of them.

    Args:
        seal: Signs cursors.
        bound: What list it is: its path, its filters, and for whom; a cursor of another list is refused.
        text: The cursor of the request; empty for the beginning.
        limit: How many items a page has at most.
    """

    def __init__(self, seal: Seal, *, bound: str, text: str = "", limit: int = 50) -> None:
        self._seal = seal
        self._list = bound
        self._text = text
        self.limit = limit

    @property
    def _bound(self) -> str:
        return hashlib.sha256(self._list.encode(errors="replace")).hexdigest()[:16]

    @property
    def wanted(self) -> int:
        """How many rows to read: one more than are shown tells whether there are more."""
        return self.limit + 1

    def after(self, order: Callable[[str], Order]) -> tuple[Order, UUID] | None:
        """Return behind which row the page begins; None for the beginning. `order` reads what `page` was given.

        Raises: RequestError for a cursor that is none of ours, or of another list.
        """
        if not self._text:
            return None
        try:
            bound, order_text, id_text = self._seal.signed(_PURPOSE, self._text)
            found = order(order_text), UUID(hex=id_text)
        except (NotFoundError, ValueError) as error:
            raise _not_ours() from error
        if bound != self._bound:
            raise _not_ours()
        return found

    def after_instant(self) -> tuple[datetime, UUID] | None:
        """Return `after` of a list that is ordered by an instant."""
        return self.after(datetime.fromisoformat)

    def page(
        self, rows: Sequence[Row], place: Callable[[Row], tuple[str | datetime, UUID]]
    ) -> tuple[Sequence[Row], str | None]:
        """Return the rows of this page and the cursor of the next; None if this is the last.

        Args:
            rows: What was read.
            place: Returns by what a row is ordered, and its id.
        """
        if len(rows) <= self.limit:
            return rows, None
        shown = rows[: self.limit]
        return shown, self.behind(*place(shown[-1]))

    def behind(self, order: str | datetime, row_id: UUID) -> str:
        """Return the cursor that goes on behind a row."""
        order_text = order.isoformat() if isinstance(order, datetime) else order
        return self._seal.sign(_PURPOSE, (self._bound, order_text, row_id.hex))


def _not_ours() -> RequestError:
    return RequestError(
        "This cursor is not one of this list. Begin without one.", code="cursor_invalid", http=422, field="cursor"
    )
