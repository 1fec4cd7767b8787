"""What practitioners type about people: kept exactly as typed, and read with everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any, Self
from uuid import UUID
from zoneinfo import available_timezones

from connector.domain.people import (
    LONGEST_BUFFER,
    LONGEST_NAME,
    NAME,
    Client,
    Consent,
    Level,
    Medium,
    Practitioner,
    check_address,
    check_locale,
)
from connector.domain.span import check_zone
from connector.domain.text import one_line
from connector.errors import DuplicateError, RuleError
from connector.language.offered import ENGLISH, Languages
from connector.services.numbers import check_number
from connector.web import forms, visit

LANGUAGES = {"en": "English", "de": "Deutsch"}  # each in itself; one without a name here is shown by its tag
_CONTINENTS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
_FIELDS = frozenset({"name", "email", "phone", "zone", "locale", "texts_agreed", "buffer"})


def changed_meanwhile() -> RuleError:
    """Say that somebody else has changed what a form was filled with."""
    return RuleError(
        "Somebody else has changed this since you opened the page, so nothing was saved. This is how it stands by now: "
        "make your changes once more.",
        code="person_changed",
    )


def matching(version: str) -> Callable[[int], None]:
    """Return what goes on only if somebody is still as a form was filled."""

    def match(stored: int) -> None:
        if str(stored) != version:
            raise changed_meanwhile()

    return match


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientInput:
    """A client as typed.

    Attributes:
        version: Of what the form was filled with; empty for somebody new.
        duplicate: The key of those like them who were shown.
        found: Their ids.
        errors: What is wrong, by field.
        error: What is wrong with no field.
    """

    name: str = ""
    email: str = ""
    phone: str = ""
    zone: str = ""
    locale: str = ENGLISH
    media: frozenset[str] = frozenset({Medium.EMAIL.value})
    texts_agreed: bool = False
    version: str = ""
    duplicate: str = ""
    found: Sequence[UUID] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def from_form(cls, form: Any) -> Self:
        """Take what was typed."""
        name, email, phone, zone, locale, version = (
            form.get(one, "").strip() for one in ("name", "email", "phone", "zone", "locale", "version")
        )
        return cls(
            name=name,
            email=email,
            phone=phone,
            zone=zone,
            locale=locale,
            media=frozenset(form.getlist("media")) & set(Medium),
            texts_agreed="texts_agreed" in form,
            version=version,
        )

    @classmethod
    def of(cls, client: Client) -> Self:
        """Fill the fields with a client."""
        return cls(
            name=client.name,
            email=client.email,
            phone=client.phone,
            zone=client.zone,
            locale=client.locale,
            media=frozenset(one.value for one in client.media),
            texts_agreed=client.texts_agreed,
            version=str(client.version),
        )

    def checked(self, *, texts: bool, consent: Consent, before: Client | None = None) -> tuple[dict[str, Any], Self]:
        """Return what is given by the fields of a client, and the fields with all that is wrong with them.

        Args:
            texts: Whether anybody is texted here; else what is stored about that stays as it is.
            consent: Who says so, if they have agreed to texts by now.
            before: Whom the form is about, if they are here already.
        """
        values, errors = _checked(
            {
                "name": lambda: one_line(self.name, label=NAME, field="name", longest=LONGEST_NAME),
                "email": lambda: check_address(self.email) if self.email else "",
                "phone": lambda: check_number(self.phone),
                "zone": lambda: check_zone(self.zone),
                "locale": lambda: _locale(self.locale),
            }
        )
        if texts:
            values["media"] = frozenset(Medium(one) for one in self.media)
            values["texts_agreed"] = self.texts_agreed
            if self.texts_agreed and not (before is not None and before.texts_agreed):
                values["consent"] = consent
        return values, replace(self, errors=errors)

    def refused(self, error: RuleError) -> Self:
        """Return the same fields with what was refused."""
        if isinstance(error, DuplicateError):
            errors = {"duplicate": visit.refusal(error)}
            return replace(self, errors=errors, duplicate=error.key, found=error.found)
        if error.field in _FIELDS:
            return replace(self, errors={error.field: visit.refusal(error)})
        return replace(self, error=visit.refusal(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerInput:
    """A practitioner's own details as typed; as of a client."""

    name: str = ""
    zone: str = ""
    locale: str = ENGLISH
    buffer: str = "0"
    session_level: str = ""
    hold_level: str = ""
    takes_replies: bool = False
    version: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Take what was typed."""
        name, zone, locale, buffer, session_level, hold_level, version = (
            form.get(one, "").strip()
            for one in ("name", "zone", "locale", "buffer", "session_level", "hold_level", "version")
        )
        return cls(
            name=name,
            zone=zone,
            locale=locale,
            buffer=buffer,
            session_level=session_level,
            hold_level=hold_level,
            takes_replies="takes_replies" in form,
            version=version,
        )

    @classmethod
    def of(cls, person: Practitioner) -> Self:
        """Fill the fields with a practitioner."""
        return cls(
            name=person.name,
            zone=person.zone,
            locale=person.locale,
            buffer=f"{person.buffer.total_seconds() / 60:g}",
            session_level=str(int(person.session_level)),
            hold_level=str(int(person.hold_level)),
            takes_replies=person.takes_replies,
            version=str(person.version),
        )

    def checked(self) -> tuple[dict[str, Any], Self]:
        """Return what is given by the fields of a practitioner, and the fields with all that is wrong with them."""
        levels = {"session_level": self.session_level, "hold_level": self.hold_level}
        values, errors = _checked(
            {
                "name": lambda: one_line(self.name, label=NAME, field="name", longest=LONGEST_NAME),
                "zone": lambda: check_zone(self.zone),
                "locale": lambda: _locale(self.locale),
                "buffer": lambda: _buffer(self.buffer),
                "session_level": lambda: forms.level(levels, "session_level"),
                "hold_level": lambda: forms.level(levels, "hold_level"),
            }
        )
        return {**values, "takes_replies": self.takes_replies}, replace(self, errors=errors)

    def refused(self, error: RuleError) -> Self:
        """Return the same fields with what was refused."""
        if error.field in _FIELDS:
            return replace(self, errors={error.field: visit.refusal(error)})
        return replace(self, error=visit.refusal(error))

    @property
    def levels(self) -> tuple[Level | None, Level | None]:
        """Return what is chosen of sessions and of times that are offered."""
        chosen = {str(int(one)): one for one in Level}
        return chosen.get(self.session_level), chosen.get(self.hold_level)


def languages(offered: Languages, chosen: str) -> dict[str, str]:
    """Return the languages to choose from, by tag: those on offer, and the one that somebody has already."""
    tags = dict.fromkeys((ENGLISH, *offered.tags, chosen))
    return {tag: LANGUAGES.get(tag, tag) for tag in tags if tag}


@cache
def zones() -> tuple[str, ...]:
    """Return the time zones to choose from, without their former names and bare offsets."""
    return (*sorted(one for one in available_timezones() if one.startswith(_CONTINENTS)), "UTC")


def _checked(parts: Mapping[str, Callable[[], Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the value of each part, and of those that have none what is wrong."""
    values, errors = {}, {}
    for name, read in parts.items():
        try:
            values[name] = read()
        except RuleError as error:
            errors[name] = visit.refusal(error)
    return values, errors


def _locale(text: str) -> str:
    check_locale(text)
    return text


def _buffer(text: str) -> timedelta:
    buffer = forms.length(text)
    if buffer is None or not timedelta() <= buffer <= LONGEST_BUFFER:
        raise RuleError(
            "A buffer lasts between 0 and 240 minutes. Choose one in between.",
            code="buffer_out_of_range",
            field="buffer",
        )
    return buffer
