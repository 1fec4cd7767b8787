"""In which words a practitioner's calendars name their entries: those of their language, whoever looks or writes."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from connector.domain.entry import EntryWords
from connector.domain.people import Practitioner
from connector.language.entries import entry_words
from connector.services.policy import Policy
from connector.storage import people


def words_for(policy: Policy, practitioner: Practitioner) -> EntryWords:
    """Return the words for a practitioner's calendars."""
    return entry_words(policy.languages.of(practitioner.locale))


def words_of(db: Connection, policy: Policy, practitioner_id: UUID) -> EntryWords:
    """Return the words for the calendars of the practitioner with this id."""
    return words_for(policy, people.practitioner(db, practitioner_id))
