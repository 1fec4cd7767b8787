from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.facts import MoveReason
from connector.domain.notice import NoticeKind
from connector.domain.people import Medium
from connector.domain.session import Edit, Location, LocationKind, SessionState
from connector.errors import NotFoundError, RuleError, TimeTakenError
from connector.services.policy import Policy
from connector.storage.database import Database
from connector.storage.messages import MessageState
from tests.domain.examples import ATTESTED, NOW, client, session, when
from tests.services.practice import Practice

ONLINE = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim")
CORRECTION = MoveReason.CORRECTION


def test_a_booked_session_is_stored_and_told(practice: Practice) -> None:
    booked = practice.book()
    assert practice.session(booked) == booked
    assert practice.kept() == [(booked.when.span.start, booked.when.span.end, "booked")]
    assert practice.kinds_told(booked, client=True) == ["booked"]
    assert practice.happened(booked) == ["SessionBooked"]


def test_an_overlapping_session_is_refused_and_nothing_is_kept_of_it(practice: Practice) -> None:
    practice.book(48)
    with pytest.raises(TimeTakenError, match="Choose a different time"):
        practice.book(48.5, of=practice.another_client())
    assert len(practice.kept()) == 1


def test_whoever_is_refused_a_time_is_told_what_keeps_it(database: Database) -> None:
    practice = Practice(database, buffer=10)
    booked = practice.book(48)
    offered = practice.offer(practice.book(60, of=practice.another_client()), 49)
    with pytest.raises(TimeTakenError) as refused:
        practice.book(48.5, of=practice.another_client())
    session, hold = refused.value.kept
    assert (session.session_id, session.is_hold, session.offer_id) == (booked.id, False, None)
    assert session.end - booked.when.span.end == timedelta(minutes=10)
    assert (hold.session_id, hold.is_hold, hold.offer_id) == (offered.session_id, True, offered.id)
    with pytest.raises(TimeTakenError) as overlapping:
        practice.draft(booked, 49)
    assert [kept.offer_id for kept in overlapping.value.kept] == [offered.id]


def test_a_buffer_keeps_the_gap_after_a_session(database: Database) -> None:
    practice = Practice(database, buffer=15)
    practice.book(48)
    with pytest.raises(TimeTakenError):
        practice.book(48 + 55 / 60)
    practice.book(48 + 65 / 60)


def test_two_practitioners_do_not_stand_in_each_others_way(database: Database) -> None:
    Practice(database).book(48)
    Practice(database).book(48)


def test_moving_keeps_identity_and_tells_old_and_new_in_one_mail(practice: Practice) -> None:
    booked = practice.book()
    session = practice.move(booked, when(72))
    assert (session.id, session.uid, session.revision) == (booked.id, booked.uid, 1)
    last = practice.told(booked, client=True)[-1].notice
    assert (last.kind, last.old_when) == (NoticeKind.MOVED, booked.when)
    assert practice.kept() == [(when(72).span.start, when(72).span.end, "booked")]


def test_saving_the_same_values_is_no_mail_no_revision_no_fact(practice: Practice) -> None:
    booked = practice.book()
    saved = practice.edit(booked, Edit(when=booked.when, location=booked.location, attestation=ATTESTED))
    assert saved == practice.session(booked) == booked
    assert len(practice.told(booked)) == 1
    assert practice.happened(booked) == ["SessionBooked"]


def test_time_and_place_in_one_save_are_one_mail(practice: Practice) -> None:
    booked = practice.book()
    practice.edit(booked, Edit(when=when(72), location=ONLINE, attestation=ATTESTED))
    notices = practice.told(booked, client=True)
    assert [m.kind for m in notices] == [NoticeKind.BOOKED, NoticeKind.MOVED]
    assert notices[-1].notice.old_location == booked.location


def test_a_place_alone_is_told(practice: Practice) -> None:
    booked = practice.book()
    practice.edit(booked, Edit(location=ONLINE))
    assert practice.kinds_told(booked, client=True) == ["booked", "relocated"]


