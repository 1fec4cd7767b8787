"""What a notice says when it is told nothing more."""

from __future__ import annotations

from dataclasses import fields

from connector.domain.notice import Notice, NoticeKind, Recipient
from tests.domain.examples import client


def test_a_notice_claims_nothing_that_it_was_not_told() -> None:
    to = Recipient.of(client())
    notice = Notice(kind=NoticeKind.CANCELLED, to=to, practitioner_name="Kim Beispiel")
    told = {field.name for field in fields(notice) if getattr(notice, field.name)}
    assert told == {"kind", "to", "practitioner_name"}
