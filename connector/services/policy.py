"""The installation's choices that use cases need, taken from the settings by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from connector.domain.answering import AnswerPolicy
from connector.domain.notice import Recipient
from connector.domain.people import Medium
from connector.language.offered import Languages


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How this installation does things.

    Args:
        organizer: The mail address invitations come from; frozen into each session at booking.
        window: How long a client has to answer unless the offer says otherwise.
        draft_reminder: After how long an unsent draft is recalled to the practitioner, once.
        poll_open: Between two pulls of a calendar while one of its practitioner's offers is open.
        poll_idle: Between two pulls otherwise.
        sign_in: How long a mailed sign-in can be used.
        media: The media by which clients can be reached, those for which a gateway is configured.
        settling: How long something done in a calendar must last before it counts.
        move_answer: After how long the client is asked about a session that was moved in a calendar.
        delete_answer: After how long a session that was deleted in a calendar is put back.
        refuse_conflicts: Whether a client is refused a time that is no longer free in another calendar.
        answers: What proves that it is the client who answers an offer.
        cancel_before: How long before a session its client may still cancel it on their page of it; None for not at
            all, unless an offer asks them.
        operator: The mail address of whoever runs the installation; empty for none.
        operator_locale: How they are written to, such as en, de or en_GB.
        languages: Those in which people are told things, and their calendars' entries named.
        return_origins: Where practitioners may be sent back to who have come by a connect link.
        public_url: Under which the pages are, for links in calendars; empty for none.
        brand: What these links are called.
    """

    organizer: str
    window: timedelta = timedelta(hours=24)
    draft_reminder: timedelta = timedelta(hours=4)
    poll_open: timedelta = timedelta(seconds=30)
    poll_idle: timedelta = timedelta(minutes=10)
    sign_in: timedelta = timedelta(minutes=15)
    media: frozenset[Medium] = frozenset({Medium.EMAIL})
    settling: timedelta = timedelta(seconds=60)
    move_answer: timedelta = timedelta(minutes=30)
    delete_answer: timedelta = timedelta(hours=24)
    refuse_conflicts: bool = False
    answers: AnswerPolicy = AnswerPolicy.LINK
    cancel_before: timedelta | None = None
    operator: str = ""
    operator_locale: str = "en"
    languages: Languages = Languages()
    return_origins: tuple[str, ...] = ()
    public_url: str = ""
    brand: str = ""

    @property
    def to_operator(self) -> Recipient:
        """Whoever runs the installation, as a letter is addressed to them."""
        return Recipient(name="Operator", address=self.operator, zone="UTC", locale=self.operator_locale)

    @property
    def mail_domain(self) -> str:
        """The domain our Message-IDs are made in."""
        return self.organizer.rpartition("@")[2]
