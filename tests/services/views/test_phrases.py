"""What is stored as a word has words for people, in the timeline as on every page."""

from __future__ import annotations

from dataclasses import fields

from connector.domain.facts import STOPPED_TEXTS
from connector.domain.people import Client, Medium, Practitioner
from connector.services.views import phrases


def test_whatever_can_be_changed_about_a_person_has_a_name_in_the_timeline() -> None:
    changeable = {field.name for one in (Client, Practitioner) for field in fields(one) if field.compare} - {
        "id",
        "erased",
    }

    calendars = {"published", "unpublished", "busy_published", "busy_unpublished"}
    assert set(phrases.FIELDS) == changeable | {"unretired", "hours", *calendars, *STOPPED_TEXTS}


def test_every_medium_has_a_name_in_the_timeline() -> None:
    assert set(phrases.MEDIA) == set(Medium)
