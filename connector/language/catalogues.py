"""One catalogue a language: a `.po` file that is read when its language is first asked for, and kept.

English needs none: a message is its English. Nothing is compiled, so what an installation says is what stands in the
file. A third language is one more file here and its tag in the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.support import NullTranslations, Translations

from connector.errors import RuleError, SettingsError
from connector.language import po, values
from connector.language.messages import marked as marked  # noqa: PLC0414  who says messages marks some, too
from connector.language.offered import ENGLISH, SHIPPED
from connector.sentence import Paragraph, Sentence, Zone

_READING = Lock()


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its messages, and how it writes dates, lengths of time and lists.

    Messages name what is filled in, `%(name)s`, and write a percent sign twice, whether something is filled in or not.

    Attributes:
        tag: Such as en or de.
        reader: The locale of who reads it, such as de_AT: dates are written as their country does.
    """

    tag: str
    locale: Locale = field(repr=False, compare=False)
    catalogue: NullTranslations = field(repr=False, compare=False)
    reader: str = field(default="", repr=False, compare=False)

    def gettext(self, message: str) -> str:
        """Return a message in this language; in English, if the catalogue lacks it."""
        return str(self.catalogue.gettext(message)) if message else ""  # what a catalogue has for none is its header

    def ngettext(self, message: str, plural: str, n: int) -> str:
        """Return the form of a message that is right for a number."""
        return str(self.catalogue.ngettext(message, plural, n))

    def pgettext(self, context: str, message: str) -> str:
        """Return a message whose English means several things, by what it means here."""
        return str(self.catalogue.pgettext(context, message))

    def npgettext(self, context: str, message: str, plural: str, n: int) -> str:
        """Return the right form of a message with a meaning."""
        return str(self.catalogue.npgettext(context, message, plural, n))

    def say(self, message: str, /, **filled: Any) -> str:
        """Say a message, its values written as this language writes them."""
        return self._filled(self.gettext(message), filled)

    @property
    def formats(self) -> Locale:
        """How its dates are written."""
        return values.formats_of(self.reader, self.locale)

    def read_in(self, locale: str) -> Language:
        """Return the same language as it is written in a reader's country."""
        return replace(self, reader=locale)

    @property
    def direction(self) -> str:
        """Which way it is written: ltr or rtl."""
        return str(self.locale.text_direction)

    def say_n(self, message: str, plural: str, n: int, /, **filled: Any) -> str:
        """Say a message about a number of things; `%(n)s` is the number."""
        return self._filled(self.ngettext(message, plural, n), {**filled, "n": n})

    def say_as(self, context: str, message: str, /, **filled: Any) -> str:
        """Say a message that means several things in English, by what it means here."""
        return self._filled(self.pgettext(context, message), filled)

    def sentence(self, said: Sentence) -> str:
        """Say a sentence of the pure layers."""
        if said.plural:
            return self._filled(self.ngettext(said.words, said.plural, said.n), said.values)
        return self._filled(self.gettext(said.words), said.values)

    def refusal(self, error: RuleError) -> str:
        """Say what was refused, why, and what to do."""
        return self.value(error.sentences)

    def value(self, value: Any) -> str:
        """Write one value as this language does; a datetime on the clock that it is on."""
        match value:
            case Sentence():
                return self.sentence(value)
            case Zone():
                return values.zone_name(value, self.locale)
            case Paragraph():
                return " ".join(map(self.sentence, value))
            case tuple() | list():
                return values.listed([self.value(one) for one in value], self.locale)
            case timedelta():
                return values.length(value, self.locale)
            case datetime():
                return f"{values.day(value.date(), self.formats)}, {self.clock(value.time())}"
            case date():
                return values.day(value, self.formats)
            case time():
                return self.clock(value)
            case _:
                return str(value)

    def clock(self, value: time) -> str:
        """Write a time of day."""
        return self.say_as("time of day", "%(time)s", time=values.hour(value, self.formats))

    def _filled(self, text: str, filled: Mapping[str, Any]) -> str:
        return text % {name: self.value(value) for name, value in filled.items()}


def language(tag: str, folder: Path = SHIPPED) -> Language:
    """Return a language; whoever asks while its catalogue is being read waits, so that it is read once.

    Raises: SettingsError, which says what is wrong, for one whose catalogue cannot be used.
    """
    with _READING:
        return _language(tag, folder)


def in_full(tag: str) -> str:
    """Return a locale with the script in which it is written, if that is worth saying: zh_TW is zh_Hant_TW."""
    try:
        return str(Locale.parse(tag))
    except (UnknownLocaleError, ValueError, TypeError):
        return tag


@cache
def _language(tag: str, folder: Path) -> Language:
    if tag == ENGLISH:
        return Language(tag, Locale.parse(tag), NullTranslations())
    file = folder / f"{tag}.po"
    try:
        catalogue = po.read(file)
        if faults := list(po.unfillable(catalogue)):
            raise ValueError("; ".join(faults))
        compiled = BytesIO()
        write_mo(compiled, catalogue)  # without what is fuzzy
        compiled.seek(0)
        return Language(tag, Locale.parse(tag), Translations(compiled))
    except FileNotFoundError as error:
        raise SettingsError([f"there is no catalogue for the language {tag}: {file} is missing"]) from error
    except po.UNREADABLE as error:
        raise SettingsError([f"the catalogue of the language {tag} cannot be read, {file}: {error}"]) from error
