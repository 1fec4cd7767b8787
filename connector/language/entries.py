"""What entries are called in a calendar: only these words are translated, and a name follows them alike everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.entry import EntryWords

if TYPE_CHECKING:
    from connector.language.catalogues import Language


def entry_words(language: Language) -> EntryWords:
    """Return the words of titles in a language."""
    return EntryWords(
        session=language.say_as("calendar entry", "Session"),
        hold=language.say_as("calendar entry", "Hold"),
        busy=language.say_as("calendar entry", "Busy"),
    )
