"""Whoever says that they want no more texts is understood, however they write it; whoever says anything else is not."""

from __future__ import annotations

import pytest

from connector.domain.stop_words import LONGEST, languages, says_stop
from connector.language.offered import Languages

WIDE, BOLD, LONG = "\uff33\uff34\uff2f\uff30", "\U0001d412TOP", "\u017ftop"
SAYING_SO = (
    *("STOP", " Stop. ", "stop\n", "Stopp!", "STOP ALL", "Stop-All", "STOPALL", "QUIT", "UNSUBSCRIBE", "Opt-out"),
    *("„STOP“", "STOP\u200b", "\ufeffSTOP", "Stop 🙏", "STOP \u2764\ufe0f", "s\u0301top", "«stop»", WIDE, BOLD, LONG),
    *("STOP SMS", "SMS stop", "stop please", "Please stop texting me.", "No more texts, thanks", "Don\u2019t text me"),
    *("no sms", "Stop sending me messages", "SMS abbestellen", "Bitte keine SMS mehr", "Keine Nachrichten"),
    *("Bitte keine weiteren SMS", "SMS KU\u0308NDIGEN", "Ich möchte keine SMS mehr.", "ARRET", "Arrêt"),
)
MEANING_A_SESSION = (
    *("CANCEL", "Cancel please", "Cancel now", "END", "REMOVE", "no more", "Ende", "kündigen", "nicht mehr"),
    *("abmelden", "abbestellen", "Cancelar", "Cancella", "BAJA", "keine mehr", "Widerruf", "keine Nachricht"),
)
SAYING_ELSE = (
    *MEANING_A_SESSION,
    *("", " ", "🙏", "no", "No, thanks", "Nein", "keine", "sms", "please", "yes", "ok", "Danke", "Keine Zeit"),
    *("I can't stop by", "Please cancel my session", "Bitte den Termin absagen", "Wann ist Ende?", "The end is near"),
    *("stop and go", "Can I stop at the station?", "Ich bin krank", "STOPWATCH", "Nicht mehr am Montag"),
    *("no message yet?", "stop" + " " * LONGEST),
)


@pytest.mark.parametrize("text", SAYING_SO)
def test_who_wants_no_more_texts_is_understood(text: str) -> None:
    assert says_stop(text)


@pytest.mark.parametrize("text", SAYING_ELSE)
def test_who_says_anything_else_is_not_misunderstood(text: str) -> None:
    assert not says_stop(text)


def test_every_language_that_texts_are_written_in_has_words_for_it() -> None:
    assert {"en", *(tag.partition("_")[0] for tag in Languages().tags)} <= languages()
