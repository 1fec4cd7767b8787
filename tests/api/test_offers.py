from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

import providers
from connector.api.offers import resource
from connector.domain.api_key import Scope
from connector.domain.offer import OfferState
from connector.domain.people import Actor, Role
from connector.domain.session import Session
from connector.domain.span import Span, When
from connector.errors import TransientError
from connector.ports import Network
from connector.services import standstill
from connector.services.accounts.connect import ConnectionRequest, connect
from connector.services.scheduling import offers as offer_service
from connector.storage import offers as stored_offers
from connector.storage import tables
from providers.memory import provider as memory
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer
from tests.counting import statements
from tests.web.stage import Stage, add_client

Json = dict[str, Any]
OTHERS = ("alternative_withdraw", "alternative_move")


def times(*whens: When) -> list[Json]:
    return [{"time": time_of(when)} for when in whens]


def time_of(when: When) -> Json:
    start = when.local.astimezone() if when.local.tzinfo else when.span.start
    return {"start": start.isoformat(), "end": when.span.end.isoformat(), "zone": "UTC"}


def body(answer: Any) -> Json:
    assert answer.status_code < 300, answer.text
    found: Json = answer.json
    return found


def drafted(api: Program, stage: Stage, *whens: When, session: Session | None = None, **more: Any) -> Json:
    chosen = whens or (stage.at(9, 9), stage.at(9, 11))
    path = f"/sessions/{(session or stage.session).id}/offers"
    return body(api.post(path, {"alternatives": times(*chosen), **more}))


def sent(api: Program, stage: Stage, *whens: When, **more: Any) -> Json:
    draft = drafted(api, stage, *whens, **more)
    offer: Json = body(api.post(f"/offers/{draft['id']}/send", {}, match=draft["version"]))["offer"]
    return offer


def kept(stage: Stage, session: Session | None = None) -> list[str]:
    own = tables.occupancy.c.session_id == (session or stage.session).id
    query = sa.select(tables.occupancy.c.state).where(own).order_by(tables.occupancy.c.starts_at)
    with stage.runtime.database.read() as db:
        return list(db.execute(query).scalars())


def letters(stage: Stage) -> int:
    stage.mail()
    return len(stage.runtime.sender.letters)  # type: ignore[attr-defined]


@pytest.fixture
def private(installed: Stage) -> memory.MemoryCalendar:
    """Ada's calendar, connected."""
    identity = str(installed.ada.id)
    calendar = memory.store(identity).calendar("calendar")
    installed.runtime.load_provider = providers.load
    connect(
        installed.runtime.database,
        installed.runtime.seal,
        Network(),
        installed.ada.id,
        ConnectionRequest(
            provider=memory.PROVIDER,
            form={"address": identity, "password": "secret"},
            label="Ada's calendar",
            calendar="calendar",
        ),
        by=installed.by,
        now=installed.now,
    )
    return calendar


def test_a_draft_holds_nothing_and_nobody_is_told(api: Program, installed: Stage) -> None:
    before = letters(installed)
    place = {"kind": "online", "text": "https://meet.example.org/kim"}
    made = api.post(
        f"/sessions/{installed.session.id}/offers",
        {
            "alternatives": [{**times(installed.at(9, 9))[0], "location": place}, *times(installed.at(9, 11))],
            "window_hours": 12,
            "external_id": "offer-7",
        },
    )
    offer = body(made)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/api/v1/offers/{offer['id']}"
    assert made.headers["ETag"] == f'"{offer["version"]}"'
    assert (offer["state"], offer["external_id"], offer["window_seconds"]) == ("draft", "offer-7", 12 * 3600)
    assert [one["location"] for one in offer["alternatives"]] == [place, None]
    assert offer["expires_at"] is None
    assert body(api.get(f"/offers/{offer['id']}")) == offer
    assert api.get(f"/offers/{offer['id']}").headers["ETag"] == made.headers["ETag"]
    assert kept(installed) == ["booked"]
    assert letters(installed) == before


