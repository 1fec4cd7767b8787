"""Book, look, move and cancel, as an operator does it for a practitioner."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, update

from connector.domain.client_mail import ClientMail
from connector.domain.facts import MailKind
from connector.storage import client_mails, sessions
from connector.storage.database import Database
from connector.storage.tables import offers
from tests.cli.keyboard import Cli, ahead, clocks_change

AGREED = ("--agreed-by", "Alex Okoro", "--channel", "on the phone")
TO_ALEX = ("sessions", "book", "--client", "alex@example.org", "--at")


def test_a_session_is_booked_on_the_practitioners_clock(practice: Cli) -> None:
    said = practice.ok(*TO_ALEX, ahead(7, "14:00"), "--minutes", "45", "--in-person", "Linden Street 4, Berlin")
    assert "14:00 (Europe/Berlin), 45 min, Alex Okoro, in person: Linden Street 4, Berlin" in said
    [session] = practice.json("sessions", "list")
    assert session["local"] == ahead(7, "14:00").replace(" ", "T") + ":00"
    assert (session["zone"], session["kind"], session["state"]) == ("Europe/Berlin", "followup", "booked")


def test_a_first_session_is_booked_as_one(practice: Cli) -> None:
    session = practice.book(7, "--kind", "initial")
    assert practice.json("sessions", "show", session)["kind"] == "initial"


def test_the_timeline_names_the_practitioner_and_whoever_typed(practice: Cli) -> None:
    session = practice.book()
    [booked] = practice.json("sessions", "show", session)["timeline"]
    assert booked["who"].startswith("Kim Berg (entered by ")


def test_a_weekly_series_shares_one_id_and_keeps_its_wall_time(practice: Cli) -> None:
    first = clocks_change(10) - timedelta(days=7)
    result = practice.run(*TO_ALEX, f"{first} 10:00", "--online", "https://meet.example.org/kim", "--weekly", "3")
    assert result.exit_code == 0
    assert "Booking the series" in result.stderr
    found = practice.json("sessions", "list")
    assert len({session["series_id"] for session in found}) == 1
    assert {session["local"][11:16] for session in found} == {"10:00"}
    assert len({session["start"][11:16] for session in found}) == 2


def test_a_series_is_booked_as_a_whole_or_not_at_all(practice: Cli) -> None:
    practice.book(21)
    said = practice.refused(*TO_ALEX, ahead(7), "--phone", "Kim calls", "--weekly", "3")
    assert "Nothing has been booked" in said
    assert len(practice.json("sessions", "list")) == 1


def test_a_time_is_never_taken_twice(practice: Cli) -> None:
    practice.book(7)
    assert "taken" in practice.refused(*TO_ALEX, ahead(7, "10:30"), "--phone", "Kim calls")


def test_an_hour_that_comes_twice_is_asked_about(practice: Cli) -> None:
    booking = (*TO_ALEX, f"{clocks_change(10)} 02:30", "--phone", "Kim calls")
    assert "--fold earlier or --fold later" in practice.refused(*booking)
    practice.ok(*booking, "--fold", "later")
    assert practice.json("sessions", "list")[0]["start"].endswith("T01:30:00Z")


def test_an_hour_that_does_not_exist_is_refused(practice: Cli) -> None:
    assert "does not exist" in practice.refused(*TO_ALEX, f"{clocks_change(3)} 02:30", "--phone", "Kim calls")


def test_a_time_or_place_written_wrongly_is_explained(practice: Cli) -> None:
    assert "Write it like" in practice.refused(*TO_ALEX, "next Tuesday", "--phone", "Kim calls", code=2)
    assert "Write it like" in practice.refused(*TO_ALEX, "2030-02-30 10:00", "--phone", "Kim calls", code=2)
    assert "--in-person" in practice.refused(*TO_ALEX, ahead(7), code=2)
    assert "one place" in practice.refused(*TO_ALEX, ahead(7), "--phone", "a", "--in-person", "b", code=2)
    assert "https://" in practice.refused(*TO_ALEX, ahead(7), "--online", "meet.example.org")


def test_a_session_in_the_past_is_refused(practice: Cli) -> None:
    assert "already passed" in practice.refused(*TO_ALEX, ahead(-2), "--phone", "Kim calls")


def test_moving_a_session_takes_an_attestation(practice: Cli) -> None:
    session = practice.book()
    move = ("sessions", "reschedule", session, "--at", ahead(8))
    assert "--agreed-by" in practice.refused(*move, code=2)
    future = (*AGREED, "--agreed-at", ahead(2))
    assert "agreed in the future" in practice.refused(*move, *future)
    assert "The client is told" in practice.ok(*move, *AGREED, "--agreed-at", ahead(-1))
    shown = practice.json("sessions", "show", session)
    assert (shown["id"], shown["revision"]) == (session, 1)
    assert any("Alex Okoro agreed on" in line["why"] for line in shown["timeline"])


def test_moving_a_session_to_where_it_stands_is_nothing(practice: Cli) -> None:
    session = practice.book()
    assert "nothing has changed" in practice.ok("sessions", "reschedule", session, "--at", ahead(7), *AGREED)
    assert practice.json("sessions", "show", session)["revision"] == 0


def test_moving_keeps_the_length_unless_told_otherwise(practice: Cli) -> None:
    session = practice.book(7, "--minutes", "90")
    practice.ok("sessions", "reschedule", session, "--at", ahead(8), *AGREED)
    assert _minutes(practice, session) == 90
    practice.ok("sessions", "reschedule", session, "--at", ahead(8), "--minutes", "30", *AGREED)
    assert _minutes(practice, session) == 30


def test_time_and_place_move_in_one_change(practice: Cli) -> None:
    session = practice.book()
    practice.ok("sessions", "reschedule", session, "--at", ahead(8), "--in-person", "Linden Street 4", *AGREED)
    shown = practice.json("sessions", "show", session)
    assert shown["revision"] == 1
    assert shown["location"] == {"kind": "in_person", "text": "Linden Street 4"}


def test_a_correction_keeps_the_wrong_notice_from_leaving(practice: Cli) -> None:
    session = practice.book()
    practice.ok("sessions", "correct", session, "--at", ahead(9))
    shown = practice.json("sessions", "show", session)
    assert [message["state"] for message in shown["messages"]] == ["queued"]
    assert [message["kind"] for message in shown["messages"]] == ["booked"]
    assert any("to correct a mistake" in line["what"] for line in shown["timeline"])


def test_a_correction_into_the_past_has_to_be_meant(practice: Cli) -> None:
    session = practice.book()
    correction = ("sessions", "correct", session, "--at", ahead(-1))
    assert "already passed" in practice.refused(*correction)
    practice.ok(*correction, "--override-past")


def test_a_place_changes_by_itself(practice: Cli) -> None:
    session = practice.book()
    practice.ok("sessions", "relocate", session, "--online", "https://meet.example.org/kim")
    shown = practice.json("sessions", "show", session)
    assert shown["location"]["kind"] == "online"
    assert shown["local"].startswith(ahead(7)[:10])
    assert "nothing has changed" in practice.ok("sessions", "relocate", session, "--online", shown["location"]["text"])


def test_cancelling_asks_first(practice: Cli) -> None:
    session = practice.book()
    practice.refused("sessions", "cancel", session, stdin="n\n")
    assert practice.json("sessions", "show", session)["state"] == "booked"
    practice.ok("sessions", "cancel", session, stdin="y\n")
    assert practice.json("sessions", "show", session)["state"] == "cancelled"
    practice.ok("sessions", "cancel", session, "--yes")


def test_nobody_is_told_of_a_booking_that_was_cancelled_before_word_of_it_left(practice: Cli) -> None:
    session = practice.book()
    assert [m["to_client"] for m in practice.json("sessions", "show", session)["messages"]] == [True]
    practice.ok("sessions", "cancel", session, "--yes", "--reason", "closed")
    assert practice.json("sessions", "show", session)["messages"] == []


def test_support_accepts_for_a_client_and_is_named(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8), ahead(9))
    answer = ("sessions", "answer", session, "--support", "Robin Hale", "--reason", "cannot open the mail")
    assert "alternatives" in practice.refused(*answer, "--accept", "3")
    practice.ok(*answer, "--accept", "2")
    shown = practice.json("sessions", "show", session)
    assert shown["local"].startswith(ahead(9)[:10])
    chose = next(line for line in shown["timeline"] if line["what"].startswith("Chose"))
    assert (chose["who"], chose["why"]) == ("Robin Hale (support)", "cannot open the mail")


def test_support_may_accept_after_the_offer_has_lapsed(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8))
    _let_lapse(practice)
    answer = ("sessions", "answer", session, "--support", "Robin Hale", "--reason", "was in hospital")
    assert "has passed" in practice.refused(*answer, "--reject")
    practice.ok(*answer, "--accept", "1")
    assert practice.json("sessions", "show", session)["local"].startswith(ahead(8)[:10])


def _let_lapse(practice: Cli) -> None:
    """Have all that was offered have been offered two days earlier: commands go by the machine's own clock."""
    database = Database(practice.settings["CONNECTOR_DATABASE_URL"])
    with database.begin() as db:
        for offer in db.execute(select(offers.c.id, offers.c.sent_at, offers.c.expires_at)).all():
            earlier = {name: getattr(offer, name) - timedelta(days=2) for name in ("sent_at", "expires_at")}
            db.execute(update(offers).where(offers.c.id == offer.id).values(earlier))
    database.dispose()


