"""Every error the product raises on purpose.

::

    ConnectorError
    ├ RuleError                   the domain says no: shown to the person
    │ ├ NotFoundError             no such thing, or none that this person may see
    │ ├ ExistsError               there is one already, by the name or the address that was given
    │ ├ DuplicateError            somebody like that is here already: asked about before they are saved
    │ ├ InUseError                something stands that has to end first
    │ ├ PastSpanError             the time lies in the past
    │ ├ WallTimeError             a local time that does not exist, or exists twice
    │ ├ TimeTakenError            somebody else's session or offer occupies the time
    │ ├ ConflictError             something stands there in another calendar: asked about before it is saved
    │ ├ OfferClosedError          the offer has ended; carries how
    │ ├ CodeRefusedError          who answers has not shown the code that was sent to them
    │ ├ AssertionRefusedError     what a host says of who is present proves nothing
    │ ├ StaleAnswerError          the page showed something else than what applies by now
    │ ├ QuestionClosedError       a question to the practitioner has been decided already
    │ ├ RequestError              a program's request is not as it has to be; carries the status it is answered with
    │ └ InnerAddressError         a URL that leads into an inner network
    ├ ProviderError               the adapters speak
    │ ├ TransientError            put the work off
    │ ├ AccessLostError           stop this connection, ask the practitioner to reconnect
    │ ├ SyncTokenExpiredError     forget the token, read everything
    │ ├ EditConflictError         somebody wrote in between: read, then plan again
    │ ├ MissingError              not there: done for a removal, create for a put
    │ ├ RefusedError              the service said no to this: told once, tried again ever more slowly
    │ └ InstallationError         our registration or our quota: tell the operator, and no practitioner
    ├ NotReadyError               in a host's process: the database has to be made, or brought up to date, first
    ├ StandstillError             the database was restored: nothing is decided until that is put right
    ├ LeaseLostError              the claim this work was done under is gone: stop, record nothing
    ├ StoppingError               this process is stopping: leave the rest to whoever claims next
    ├ NotificationRejectedError   a push that proves nothing: 4xx with no detail
    └ SettingsError               every fault at once, then exit

A class exists only where some caller acts differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from connector.sentence import Paragraph, Sentence, Value


class ConnectorError(Exception):
    """Anything this product raises on purpose; `code` says what, for programs."""

    code = "failed"


class RuleError(ConnectorError):
    """The domain says no. The words are for the person who asked: what was wrong and what to do.

    Attributes:
        code: What was refused, for programs: it stays, whatever the words become. `docs/errors.md` has them all.
        sentences: The words and their values, for a door to say; `str` says them in English.
        field: Which input it is about, where it is about one.
        status: With which HTTP status a door answers.
        pointer: Where in a program's request that input is, as a JSON pointer; empty where nobody has said so.
    """

    status = 422
    pointer = ""

    def __init__(
        self,
        words: str,
        /,
        *,
        code: str,
        field: str | None = None,
        plural: str = "",
        n: int = 0,
        **values: Value,
    ) -> None:
        super().__init__(words)
        self.code = code
        self.field = field
        self.sentences = Paragraph((Sentence.of(words, values, plural=plural, n=n),))

    def __str__(self) -> str:
        return str(self.sentences)

    @property
    def values(self) -> Mapping[str, Value]:
        """What fills the words in, by name."""
        return {name: value for sentence in self.sentences for name, value in sentence.values.items()}

    def at(self, pointer: str) -> Self:
        """Say where in a program's request the input is that it is about."""
        self.pointer = pointer
        return self

    def adding(self, words: str, /, **values: Value) -> Self:
        """Say something more, as the door knows it: what a person can do there."""
        self.sentences = Paragraph((*self.sentences, Sentence.of(words, values)))
        return self


class NotFoundError(RuleError):
    """There is no such thing, or none that this person may see."""

    status = 404


class ExistsError(RuleError):
    """There is one already that goes by what was given, which only one may; `known` is its id where it may be told."""

    status = 409

    def __init__(
        self, words: str, /, *, code: str, field: str | None = None, known: str | None = None, **values: Any
    ) -> None:
        super().__init__(words, code=code, field=field, **values)
        self.known = known


class DuplicateError(RuleError):
    """Somebody with the same address, number or name is here already, and whoever asks has not said that they know.

    Attributes:
        key: Names all of them, for who accepts what they were shown.
        found: Their ids.
    """

    status = 409

    def __init__(
        self, words: str, /, *, code: str, key: str, found: Sequence[UUID], field: str | None = None, **values: Any
    ) -> None:
        super().__init__(words, code=code, field=field, **values)
        self.key = key
        self.found = tuple(found)


class InUseError(RuleError):
    """Something stands that has to end first: sessions to come, a calendar that is connected."""

    status = 409


class PastSpanError(RuleError):
    """A time that has already begun cannot be booked, offered or accepted."""