def test_a_second_draft_replaces_the_first_only_if_that_is_said(api: Program, installed: Stage) -> None:
    first = drafted(api, installed)
    path = f"/sessions/{installed.session.id}/offers"
    refused = api.post(path, {"alternatives": times(installed.at(10, 9))})
    assert (refused.status_code, code(refused)) == (409, "draft_exists_already")
    second = body(api.post(path, {"alternatives": times(installed.at(10, 9)), "replace": True}))
    assert body(api.get(f"/offers/{first['id']}"))["state"] == "discarded"
    assert body(api.get(f"/offers/{second['id']}"))["state"] == "draft"


def test_an_external_id_is_one_offers_alone(api: Program, installed: Stage) -> None:
    drafted(api, installed, external_id="offer-7")
    path = f"/sessions/{installed.bobs.id}/offers"
    refused = api.post(path, {"alternatives": times(installed.at(10, 9)), "external_id": "offer-7"})
    assert (refused.status_code, code(refused), pointer(refused)) == (409, "external_id_taken", "/external_id")
    other = drafted(api, installed, session=installed.bobs)
    path = f"/offers/{other['id']}"
    assert code(api.patch(path, {"external_id": "offer-7"}, match=other["version"])) == "external_id_taken"
    named = body(api.patch(path, {"external_id": "offer-8"}, match=other["version"]))
    assert (named["external_id"], named["version"]) == ("offer-8", other["version"] + 1)
    same = body(api.patch(path, {"external_id": "offer-8"}, match=named["version"]))
    assert same == named
    assert [one["id"] for one in body(api.get("/offers", external_id="offer-8"))["items"]] == [other["id"]]


def test_a_draft_is_changed_and_stays_the_same_draft(api: Program, installed: Stage) -> None:
    draft = drafted(api, installed, installed.at(9, 9), installed.at(9, 11))
    path, new = f"/offers/{draft['id']}", {"alternatives": times(installed.at(9, 11), installed.at(10, 9))}
    assert api.put(path, new).status_code == 428
    assert api.put(path, new, match=draft["version"] + 1).status_code == 412
    changed = body(api.put(path, new, match=draft["version"]))
    assert (changed["id"], changed["version"]) == (draft["id"], draft["version"] + 1)
    assert changed["alternatives"][0]["id"] == draft["alternatives"][1]["id"]
    assert body(api.put(path, new, match=changed["version"])) == changed


def test_a_draft_goes_by_the_hosts_own_id(api: Program, installed: Stage) -> None:
    path = "/offers/by-external-id/offer-7"
    wanted = {"session_id": str(installed.session.id), "alternatives": times(installed.at(9, 9))}
    made = api.put(path, wanted)
    assert made.status_code == 201
    again = api.put(path, wanted)
    assert (again.status_code, body(again)) == (200, body(made))
    other = {**wanted, "alternatives": times(installed.at(10, 9))}
    assert code(api.put(path, other)) == "precondition_required"
    assert body(api.get(f"/offers/{body(made)['id']}")) == body(made)
    assert code(api.put(path, other, match=99)) == "precondition_failed"
    changed = body(api.put(path, other, match=body(made)["version"]))
    assert (changed["id"], changed["external_id"]) == (body(made)["id"], "offer-7")
    elsewhere = api.put(path, {**wanted, "session_id": str(installed.bobs.id)}, match="*")
    assert (elsewhere.status_code, pointer(elsewhere)) == (409, "/session_id")


@pytest.mark.parametrize("name", ["%00", "%20x", "x" * 256])
def test_what_no_host_can_call_an_offer_is_refused_before_it_is_looked_for(
    api: Program, installed: Stage, name: str
) -> None:
    wanted = {"session_id": str(installed.session.id), "alternatives": times(installed.at(9, 9))}
    refused = api.put(f"/offers/by-external-id/{name}", wanted)
    assert (refused.status_code, code(refused)) == (422, "external_id_malformed")
    assert api.get("/offers", external_id="a\x00b").status_code == 422


