"""What a request costs, in steps: a clock would tell of the machine."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from connector.domain import session as transitions
from connector.domain.api_key import Scope
from connector.domain.people import CLOCK, Client
from connector.domain.session import Location, LocationKind
from connector.domain.span import When
from connector.services import api_keys
from connector.storage import people, sessions
from tests.api.program import Program
from tests.counting import statements, steps
from tests.web.stage import Stage

_FEW, _MANY = 5, 45


@pytest.fixture
def crowded(installed: Stage) -> Stage:
    """Fifty of everything that is listed."""
    with installed.runtime.database.begin() as db:
        for number in range(50):
            api_keys.make(db, name=f"Key {number}", scopes=[Scope.READ], now=installed.now)
            client = Client(id=uuid4(), name="Alex", zone="Europe/London", email=f"alex{number}@client.example")
            people.add_client(db, client, now=installed.now)
            booked = transitions.book(
                practitioner_id=installed.ada.id,
                client_id=client.id,
                when=When.at(
                    (installed.now + timedelta(days=number + 1)).replace(tzinfo=None),
                    zone="Europe/Berlin",
                    duration=timedelta(hours=1),
                    fold=0,
                ),
                location=Location(kind=LocationKind.PHONE, text="+4930123456"),
                organizer="mail@pencilled.example",
                by=CLOCK,
                now=installed.now,
            )
            sessions.add(db, booked.session)
    return installed


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize(("path", "bound"), [("/keys", 10), ("/clients", 12), ("/sessions", 24)])
def test_a_row_of_a_list_takes_few_steps(api: Program, path: str, bound: int) -> None:
    counted = []
    for limit in (_FEW, _MANY):
        api.get(path, limit=limit)
        counted.append(steps(partial(api.get, path, limit=limit)))
    a_row = (counted[1] - counted[0]) / (_MANY - _FEW)
    assert a_row <= bound


def test_a_request_takes_few_statements(api: Program) -> None:
    assert api.key is not None
    asked = (
        (partial(api.get, f"/keys/{api.key.id}"), 2),
        (partial(api.get, "/keys"), 2),
        (partial(api.post, "/keys", {"name": "Booking site", "scopes": ["read"]}), 5),
    )
    for ask, most in asked:
        ask()
        with statements() as sent:
            ask()
        assert len(sent) <= most, sent
