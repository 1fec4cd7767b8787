"""How people say that they want no more texts: one list a language, whichever language they were written to in.

Carriers and gateways know the English words (STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT); not all of
them act on it. A word counts however it is written and with whatever politeness, and only where nothing else is said.

Source: CTIA, "Messaging Principles and Best Practices"; twilio.com/docs/messaging/tutorials/
advanced-opt-out (default keywords of each language).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

_INSIDE = "'\u2019"  # apostrophes: they part no words
LONGEST = 200  # characters of a text that are looked at: whoever writes more says something

_WORDS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("stop", "stop all", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "opt out", "optout"),
        *("remove", "remove me", "no more", "stop texting", "stop texting me", "stop sending", "stop it"),
        *("do not text", "do not text me", "dont text", "dont text me"),
    ),
    "de": (
        *("stopp", "abmelden", "abmeldung", "abbestellen", "abbestellung", "austragen", "ende"),
        *("kündigen", "widerruf", "widerrufen", "ich widerrufe", "aufhören", "nicht mehr", "keine mehr", "nichts mehr"),
        *("nicht mehr schreiben", "nicht mehr senden", "keine mehr senden", "keine mehr schicken"),
        "ich möchte keine mehr",
    ),
    "fr": ("arrêt", "arrêter", "arrêtez", "désinscrire", "désabonner"),
    "es": ("alto", "baja", "cancelar", "parar"),
    "it": ("basta", "cancella", "disiscriviti"),
}
_POLITE = frozenset(
    (
        *("please", "pls", "thanks", "thank", "you", "now", "hello", "hi"),
        *("bitte", "danke", "jetzt", "sofort", "hallo"),
    )
)
_TEXTS = frozenset({"sms", "text", "texts", "message", "messages", "nachricht", "nachrichten"})
_NONE = frozenset({"no", "keine", "kein"})  # of texts; alone it is an answer to something else


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
    return " ".join(said) in _STOP or " ".join(about) in _STOP or (len(about) < len(said) and set(about) <= _NONE)


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


_STOP = frozenset(" ".join(_plain(words).split()) for own in _WORDS.values() for words in own)
