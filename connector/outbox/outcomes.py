"""Outcomes posted to a host, signed as the Standard Webhooks specification says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from standardwebhooks import Webhook

from connector.outbox.http import InDoubtError, NotHandedOverError, Reach, Request, ask
from connector.ports import NotPostedError, Posted, Posting
from connector.sentence import Sentence

TIMEOUT = timedelta(seconds=15)  # of a whole exchange
LARGEST = 4 * 1024  # bytes of an answer that are read: its status is what counts
_NOT_ALLOWED = Sentence("its address is no longer one that may be asked: https, or a host in CONNECTOR_INNER_HOSTS")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPoster:
    """Posts by HTTP; `reach` says where to, and for how long an exchange may last."""

    reach: Reach

    def post(self, posting: Posting) -> Posted:
        """Post one, signed anew under each secret.

        Raises: NotPostedError; what `before_request` raises.
        """
        signed = [_signature(secret, posting) for secret in posting.secrets]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Pencilled",
            "webhook-id": posting.id,
            "webhook-timestamp": str(int(posting.at.timestamp())),
            "webhook-signature": " ".join(signed),
        }
        try:
            answer = ask(Request(url=posting.url, headers=headers, body=posting.body), self.reach)
        except (InDoubtError, NotHandedOverError) as error:
            fault = NotPostedError(error.sentence, late=error.late)
        except ValueError:  # allowed when it was added, and no more
            raise NotPostedError(_NOT_ALLOWED) from None
        else:
            return Posted(status=answer.status, retry_after=_wait(answer.headers.get("retry-after"), posting.at))
        raise fault  # outside the block above: a chained error could carry the address into the logs


def _signature(secret: str, posting: Posting) -> str:
    """Sign whole seconds in UTC: the library would replace another zone instead of converting it."""
    at = posting.at.astimezone(UTC).replace(microsecond=0)
    return Webhook(secret).sign(posting.id, at, posting.body.decode())


def _wait(text: str | None, now: datetime) -> timedelta | None:
    """Return how long a host asks us to wait; None if it does not, or not so that anybody understands it."""
    if text is None:
        return None
    if _SECONDS.fullmatch(text.strip()):
        return timedelta(seconds=int(text))
    try:
        return max(timedelta(), parsedate_to_datetime(text).astimezone(UTC) - now)
    except (ValueError, TypeError, OverflowError):
        return None