def test_what_is_shown_of_each_act_in_the_description_can_be_done(api: Program, installed: Stage) -> None:
    shown = {route.view.__name__: msgspec.to_builtins(route.example) for route in resource.routes if route.example}
    named = {**shown.pop("draft_named"), "session_id": str(installed.bobs.id)}
    assert api.put("/offers/by-external-id/rearranging-1850", named).status_code == 201
    draft = body(api.post(f"/sessions/{installed.session.id}/offers", shown.pop("draft")))
    path, alternative = f"/offers/{draft['id']}", draft["alternatives"][0]
    body(api.put(path, shown.pop("redraft"), match="*"))
    body(api.patch(path, shown.pop("rename"), match="*"))
    body(api.post(f"{path}/send", shown.pop("send"), match="*"))
    second = body(api.post(f"{path}/replace", shown.pop("replace"), match="*"))["offer"]
    path, moving = f"/offers/{second['id']}", shown.pop("move")
    moving["time"] = {**moving["time"], "start": "2031-12-03T17:00:00+01:00", "end": "2031-12-03T18:00:00+01:00"}
    body(api.post(f"{path}/alternatives/{second['alternatives'][1]['id']}/move", moving, match="*"))
    answer = {**shown.pop("answer"), "alternative_id": second["alternatives"][0]["id"]}
    assert datetime.fromisoformat(answer["shown"]) == datetime.fromisoformat(alternative["time"]["start"])
    third = sent(api, installed, session=installed.bobs, replace=True)
    body(api.post(f"/offers/{third['id']}/withdraw", shown.pop("withdraw"), match="*"))
    assert body(api.post(f"{path}/answer", answer))["state"] == "accepted"
    assert shown == {}


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"alternatives": []}, "/alternatives"),
        ({"alternatives": [{}]}, "/alternatives/0/time"),
        ({"window_hours": 0}, "/window_hours"),
        ({"window_hours": 1, "window_seconds": 60}, "/window_hours"),
        ({"window_seconds": 31 * 24 * 3600}, "/window_seconds"),
        ({"external_id": ""}, "/external_id"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_what_cannot_be_a_draft_is_refused_where_it_is_wrong(
    api: Program, installed: Stage, wrong: Json, at: str
) -> None:
    path = f"/sessions/{installed.session.id}/offers"
    refused = api.post(path, {"alternatives": times(installed.at(9, 9)), **wrong})
    assert (refused.status_code, pointer(refused)) == (422, at)


@pytest.mark.parametrize(
    ("start", "refusal"),
    [
        ("2026-03-11T09:00:00", "time_without_offset"),
        ("0001-01-01T00:00:00+14:00", "time_out_of_range"),
        ("2026-03-29T02:30:00+01:00", "time_does_not_exist"),
        ("2026-03-11T09:00:00+05:00", "offset_of_another_zone"),
    ],
)
def test_a_time_that_cannot_be_is_refused_at_its_place(
    api: Program, installed: Stage, start: str, refusal: str
) -> None:
    bad = {"time": {"start": start, "end": "2026-03-29T04:00:00+02:00", "zone": "Europe/Berlin"}}
    path = f"/sessions/{installed.session.id}/offers"
    refused = api.post(path, {"alternatives": [*times(installed.at(9, 9)), bad]})
    assert (refused.status_code, code(refused)) == (422, refusal)
    assert pointer(refused) == "/alternatives/1/time/start"


def test_times_that_the_rules_forbid_are_refused(api: Program, installed: Stage) -> None:
    path = f"/sessions/{installed.session.id}/offers"

    def refusal(*whens: When) -> tuple[int, str]:
        answer = api.post(path, {"alternatives": times(*whens)})
        return answer.status_code, code(answer)

    own = installed.session.when
    assert refusal(own) == (422, "alternative_is_own_time")
    assert refusal(installed.at(9, 9), installed.at(9, 9)) == (422, "alternative_doubled")
    assert refusal(installed.at(0, 8)) == (422, "time_passed")
    other = add_client(installed)
    installed.book(installed.at(9, 9), client=other)
    assert refusal(installed.at(9, 9)) == (409, "alternative_overlaps")


def test_sending_holds_the_times_and_asks_the_client(api: Program, installed: Stage) -> None:
    draft, before = drafted(api, installed), letters(installed)
    path = f"/offers/{draft['id']}/send"
    assert api.post(path, {}).status_code == 428
    assert api.post(path, {}, match=draft["version"] + 7).status_code == 412
    assert kept(installed) == ["booked"]
    answer = api.post(path, {}, match=draft["version"])
    offer = body(answer)["offer"]
    assert answer.headers["ETag"] == f'"{offer["version"]}"'
    assert (offer["state"], offer["version"]) == ("open", draft["version"] + 1)
    deadline = installed.now + installed.runtime.policy.window
    assert datetime.fromisoformat(offer["expires_at"]) == deadline
    assert ["No calendar is connected" in one for one in body(answer)["warnings"]] == [True]
    assert kept(installed) == ["booked", "held", "held"]
    assert letters(installed) == before + 1
    again = api.post(path, {}, match=offer["version"])
    assert (again.status_code, code(again)) == (409, "offer_sent")


def test_warnings_are_said_in_the_language_that_is_asked_for(api: Program, installed: Stage) -> None:
    draft = drafted(api, installed)
    answer = api.post(f"/offers/{draft['id']}/send", match="*", headers={"Accept-Language": "de"})
    assert body(answer)["warnings"][0].startswith("Es ist kein Kalender verbunden")


def test_a_preview_says_what_sending_does_and_does_nothing(
    api: Program, installed: Stage, private: memory.MemoryCalendar
) -> None:
    private.add_foreign(installed.at(9, 11).span)
    earlier = sent(api, installed, installed.at(12, 9))
    draft = drafted(api, installed, installed.at(9, 9), installed.at(9, 11), installed.at(12, 9), replace=True)
    seen = body(api.post(f"/offers/{draft['id']}/preview"))
    assert body(api.get(f"/offers/{draft['id']}")) == draft
    assert seen["would_be_sent"] is True
    assert seen["refusals"] == []
    assert seen["replaces"] == earlier["id"]
    assert seen["told"] == [{"client_id": str(installed.kim.id), "media": ["email"]}]
    assert [one["calendar"] for one in seen["shown_in"]] == ["calendar"]
    assert [one["reason"] for one in seen["conflicts"]] == ["outside_event"]
    refused = api.post(f"/offers/{draft['id']}/send", {}, match="*")
    assert (refused.status_code, code(refused)) == (409, "conflict_in_calendar")
    assert refused.json is not None
    assert refused.json["conflicts"] == seen["conflicts"]
    accepted = {"accept_conflicts": [one["id"] for one in seen["conflicts"]]}
    done = body(api.post(f"/offers/{draft['id']}/send", accepted, match="*"))
    assert done["offer"]["expires_at"] == seen["expires_at"]
    assert done["warnings"] == seen["warnings"]
    assert [one["alternative_id"] for one in seen["holds"]] == [one["id"] for one in done["offer"]["alternatives"]]
    assert body(api.get(f"/offers/{earlier['id']}"))["state"] == "replaced"


def test_what_is_previewed_is_neither_written_nor_asked_of_anybody(api: Program, installed: Stage) -> None:
    draft = drafted(api, installed)
    before = installed.everything()
    with statements() as asked:
        body(api.post(f"/offers/{draft['id']}/preview"))
    after = installed.everything()
    differing = {name for name in after if after[name] != before[name]}
    assert differing <= {"api_keys"}  # when a key was used last
    assert [one for one in asked if not one.startswith("SELECT") and "api_keys" not in one] == []


def test_a_preview_says_every_reason_not_to_send(api: Program, installed: Stage) -> None:
    mute = add_client(installed, email="")
    booked = installed.book(installed.at(3, 9), client=mute)
    draft = drafted(api, installed, installed.at(9, 9), session=booked)
    installed.book(installed.at(9, 9), client=add_client(installed, email="noor@example.org"))
    seen = body(api.post(f"/offers/{draft['id']}/preview"))
    assert seen["would_be_sent"] is False
    assert [one["code"] for one in seen["refusals"]] == ["client_unreachable", "alternative_overlaps"]
    assert seen["told"] == []
    refused = api.post(f"/offers/{draft['id']}/send", {}, match="*")
    assert code(refused) == "client_unreachable"


def test_a_blind_spot_keeps_no_offer_from_being_sent(
    api: Program, installed: Stage, private: memory.MemoryCalendar
) -> None:
    draft = drafted(api, installed)
    private.offline = TransientError("no answer")
    seen = body(api.post(f"/offers/{draft['id']}/preview"))
    assert {one["reason"] for one in seen["conflicts"]} == {"blind_spot"}
    answer = body(api.post(f"/offers/{draft['id']}/send", {}, match="*"))
    assert any("calendar" in warning for warning in answer["warnings"])
    moving = {"time": time_of(installed.at(12, 9))}
    alternative = answer["offer"]["alternatives"][0]["id"]
    path = f"/offers/{draft['id']}/alternatives/{alternative}/move"
    refused = api.post(path, moving, match="*")
    assert code(refused) == "conflict_in_calendar"
    assert refused.json is not None
    accepted = [one["id"] for one in refused.json["conflicts"]]
    assert body(api.post(path, {**moving, "accept_conflicts": accepted}, match="*"))["state"] == "open"


def test_an_offer_is_taken_back_with_a_reason(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    path = f"/offers/{offer['id']}/withdraw"
    assert api.post(path, {"reason": "ill"}).status_code == 428
    assert api.post(path, {"reason": "ill"}, match=offer["version"] - 1).status_code == 412
    gone = body(api.post(path, {"reason": "ill"}, match=offer["version"]))
    assert (gone["state"], gone["version"]) == ("withdrawn", offer["version"] + 1)
    assert kept(installed) == ["booked"]
    assert body(api.post(path, {}, match=gone["version"])) == gone
    late = api.post(f"/offers/{offer['id']}/answer", choice(offer))
    assert (late.status_code, code(late)) == (409, "offer_withdrawn")
    assert late.json is not None
    assert late.json["state"] == "withdrawn"


def test_one_time_is_taken_back_and_the_last_takes_the_offer_with_it(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    first, last = (f"/offers/{offer['id']}/alternatives/{one['id']}/withdraw" for one in offer["alternatives"])
    assert api.post(first).status_code == 428
    assert api.post(first, match=99).status_code == 412
    less = body(api.post(first, match=offer["version"]))
    assert [one["withdrawn"] for one in less["alternatives"]] == [True, False]
    assert kept(installed) == ["booked", "held"]
    assert body(api.post(last, match=less["version"]))["state"] == "withdrawn"
    nowhere = f"/offers/{offer['id']}/alternatives/{uuid4()}/withdraw"
    other = sent(api, installed, installed.at(11, 9))
    nowhere = f"/offers/{other['id']}/alternatives/{uuid4()}/withdraw"
    assert code(api.post(nowhere, match="*")) == "alternative_not_found"


def test_one_time_is_moved_and_the_deadline_stays(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    path = f"/offers/{offer['id']}/alternatives/{offer['alternatives'][0]['id']}/move"
    to = {"time": time_of(installed.at(11, 9))}
    assert api.post(path, to).status_code == 428
    assert api.post(path, to, match=99).status_code == 412
    installed.clock.advance(timedelta(hours=1))
    moved = body(api.post(path, to, match=offer["version"]))
    assert moved["expires_at"] == offer["expires_at"]
    assert datetime.fromisoformat(moved["alternatives"][0]["time"]["start"]) == installed.at(11, 9).span.start
    assert moved["alternatives"][0]["id"] == offer["alternatives"][0]["id"]
    assert body(api.post(path, to, match=moved["version"])) == moved
    past = api.post(path, {"time": time_of(installed.at(0, 8))}, match="*")
    assert (code(past), pointer(past)) == ("time_passed", "/time")


def test_an_open_offer_is_replaced_in_one_act(api: Program, installed: Stage) -> None:
    offer = sent(api, installed, installed.at(9, 9), installed.at(9, 11))
    path = f"/offers/{offer['id']}/replace"
    new = {"alternatives": times(installed.at(9, 11), installed.at(10, 9)), "external_id": "second"}
    assert api.post(path, new).status_code == 428
    assert api.post(path, new, match=99).status_code == 412
    done = api.post(path, new, match=offer["version"])
    second = body(done)["offer"]
    assert done.status_code == 201
    assert done.headers["Location"] == f"/api/v1/offers/{second['id']}"
    assert (second["state"], second["external_id"]) == ("open", "second")
    assert body(api.get(f"/offers/{offer['id']}"))["state"] == "replaced"
    assert kept(installed) == ["booked", "held", "held"]
    assert code(api.post(path, {**new, "external_id": "third"}, match="*")) == "offer_replaced"


def test_replacing_throws_a_draft_away_only_if_that_is_said(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    draft = drafted(api, installed, installed.at(11, 9))
    new = {"alternatives": times(installed.at(10, 9))}
    path = f"/offers/{offer['id']}/replace"
    assert code(api.post(path, new, match=offer["version"])) == "draft_exists_already"
    assert body(api.get(f"/offers/{offer['id']}"))["state"] == "open"
    body(api.post(path, {**new, "replace": True}, match=offer["version"]))
    assert body(api.get(f"/offers/{draft['id']}"))["state"] == "discarded"


def test_a_draft_is_thrown_away(api: Program, installed: Stage) -> None:
    draft = drafted(api, installed)
    path = f"/offers/{draft['id']}/discard"
    assert api.post(path).status_code == 428
    assert api.post(path, match=99).status_code == 412
    assert body(api.post(path, match=draft["version"]))["state"] == "discarded"
    assert code(api.post(path, match="*")) == "offer_discarded"


def test_past_its_deadline_an_offer_has_lapsed_whenever_that_is_recorded(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    installed.clock.advance(installed.runtime.policy.window)
    lapsed = api.get(f"/offers/{offer['id']}")
    assert body(lapsed)["state"] == "lapsed"
    assert body(lapsed)["ended_at"] == offer["expires_at"]
    assert body(api.get("/offers", state="open"))["items"] == []
    assert body(api.get("/offers", state="lapsed"))["items"] == [body(lapsed)]
    installed.clock.advance(timedelta(minutes=3))
    with installed.runtime.database.begin() as db:
        offer_service.come_due(db, installed.runtime.policy, UUID(offer["id"]), now=installed.now)
    assert installed.stored(stored(installed, offer)).state is OfferState.LAPSED
    recorded = api.get(f"/offers/{offer['id']}")
    assert (body(recorded), recorded.headers["ETag"]) == (body(lapsed), lapsed.headers["ETag"])
    assert api.get(f"/offers/{offer['id']}").status_code == 200
    seen = api.ask("GET", f"/offers/{offer['id']}", headers={"If-None-Match": lapsed.headers["ETag"]})
    assert seen.status_code == 304
    assert body(api.get("/offers", state="lapsed"))["items"] == [body(lapsed)]


def test_an_act_on_an_overdue_offer_takes_the_version_that_was_read(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    installed.clock.advance(installed.runtime.policy.window)
    assert api.post(f"/offers/{offer['id']}/withdraw", {}, match=offer["version"]).status_code == 412
    read = body(api.get(f"/offers/{offer['id']}"))
    assert code(api.post(f"/offers/{offer['id']}/withdraw", {}, match=read["version"])) == "offer_lapsed"


def stored(stage: Stage, offer: Json) -> Any:
    with stage.runtime.database.read() as db:
        return stored_offers.get(db, UUID(offer["id"]))


def choice(offer: Json, number: int = 0, **more: Any) -> Json:
    alternative = offer["alternatives"][number]
    return {
        "answer": "accept",
        "alternative_id": alternative["id"],
        "shown": alternative["time"]["start"],
        "name": "Robin",
        "reason": "called, cannot open the link",
        **more,
    }


REJECTION = {"answer": "reject", "name": "Robin", "reason": "called"}


def test_support_answers_for_a_client_as_the_client_would(api: Program, installed: Stage, key: MakesKeys) -> None:
    offer, support = sent(api, installed), key([Scope.SUPPORT])
    path = f"/offers/{offer['id']}/answer"
    chosen = body(support.post(path, choice(offer, 1)))
    assert (chosen["state"], chosen["accepted_alternative_id"]) == ("accepted", offer["alternatives"][1]["id"])
    assert installed.stored_session().when.span == installed.at(9, 11).span
    assert kept(installed) == ["booked"]
    assert body(support.post(path, choice(offer, 1))) == chosen
    other = support.post(path, choice(offer, 0))
    assert (other.status_code, code(other)) == (409, "offer_accepted")
    assert other.json is not None
    assert other.json["accepted_alternative_id"] == chosen["accepted_alternative_id"]
    assert datetime.fromisoformat(other.json["ended_at"]) == installed.now
    assert code(support.post(path, REJECTION)) == "offer_accepted"
    assert code(key([Scope.OFFERS]).post(path, choice(offer, 1))) == "scope_missing"


@pytest.mark.parametrize(("answer", "state"), [("reject", "rejected"), ("cancel", "cancelled")])
def test_support_says_that_no_time_suits_or_cancels(api: Program, installed: Stage, answer: str, state: str) -> None:
    offer = sent(api, installed)
    path = f"/offers/{offer['id']}/answer"
    ended = body(api.post(path, {**REJECTION, "answer": answer}))
    assert ended["state"] == state
    assert body(api.post(path, {**REJECTION, "answer": answer})) == ended
    other = "cancel" if answer == "reject" else "reject"
    assert code(api.post(path, {**REJECTION, "answer": other})) in ("offer_rejected", "offer_booking_cancelled")


def test_support_may_choose_after_a_lapse_while_the_time_is_free(api: Program, installed: Stage) -> None:
    offer, first = sent(api, installed), installed.at(9, 9)
    installed.clock.advance(installed.runtime.policy.window)
    path = f"/offers/{offer['id']}/answer"
    late = api.post(path, REJECTION)
    assert (late.status_code, code(late)) == (409, "offer_lapsed")
    installed.book(first, client=add_client(installed))
    taken = api.post(path, choice(offer, 0))
    assert (taken.status_code, code(taken)) == (409, "time_taken")
    assert body(api.post(path, choice(offer, 1)))["state"] == "accepted"


def test_a_time_that_has_moved_since_is_not_accepted(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    alternative = offer["alternatives"][0]["id"]
    to = {"time": time_of(installed.at(11, 9))}
    body(api.post(f"/offers/{offer['id']}/alternatives/{alternative}/move", to, match="*"))
    stale = api.post(f"/offers/{offer['id']}/answer", choice(offer))
    assert (stale.status_code, code(stale)) == (409, "alternative_moved")


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"alternative_id": None}, "/alternative_id"),
        ({"shown": None}, "/shown"),
        ({"shown": "2026-03-11T09:00:00"}, "/shown"),
        ({"name": ""}, "/name"),
        ({"reason": "\u200b"}, "/reason"),
        ({"answer": "maybe"}, "/answer"),
    ],
)
def test_an_answer_names_the_choice_and_who_gives_it(api: Program, installed: Stage, wrong: Json, at: str) -> None:
    offer = sent(api, installed)
    refused = api.post(f"/offers/{offer['id']}/answer", choice(offer, **wrong))
    assert (refused.status_code, pointer(refused)) == (422, at)
    assert body(api.get(f"/offers/{offer['id']}"))["state"] == "open"


def acts(session_id: object, offer: Json, stage: Stage) -> list[tuple[str, str, Json | None]]:
    """Every act there is about an offer, and what it is sent."""
    alternative, drafting = offer["alternatives"][0]["id"], {"alternatives": times(stage.at(13, 9))}
    path = f"/offers/{offer['id']}"
    return [
        ("GET", path, None),
        ("PUT", path, drafting),
        ("PATCH", path, {"external_id": "x"}),
        ("POST", f"/sessions/{session_id}/offers", drafting),
        ("POST", f"{path}/preview", None),
        ("POST", f"{path}/send", {}),
        ("POST", f"{path}/withdraw", {}),
        ("POST", f"{path}/discard", None),
        ("POST", f"{path}/replace", drafting),
        ("POST", f"{path}/alternatives/{alternative}/withdraw", None),
        ("POST", f"{path}/alternatives/{alternative}/move", {"time": time_of(stage.at(13, 9))}),
        ("POST", f"{path}/answer", choice(offer)),
    ]


def test_another_practitioners_offers_are_answered_as_ids_that_nothing_has(
    api: Program, installed: Stage, key: MakesKeys
) -> None:
    bobs = key(Scope, practitioner=installed.bob.id)
    offer = sent(api, installed, external_id="adas")
    unknown = {**offer, "id": str(uuid4()), "alternatives": [{**offer["alternatives"][0], "id": str(uuid4())}]}
    before = installed.everything()
    theirs = acts(installed.session.id, offer, installed)
    nobodys = acts(uuid4(), unknown, installed)
    for (method, path, sending), (_, no_path, no_sending) in zip(theirs, nobodys, strict=True):
        hidden, missing = bobs.ask(method, path, sending, match="*"), bobs.ask(method, no_path, no_sending, match="*")
        assert hidden.status_code == missing.status_code == 404, path
        assert {**(hidden.json or {}), "request_id": 0} == {**(missing.json or {}), "request_id": 0}, path
    assert body(bobs.get("/offers"))["items"] == []
    assert body(bobs.get("/offers", practitioner_id=str(installed.ada.id)))["items"] == []
    assert body(bobs.get("/offers", external_id="adas"))["items"] == []
    after = installed.everything()
    assert {name for name in after if after[name] != before[name]} <= {"api_keys"}


def test_a_read_key_reads_and_changes_nothing(api: Program, installed: Stage, key: MakesKeys) -> None:
    offer, reader = sent(api, installed), key([Scope.READ])
    assert body(reader.get(f"/offers/{offer['id']}")) == offer
    for method, path, sending in acts(installed.session.id, offer, installed)[1:]:
        refused = reader.ask(method, path, sending, match="*")
        assert (refused.status_code, code(refused)) == (403, "scope_missing"), path


def test_nothing_is_decided_while_everything_stands_still(api: Program, installed: Stage) -> None:
    offer = sent(api, installed)
    operator = Actor(role=Role.OPERATOR)
    standstill.declare(installed.runtime.database, installed.runtime.policy, None, by=operator, now=installed.now)
    assert body(api.get(f"/offers/{offer['id']}")) == offer
    for method, path, sending in acts(installed.session.id, offer, installed)[1:]:
        refused = api.ask(method, path, sending, match="*")
        assert (refused.status_code, code(refused)) == (503, "standing_still"), path


def test_offers_are_listed_a_page_at_a_time_in_as_many_statements_however_many_there_are(
    api: Program, installed: Stage
) -> None:
    base = stored(installed, drafted(api, installed))

    def add(count: int) -> None:
        with installed.runtime.database.begin() as db:
            for number in range(count):
                span = Span.of(installed.at(9, 9).span.start, timedelta(minutes=50))
                alternative = base.alternatives[0].__class__(id=uuid4(), when=When.of(span, zone="UTC"))
                later = base.drafted_at + timedelta(seconds=number % 7)
                fresh = base.__class__(
                    id=uuid4(),
                    session_id=base.session_id,
                    practitioner_id=base.practitioner_id,
                    state=OfferState.WITHDRAWN,
                    alternatives=(alternative,),
                    window=base.window,
                    drafted_at=later,
                    sent_at=later,
                    ended_at=later,
                )
                stored_offers.add(db, fresh)

    def cost() -> int:
        with statements() as asked:
            body(api.get("/offers", limit=100))
        return len(asked)

    add(3)
    few = cost()
    add(996)
    assert cost() == few
    found: list[str] = []
    query: Json = {"limit": 100}
    while True:
        page = body(api.get("/offers", **query))
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len(found) == len(set(found)) == 1000
    assert body(api.get("/offers", state="draft"))["items"][0]["id"] == str(base.id)
    assert code(api.get("/offers", state="open", cursor=query["cursor"])) == "cursor_invalid"
