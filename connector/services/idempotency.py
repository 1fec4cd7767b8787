"""An act that names itself is done once, however often it is asked for: see docs/decisions/0060.

Its name is the first thing that its own transaction stores, and its answer the last. Whoever asks for the same while
it is being done waits, and is answered the same. What was done is kept; a refusal changes nothing and may be repeated.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.errors import RequestError, SettingsError
from connector.storage import kept_answers
from connector.storage.seal import Seal

KEPT = timedelta(hours=24)
LONGEST_NAME = 255
_NAME = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAct:
    """An act that is asked for under a name; `id` is of the API key and the name, `fingerprint` of what is asked."""

    id: bytes
    fingerprint: bytes


def named(name: str, *, key_id: UUID, method: str, url: str, body: bytes) -> NamedAct:
    """Return the act that goes by a name within one API key.

    Raises: RequestError if it cannot be a name.
    """
    if not _NAME.fullmatch(name):
        raise RequestError(
            "An Idempotency-Key has 1 to %(longest)s visible ASCII characters. A random UUID makes a good one.",
            code="idempotency_key_malformed",
            http=400,
            field="idempotency_key",
            longest=LONGEST_NAME,
        )
    asked = b"\x00".join((method.encode(), url.encode(errors="replace"), body))
    return NamedAct(
        id=hashlib.sha256(key_id.bytes + name.encode()).digest(), fingerprint=hashlib.sha256(asked).digest()
    )


def begin(db: Connection, act: NamedAct, *, now: datetime) -> bool:
    """Whether it has not been done: then it is done in this transaction, which begins with this."""
    return kept_answers.begin(db, act.id, fingerprint=act.fingerprint, ends_at=now + KEPT)


def keep(db: Connection, seal: Seal, act: NamedAct, answer: str, *, now: datetime) -> None:
    """Keep what is answered, sealed: the transaction ends with this."""
    kept_answers.keep(db, act.id, seal.seal({"answer": answer}), ends_at=now + KEPT)


def answered(db: Connection, seal: Seal, act: NamedAct) -> str | None:
    """Return what was answered before; None if it has not been done.

    Raises: RequestError if something else goes by this name, or its answer had to be forgotten.
    """
    kept = kept_answers.get(db, act.id)
    if kept is None:
        return None
    if kept.fingerprint != act.fingerprint:
        raise RequestError(
            "This Idempotency-Key has been used for another request. Give each act a name of its own.",
            code="idempotency_key_reused",
            http=422,
            field="idempotency_key",
        )
    if kept.answer is not None:
        try:
            return seal.open(kept.answer)["answer"]
        except SettingsError:  # the key that it was sealed with is gone, on purpose
            pass
    raise RequestError(
        "This was done before, and what was answered then is no longer kept. Read what you need anew.",
        code="idempotent_answer_gone",
        http=409,
        field="idempotency_key",
    )