def test_support_rejects_and_cancels_for_a_client(practice: Cli) -> None:
    first, second = practice.book(7), practice.book(14)
    for session, verdict in ((first, "--reject"), (second, "--cancel")):
        practice.offer(session, ahead(20 if session == first else 21))
        practice.ok("sessions", "answer", session, "--support", "Robin Hale", "--reason", "on the phone", verdict)
    assert practice.json("sessions", "show", first)["needs_attention"] == "rejected"
    assert practice.json("sessions", "show", second)["state"] == "cancelled"
    assert "NEEDS ATTENTION" in practice.ok("sessions", "list")


def test_support_says_one_thing_only(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8))
    answer = ("sessions", "answer", session, "--support", "Robin Hale", "--reason", "on the phone")
    assert "Say one of" in practice.refused(*answer, code=2)
    assert "Say one of" in practice.refused(*answer, "--accept", "1", "--reject", code=2)


def test_a_session_is_shown_with_its_history_and_its_messages(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8))
    shown = practice.ok("sessions", "show", session[:8])
    for words in ("Alex Okoro with Kim Berg", "An offer is open until", "Session booked for", "booking confirmation"):
        assert words in shown


def _minutes(cli: Cli, session: str) -> float:
    shown = cli.json("sessions", "show", session)
    length = datetime.fromisoformat(shown["end"]) - datetime.fromisoformat(shown["start"])
    return length.total_seconds() / 60


def test_a_mail_of_the_client_that_waits_for_a_decision_is_said(practice: Cli, sqlite_url: str) -> None:
    session = practice.book(7)
    database = Database(sqlite_url)
    with database.begin() as db:
        booked = sessions.get(db, UUID(practice.json("sessions", "show", session)["id"]))
        mail = ClientMail(
            id=uuid4(),
            session_id=booked.id,
            practitioner_id=booked.practitioner_id,
            kind=MailKind.DECLINED,
            received_at=booked.created_at,
            author="alex@example.org",
        )
        client_mails.add(db, mail)
    database.dispose()
    assert "A MAIL OF THE CLIENT'S WAITS" in practice.ok("sessions", "list")
    assert "waits for a decision of the practitioner" in practice.ok("sessions", "show", session)
