"""What gateways tell of texts before it is stored what they call them: kept for a while, and so many at most."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.ports import Receipt
from connector.storage import installation
from connector.storage.tables import early_receipts

KEPT = timedelta(hours=1)
MOST = 1_000
_DELIVERED = "delivered"


def keep(db: Connection, receipt: Receipt, *, now: datetime) -> None:
    """Keep a receipt of a text that nobody knows yet; of two the later, but what has arrived stays so."""
    values = {
        "id": _key(receipt.remote_id),
        "state": receipt.state,
        "stopped": receipt.stopped,
        "ends_at": now + KEPT,
    }
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    new = dialect.insert(early_receipts).values(values)
    later = {name: new.excluded[name] for name in ("state", "stopped", "ends_at")}
    is_open = early_receipts.c.state != _DELIVERED
    db.execute(new.on_conflict_do_update(index_elements=["id"], set_=later, where=is_open))
    newest = select(early_receipts.c.id).order_by(early_receipts.c.ends_at.desc(), early_receipts.c.id).limit(MOST)
    db.execute(delete(early_receipts).where(early_receipts.c.id.not_in(newest)))
    installation.have_swept(db, at=now + KEPT)


def take(db: Connection, remote_id: str) -> Receipt | None:
    """Return what was told of a text, once; None for nothing."""
    own = early_receipts.c.id == _key(remote_id)
    row = db.execute(delete(early_receipts).where(own).returning(*early_receipts.c)).first()
    return None if row is None else Receipt(remote_id=remote_id, state=row.state, stopped=row.stopped)


def are_there(db: Connection) -> bool:
    """Whether any is kept."""
    return db.execute(select(early_receipts.c.id).limit(1)).first() is not None


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those that nobody has asked for in time."""
    db.execute(delete(early_receipts).where(early_receipts.c.ends_at <= now))


def _key(remote_id: str) -> bytes:
    return hashlib.sha256(remote_id.encode()).digest()
