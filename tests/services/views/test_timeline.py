from __future__ import annotations

from connector.domain.notice import NoticeKind
from connector.services.views import phrases


def test_everything_that_can_happen_or_be_sent_has_plain_words() -> None:
    """That every kind of fact has, mypy proves: `line_of` matches over their union."""
    assert phrases.LETTERS.keys() == set(NoticeKind)
