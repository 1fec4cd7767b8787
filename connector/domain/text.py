"""Text as people type it and as services send it: one line of characters that can be seen.

Two that cannot are part of names in several scripts: the joiners. Whatever else cannot be seen is left out if it means
nothing, and refused by its name if somebody is there to be told; what services send is never refused.
"""

from __future__ import annotations

import re
import unicodedata

from connector.errors import RuleError
from connector.sentence import Sentence

JOINERS = frozenset("\u200c\u200d")  # zero-width non-joiner and joiner: Persian, Hindi, composed emoji
_MEANINGLESS = frozenset("\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff")  # soft hyphens, marks: pasted without being seen
LONGEST_EXTERNAL_ID = 255
_UNREAD = "\ufffd"  # takes the place of what was no UTF-8, in addresses: several ids would be one
_UPWARDS = frozenset({".", ".."})  # programs and proxies take such steps by themselves, and ask for something else
NO_BREAKS = frozenset("\u00a0\u202f")  # blanks at which no line may end: 10 Uhr, Dr. Kim
_ASCII_BLANKS = re.compile(r"[ \t\n\r\f\v]+")
# No blanks by their class, and yet nothing can be seen of them: fillers, selectors, the empty Braille cell.
_UNSEEN = re.compile(
    r"[\s\u200c\u200d\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]*"
)
_BLANKS = frozenset({"Zs", "Zl", "Zp"})


def one_line(text: str, *, label: Sentence, field: str, longest: int, between: str | None = " ") -> str:
    """Return what somebody has typed, on one line; text that can be seen stays exactly as it is.

    Args:
        text: As typed or pasted.
        label: What its input is called, such as `Name`.
        field: The same for programs.
        longest: How many characters it may have.
        between: What takes the place of a line break; None if there may be none.
    Raises: RuleError that names the character that cannot stand there, and what to do.
    """
    if not text.isprintable():
        lines = text.splitlines() if between is not None else [text]
        cleaned = [_cleaned(line, label, field) for line in lines]
        text = (between or "").join(line for line in cleaned if line)
    if not can_be_seen(text):
        raise RuleError(
            "%(label)s: this must not be empty. Please fill it in.", code="text_empty", field=field, label=label
        )
    if len(text) > longest:
        raise too_long(text, label=label, field=field, longest=longest)
    return text


def check_external_id(text: str | None) -> None:
    """Raise RuleError for what no host can call anything: it is compared as it is, and stands in addresses."""
    if text is None:
        return
    if (
        not 0 < len(text) <= LONGEST_EXTERNAL_ID
        or not text.isprintable()
        or text != text.strip()
        or _UNREAD in text
        or not _UPWARDS.isdisjoint(text.split("/"))
    ):
        raise RuleError(
            "An external id has 1 to %(longest)s characters that can be seen, no blank at its ends, and neither . nor "
            ".. between slashes. Choose another one.",
            code="external_id_malformed",
            field="external_id",
            longest=LONGEST_EXTERNAL_ID,
        )


def collapse(text: str) -> str:
    """Return `text` with each run of plain blanks and line breaks as one blank, and none at its ends.

    Blanks that hold together what stands beside them stay.
    """
    return _ASCII_BLANKS.sub(" ", text).strip(" ")


def can_be_seen(text: str) -> bool:
    """Whether anything of a text can be seen."""
    return _UNSEEN.fullmatch(text) is None


def too_long(text: str, *, label: Sentence, field: str, longest: int) -> RuleError:
    """Say that a text is longer than it may be."""
    return RuleError(
        "%(label)s: at most %(longest)s characters are possible, and there are %(length)s. Please shorten the text.",
        code="text_too_long",
        field=field,
        label=label,
        longest=longest,
        length=len(text),
    )


def visible(text: str, *, longest: int) -> str:
    """Return what a service calls something, as it can be shown anywhere: on one line, without what cannot be seen.

    Empty if nothing of it can.
    """
    kept = "".join(_kept(character) for character in text[: longest * 8])
    line = " ".join(kept.split())
    if not can_be_seen(line):
        return ""
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def describe(character: str) -> Sentence:
    """Name a character so that whoever typed it can find it."""
    point = f"U+{ord(character):04X}"
    if character in "\r\n\x0b\x0c\x85\u2028\u2029":
        return Sentence("a line break (%(point)s)", point=point)
    if character in "\t\x1f" or unicodedata.category(character) in _BLANKS:
        return Sentence("a blank (%(point)s)", point=point)
    name = unicodedata.name(character, "").lower()
    if character.isprintable():
        return Sentence("“%(character)s” (%(point)s)", character=character, point=point)
    if not name:
        return Sentence("an invisible character (%(point)s)", point=point)
    return Sentence("an invisible character (%(point)s, %(name)s)", point=point, name=name)


def _cleaned(line: str, label: Sentence, field: str) -> str:
    """Return a line without what means nothing; blanks of every kind are plain ones."""
    kept = []
    for place, character in enumerate(line, start=1):
        if character.isprintable() or character in JOINERS:
            kept.append(character)
        elif character == "\t" or unicodedata.category(character) in _BLANKS:
            kept.append(" ")
        elif character not in _MEANINGLESS:
            raise RuleError(
                "%(label)s: %(character)s, which stands there as character %(place)s, cannot be used. Leave it out, "
                "or type the text again instead of pasting it.",
                code="text_character",
                field=field,
                label=label,
                place=place,
                character=describe(character),
            )
    return "".join(kept).strip()


def _kept(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    return "" if unicodedata.category(character) == "Cf" else " "
