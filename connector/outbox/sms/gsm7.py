"""How long a text is in the alphabet that phones share (3GPP TS 23.038), and how a text is brought into it."""

# ruff: noqa: RUF001 - it is about such characters

from __future__ import annotations

import unicodedata

SEGMENT = 160  # septets of a text that travels in one piece
_JOINED = 153  # of each piece, where there are several
_UCS2, _UCS2_JOINED = 70, 67  # characters, once a single one is outside the alphabet
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # two septets each
_PLAIN = str.maketrans(
    {
        "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'", "‚": "'", "`": "'", "´": "'",
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "…": "...", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ı": "i", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u00ad": "", "\u2068": "",
        "\u2069": "",
    }
)  # fmt: skip


def septets(text: str) -> int | None:
    """Return how many septets a text has; None if a character of it is outside the alphabet."""
    if not all(character in _BASIC or character in _EXTENDED for character in text):
        return None
    return len(text) + sum(character in _EXTENDED for character in text)


def segments(text: str) -> int:
    """Return in how many pieces a text travels, each of which is paid for."""
    length, whole, joined = septets(text), SEGMENT, _JOINED
    if length is None:
        length, whole, joined = len(text.encode("utf-16-le")) // 2, _UCS2, _UCS2_JOINED
    return 1 if length <= whole else -(-length // joined)


def folded(text: str) -> str:
    """Return a text with what has a plain counterpart in the alphabet written so; all else stays as it is."""
    return "".join(map(_folded, text.translate(_PLAIN)))


def _folded(character: str) -> str:
    if septets(character) is not None:
        return character
    base = unicodedata.normalize("NFKD", character)
    plain = "".join(part for part in base if not unicodedata.combining(part))
    return plain if plain and septets(plain) is not None else character
