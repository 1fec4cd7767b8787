"""Text as people type it and as services send it: one line of characters that can be seen.

Two that cannot are part of names in several scripts: the joiners. Whatever else cannot be seen is left out if it means
nothing, and refused by its name if somebody is there to be told; what services send is never refused.
"""

from __future__ import annotations

import re
import unicodedata

from connector.errors import RuleError

JOINERS = frozenset("\u200c\u200d")  # zero-width non-joiner and joiner: Persian, Hindi, composed emoji
_MEANINGLESS = frozenset("\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff")  # soft hyphens, marks: pasted without being seen
# No blanks by their class, and yet nothing can be seen of them: fillers, selectors, the empty Braille cell.
_UNSEEN = re.compile(
    r"[\s\u200c\u200d\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]*"
)
_BLANKS = frozenset({"Zs", "Zl", "Zp"})


def one_line(text: str, *, what: str, longest: int, between: str | None = " ") -> str:
    """Return what somebody has typed, on one line; text that can be seen stays exactly as it is.

    Args:
        text: As typed or pasted.
        what: What it is, at the beginning of a sentence, such as `A name`.
        longest: How many characters it may have.
        between: What takes the place of a line break; None if there may be none.
    Raises: RuleError that names the character that cannot stand there, and what to do.
    """
    if not text.isprintable():
        lines = text.splitlines() if between is not None else [text]
        cleaned = [_cleaned(line, what) for line in lines]
        text = (between or "").join(line for line in cleaned if line)
    if not can_be_seen(text):
        raise RuleError(f"{what} must not be empty. Please fill this in.")
    if len(text) > longest:
        raise RuleError(f"{what} has at most {longest} characters, and this one has {len(text)}. Please shorten it.")
    return text


def can_be_seen(text: str) -> bool:
    """Whether anything of a text can be seen."""
    return _UNSEEN.fullmatch(text) is None


def visible(text: str, *, longest: int) -> str:
    """Return what a service calls something, as it can be shown anywhere: on one line, without what cannot be seen.

    Empty if nothing of it can.
    """
    kept = "".join(_kept(character) for character in text[: longest * 8])
    line = " ".join(kept.split())
    if not can_be_seen(line):
        return ""
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def describe(character: str) -> str:
    """Name a character so that whoever typed it can find it."""
    code = f"U+{ord(character):04X}"
    if character in "\r\n\x0b\x0c\x85\u2028\u2029":
        return f"a line break ({code})"
    if character in "\t\x1f" or unicodedata.category(character) in _BLANKS:
        return f"a blank ({code})"
    name = unicodedata.name(character, "").lower()
    if character.isprintable():
        return f"“{character}” ({code})"
    return f"an invisible character ({code}{', ' if name else ''}{name})"


def _cleaned(line: str, what: str) -> str:
    """Return a line without what means nothing; blanks of every kind are plain ones."""
    kept = []
    for place, character in enumerate(line, start=1):
        if character.isprintable() or character in JOINERS:
            kept.append(character)
        elif character == "\t" or unicodedata.category(character) in _BLANKS:
            kept.append(" ")
        elif character not in _MEANINGLESS:
            raise RuleError(
                f"{what} cannot contain {describe(character)}, which stands there as character {place}. Leave it out, "
                "or type the text again instead of pasting it."
            )
    return "".join(kept).strip()


def _kept(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    return "" if unicodedata.category(character) == "Cf" else " "
