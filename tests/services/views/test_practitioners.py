from __future__ import annotations

from uuid import uuid4

import pytest

from connector.domain.people import Actor, Role
from connector.errors import NotFoundError
from connector.services.views import practitioners
from tests.services.practice import Practice


def test_a_practitioner_acts_under_their_name(practice: Practice) -> None:
    with practice.database.read() as db:
        actor = practitioners.actor(db, practice.kim.id)
    assert actor == Actor(role=Role.PRACTITIONER, name=practice.kim.name)


def test_nobody_acts_as_a_practitioner_there_is_not(practice: Practice) -> None:
    with practice.database.read() as db, pytest.raises(NotFoundError):
        practitioners.actor(db, uuid4())
