"""Where a page of a list begins: behind a place in its order, which no row that comes or goes can shift."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, bindparam, or_


def behind(first: Column[Any], row_id: Column[Any]) -> Iterator[ColumnElement[bool]]:
    """Say which rows come behind a place in the order of two columns; its values are bound as `after` and `after_id`.

    Said so that the index of `first` is used on either database.
    """
    place, place_id = bindparam("after", type_=first.type), bindparam("after_id", type_=row_id.type)
    yield first >= place
    yield or_(first > place, and_(first == place, row_id > place_id))
