"""Each letter by its medium: mails to the mail server, texts to the gateway."""

from __future__ import annotations

from connector.domain.people import Medium
from connector.language.offered import Languages
from connector.ports import Fate, Letter, NotSentError, Sender, Sms, SmsGateway
from connector.sentence import Sentence


class MediaSender:
    """Sends letters by mail and by text; may be used by several threads at once."""

    def __init__(self, mail: Sender, texts: SmsGateway, *, languages: Languages, receipts: str = "") -> None:
        """Take both ways; `receipts` is the URL at which the gateway is to tell what becomes of texts."""
        self._mail = mail
        self._texts = texts
        self._languages = languages
        self._receipts = receipts

    def send(self, letter: Letter) -> str | None:
        """Hand one letter over; return what its gateway calls it.

        Raises: NotSentError; what `before_request` raises.
        """
        if letter.medium is Medium.EMAIL:
            return self._mail.send(letter)
        outcome = self._texts.hand_over(self._written(letter))
        if outcome.fate is Fate.ACCEPTED:
            return outcome.remote_id or None
        is_over = outcome.fate is not Fate.PUT_OFF
        unknown = outcome.fate is Fate.UNKNOWN
        raise NotSentError(outcome.reason, permanent=is_over, unknown=unknown, stopped=outcome.stopped)

    def _written(self, letter: Letter) -> Sms:
        from connector.outbox.sms.texts import compose  # noqa: PLC0415  brings Babel: only who sends pays for it

        try:
            text = compose(letter, languages=self._languages)
        except ValueError as error:
            kind, what = letter.notice.kind, type(error).__name__
            why = Sentence("a text of kind %(kind)s cannot be written (%(error)s)", kind=kind.value, error=what)
            unfit = NotSentError(why, permanent=True)
        else:
            reference = letter.message_id.strip("<>").partition("@")[0]
            return Sms(number=letter.notice.to.address, text=text, reference=reference, receipts=self._receipts)
        raise unfit  # outside the block above: a chained error could carry names into the logs