def test_a_correction_names_what_was_told_by_mistake(practice: Practice) -> None:
    booked = practice.book()
    practice.move(booked, when(72))
    corrected = practice.edit(booked, Edit(when=when(74), reason=CORRECTION))
    last = practice.told(booked, client=True)[-1].notice
    assert (last.kind, last.old_when, corrected.revision) == (NoticeKind.CORRECTED, when(72), 2)
    assert practice.happened(booked)[-1] == "SessionMoved"


def test_a_wrong_notice_that_has_not_left_never_leaves_and_its_revision_is_spent(practice: Practice) -> None:
    booked = practice.book()
    practice.prompt = False
    wrong = practice.move(booked, when(72))
    corrected = practice.edit(booked, Edit(when=when(74), reason=CORRECTION))
    practice.mail()
    notices = practice.told(booked, client=True)
    assert [m.state for m in notices] == [MessageState.SENT, MessageState.SENT]
    assert corrected.revision == wrong.revision + 1
    last = notices[-1].notice
    assert (last.kind, last.old_when) == (NoticeKind.MOVED, booked.when)  # from what the client really knows


def test_moving_onto_somebody_else_is_refused_and_changes_nothing(practice: Practice) -> None:
    booked = practice.book(48)
    practice.book(72, of=practice.another_client())
    with pytest.raises(TimeTakenError):
        practice.move(booked, when(72.25))
    assert practice.session(booked) == booked
    assert practice.kinds_told(booked, client=True) == ["booked"]


def test_moving_a_session_takes_its_open_offer_back_in_the_same_mail(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.move(booked, when(200))
    assert practice.offer_now(offer).state == "withdrawn"
    assert practice.kinds_told(booked, client=True) == ["booked", "offered", "moved"]
    assert practice.told(booked, client=True)[-1].notice.offer_withdrawn
    assert len(practice.kept()) == 1


def test_cancelling_ends_session_offer_draft_and_every_kept_time(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    draft = practice.draft(booked, 300)
    ended = practice.cancel(booked)
    assert ended.state is SessionState.CANCELLED
    assert practice.offer_now(offer).state == "cancelled"
    assert practice.offer_now(draft).state == "discarded"
    assert practice.kept() == []
    assert practice.kinds_told(booked, client=True)[-1] == "cancelled"
    practice.cancel(booked)
    assert practice.kinds_told(booked, client=True).count("cancelled") == 1


def test_one_session_of_a_series_leaves_its_neighbours_alone(practice: Practice) -> None:
    weekly = [practice.book(48 + 168 * n) for n in range(3)]
    practice.move(weekly[1], when(60))
    assert practice.session(weekly[0]) == weekly[0]
    assert practice.session(weekly[2]) == weekly[2]


def test_a_client_without_an_address_is_booked_and_the_practitioner_is_asked_to_tell_them(practice: Practice) -> None:
    quiet = client(email="", phone="+4930123456")
    practice.another_client(replace(quiet, media=frozenset({Medium.SMS})))
    booked = practice.book(of=quiet)
    assert practice.kinds_told(booked, client=True) == []
    assert practice.kinds_told(booked, client=False) == ["no_channel"]


def test_an_unknown_session_is_said_to_be_unknown(practice: Practice) -> None:
    with pytest.raises(NotFoundError):
        practice.move(session(), when(72))


def test_a_second_practitioner_with_the_same_address_is_refused(practice: Practice) -> None:
    from connector.storage import people  # noqa: PLC0415

    again = replace(practice.kim, id=practice.alex.id)
    with pytest.raises(RuleError, match=r"with the address .* already"), practice.database.begin() as db:
        people.add_practitioner(db, again, now=NOW)


def test_the_policy_names_the_domain_of_messages() -> None:
    assert Policy(organizer="a@b.example", window=timedelta(hours=1)).mail_domain == "b.example"