class WallTimeError(RuleError):
    """A local time that does not exist or exists twice; `choices` names the readings of an ambiguous one."""

    def __init__(
        self,
        words: str,
        /,
        *,
        code: str,
        field: str | None = None,
        choices: Sequence[str] = (),
        **values: Any,
    ) -> None:
        super().__init__(words, code=code, field=field, **values)
        self.choices = tuple(choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """What keeps a time from everybody else: a session, or a time that is held for its client.

    Attributes:
        start: Since when it does, aware UTC.
        end: Until when, the practitioner's buffer included.
        session_id: Whose time it is, or whose client may choose it.
        is_hold: Whether it is held, and not yet booked.
        offer_id: The offer it is held by; None for a session, and for a time its practitioner is asked about.
    """

    start: datetime
    end: datetime
    session_id: UUID
    is_hold: bool
    offer_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something stands at a time in another calendar, or nobody knows whether it does; never what it is.

    Attributes:
        id: Another one as soon as anything of it is different: who has accepted it has accepted just this.
        start: When it begins, or the time of which nobody knows, aware UTC.
        end: Likewise.
        is_blind: Whether nobody knows.
        calendar: The name of the calendar.
    """

    id: str
    start: datetime
    end: datetime
    is_blind: bool
    calendar: str


class TimeTakenError(RuleError):
    """The time, buffer included, belongs to another session or another client's offer; `kept` says what keeps it."""

    status = 409

    def __init__(
        self, words: str, /, *, code: str, kept: Sequence[Keeper] = (), field: str | None = None, **values: Any
    ) -> None:
        super().__init__(words, code=code, field=field, **values)
        self.kept = tuple(kept)


class ConflictError(RuleError):
    """Something stands at the time in another calendar, or nobody knows.

    Attributes:
        key: Names all of it, for who accepts what they were shown.
        found: Each of it, for who accepts one thing after another.
    """

    status = 409

    def __init__(
        self,
        words: str,
        /,
        *,
        code: str,
        key: str,
        found: Sequence[Finding] = (),
        field: str | None = None,
        **values: Any,
    ) -> None:
        super().__init__(words, code=code, field=field, **values)
        self.key = key
        self.found = tuple(found)


class OfferClosedError(RuleError):
    """The offer has ended, so this act can change nothing.

    Attributes:
        state: How it ended.
        ended_at: When, aware UTC; None where that is not known.
        accepted_id: The time that was chosen, if one was.
    """

    ended_at: datetime | None = None
    accepted_id: UUID | None = None

    status = 409

    def __init__(self, words: str, /, *, code: str, state: str, **values: Any) -> None:
        super().__init__(words, code=code, **values)
        self.state = state


class StaleAnswerError(RuleError):
    """The page showed something else than what applies by now: a time that has moved, an offer that has ended."""

    status = 409


class CodeRefusedError(RuleError):
    """Whoever answers has not shown the code that was sent to the client, or none can be sent."""


class AssertionRefusedError(RuleError):
    """What a host says of who is present proves nothing: the code says why, for whoever wrote the host's program."""

    status = 403


class QuestionClosedError(RuleError):
    """A question to the practitioner has been answered, or something else has decided it."""

    status = 409


class RequestError(RuleError):
    """A program's request is not as it has to be: its `pointer` leads to what is wrong in its body, if it is there."""

    def __init__(
        self, words: str, /, *, code: str, http: int, field: str | None = None, pointer: str = "", **values: Any
    ) -> None:
        super().__init__(words, code=code, field=field, **values)
        self.status = http
        self.pointer = pointer


class InnerAddressError(RuleError):
    """A URL supplied by a person leads into an inner network, and the operator has not allowed it by name."""


class ProviderError(ConnectorError):
    """A calendar service did not do what was asked.

    Attributes:
        sentence: Why, in words for a person, as a part of a sentence: without a capital and without the full stop.
        quoted: Whether it is what somebody else's program has said: in no language but its own, and no message.
    """

    code = "service_failed"

    def __init__(self, message: str | Sentence) -> None:
        super().__init__(str(message))
        self.quoted = not isinstance(message, Sentence)
        self.sentence = Sentence.quoted(message) if isinstance(message, str) else message


class TransientError(ProviderError):
    """It may work later: put the work off, never sooner than `retry_after` when the service named one."""

    code = "service_unavailable"

    def __init__(self, message: str | Sentence, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccessLostError(ProviderError):
    """The credentials are no longer accepted: stop this connection and ask the practitioner to reconnect."""

    code = "access_lost"


class SyncTokenExpiredError(ProviderError):
    """The service no longer knows the sync token: forget it and read everything."""

    code = "sync_token_expired"


class EditConflictError(ProviderError):
    """Somebody wrote in between, again and again: read, then plan again."""

    code = "edit_conflict"


class MissingError(ProviderError):
    """The entry, or the calendar itself, is confirmed not to be there."""

    code = "remote_missing"


class RefusedError(ProviderError):
    """The service understood and said no: its practitioner can do something about it, or it changes its mind."""

    code = "service_refused"


class InstallationError(ProviderError):
    """The service refuses this installation itself, its registration or its quota, and no account is at fault.

    The message is for the operator. Ask again no sooner than `retry_after` when the service named one.
    """

    code = "installation_refused"

    def __init__(self, message: str | Sentence, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(ConnectorError):
    """There is no database yet, or it is not up to date: the command that helps is in the words, for the operator."""

    code = "database_not_migrated"


class StandstillError(ConnectorError):
    """The database was restored from a back-up: nothing may be decided or told until somebody has put that right."""

    code = "standing_still"


class LeaseLostError(ConnectorError):
    """The claim is gone, and another worker may have it: stop at once, record nothing."""

    code = "lease_lost"


class StoppingError(ConnectorError):
    """This process is stopping: leave the rest of the work to whoever claims the key next."""

    code = "stopping"


class NotificationRejectedError(ConnectorError):
    """A push that does not prove where it comes from."""

    code = "notification_rejected"


class SettingsError(ConnectorError):
    """The settings cannot be used; the message lists every fault at once."""

    code = "settings_unusable"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("These settings cannot be used:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = tuple(faults)
