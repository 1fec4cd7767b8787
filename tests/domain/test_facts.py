"""Every kind of fact has one tag, for ever, and belongs to those that are told."""

from __future__ import annotations

from typing import get_args

from connector.domain.facts import AnyFact, Fact, UnknownFact


def test_no_tag_changes_and_none_is_used_twice() -> None:
    """Rows of every version are stored under these words. A new kind of fact adds one; none is ever renamed."""
    tags = (
        "absence_answered absence_asked absence_dropped "
        "access_lost access_restored alternative_moved alternative_withdrawn calendar_paused "
        "calendar_put_right calendar_resumed client_answered client_erased client_wrote conflict_accepted "
        "conflict_found connection_added "
        "disconnect_asked disconnected entries_refused entries_taken entry_reverted event_deleted event_moved "
        "events_read events_unread flag_cleared holds_proved location_changed mail_decided notice_arrived "
        "notice_held_back "
        "notice_in_doubt notice_refused notice_sent offer_accepted offer_discarded offer_drafted offer_lapsed "
        "offer_rejected offer_replaced offer_sent offer_withdrawn person_changed practitioner_answered "
        "practitioner_asked question_dropped session_booked session_cancelled session_flagged "
        "session_looked_at session_moved sessions_found target_changed"
    )
    assert sorted(kind.tag for kind in get_args(AnyFact)) == tags.split()


def test_every_kind_of_fact_belongs_to_those_that_are_told() -> None:
    named = {kind.__name__ for kind in Fact.__subclasses__()}
    assert named == {kind.__name__ for kind in (*get_args(AnyFact), UnknownFact)}
