"""How people say that they want no more texts: one list a language, whichever language they were written to in.

A word ends texts by itself only if it cannot answer what the text was about: CANCEL, END and kündigen may well mean a
session, so they need the name of what is to end (SMS abbestellen), or the gateway's word that it has heeded them. Each
counts however it is written and with whatever politeness, and only where nothing else is said.

Source: 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel, unsubscribe);
twilio.com/docs/messaging/tutorials/advanced-opt-out (the same with STOPALL and OPTOUT);
docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html (with ARRET and REMOVE).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

_INSIDE = "'\u2019"  # apostrophes: they part no words
LONGEST = 200  # characters of a text that are looked at: whoever writes more says something

_WORDS: Mapping[str, tuple[str, ...]] = {  # that mean nothing but texts
    "en": (
        *("stop", "stop all", "stopall", "unsubscribe", "quit", "revoke", "opt out", "optout"),
        *("stop texting", "stop texting me", "do not text", "do not text me", "dont text", "dont text me"),
    ),
    "de": ("stopp",),
    "fr": ("arrêt",),
}
_OF_TEXTS: Mapping[str, tuple[str, ...]] = {  # that do so where texts are named
    "en": ("no", "no more", "cancel", "end", "remove", "stop sending", "stop sending me"),
    "de": (
        *("keine", "kein", "keine mehr", "keine weiteren", "abmelden", "abbestellen", "kündigen", "ende"),
        *("keine mehr senden", "keine mehr schicken", "ich möchte keine", "ich möchte keine mehr"),
        *("ich will keine", "ich will keine mehr"),
    ),
}
_POLITE = frozenset(
    (
        *("please", "pls", "thanks", "thank", "you", "now", "hello", "hi"),
        *("bitte", "danke", "jetzt", "sofort", "hallo"),
    )
)
_NAMES = frozenset({"sms", "texts", "messages", "nachrichten"})
_TEXTS = _NAMES | {"text", "message", "nachricht"}  # of one alone, somebody may say that none has come


def languages() -> frozenset[str]:
    """Return the languages of which the words are known."""
    return frozenset(_WORDS)


def says_stop(text: str) -> bool:
    """Whether somebody says that they want no more texts, and nothing else."""
    words = _plain(text[: LONGEST + 1]).split() if len(text) <= LONGEST else []
    said = [word for word in words if word not in _POLITE]
    about = [word for word in said if word not in _TEXTS]
    if not about:
        return False
    names = not _NAMES.isdisjoint(said)
    return " ".join(said) in _STOP or " ".join(about) in _STOP or (names and " ".join(about) in _STOP_TEXTS)


def _plain(text: str) -> str:
    """Return the letters alone, small, without marks; whatever stands between words is a blank."""
    letters: list[str] = []
    for character in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()):
        kind = unicodedata.category(character)
        if kind.startswith("L"):
            letters.append(character)
        elif kind not in {"Mn", "Cf"} and character not in _INSIDE:
            letters.append(" ")
    return "".join(letters)


def _every(words: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    return frozenset(" ".join(_plain(one).split()) for own in words.values() for one in own)


_STOP, _STOP_TEXTS = _every(_WORDS), _every(_OF_TEXTS)
