"""What a client types who says what would suit them: a line, and up to three times on their own clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from connector.domain.span import When
from connector.errors import RuleError
from connector.services.scheduling.wishes import MOST
from connector.web import visit
from connector.web.forms import TimeInput


@dataclass(frozen=True, slots=True, kw_only=True)
class WishInput:
    """A line and times as typed; each time lasts as long as the session.

    `error` says what is wrong with it as a whole: with the times together if `is_about_times`, else with the line.
    """

    words: str = ""
    times: tuple[TimeInput, ...] = ()
    error: str = ""
    is_about_times: bool = False

    @classmethod
    def from_form(cls, form: Mapping[str, str], booked: When) -> Self:
        """Take what was typed."""
        minutes = f"{booked.span.duration.total_seconds() / 60:g}"
        times = (replace(TimeInput.from_form(form, f"-{n}"), minutes=minutes) for n in range(MOST))
        words = form.get("words", "").replace("\r\n", "\n")  # browsers count a line break once, and send two characters
        return cls(words=words, times=tuple(times))

    def checked(self, zone: str, *, after: datetime) -> tuple[list[When], Self]:
        """Return the times that were typed, and the fields with what is wrong with each."""
        pairs = [(None, typed) if typed.blank else typed.checked(zone, after=after) for typed in self.times]
        return [when for when, _ in pairs if when is not None], replace(self, times=tuple(field for _, field in pairs))

    def refused(self, error: RuleError) -> Self:
        """Return the same fields with what was refused."""
        return replace(self, error=visit.refusal(error), is_about_times=error.field == "times")

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed."""
        return not self.words.strip() and all(field.blank for field in self.times)

    @property
    def has_faults(self) -> bool:
        """Whether any of the times is not right."""
        return any(field.error for field in self.times)

    @property
    def first_fault(self) -> int:
        """Which of the times is not right first, counted from 0; -1 for none."""
        return next((n for n, field in enumerate(self.times) if field.error), -1)
