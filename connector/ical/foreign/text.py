"""The bytes of a calendar object, unfolded, and what a line's name is (RFC 5545 section 3.1).

Whoever reads objects, and whoever changes them, goes by the same names.
"""

from __future__ import annotations

import re

NAME_END = rb"[ \t]*(?=[;:])"  # what follows a name; some leave a blank before the colon
_HEAD = re.compile(rb"([A-Za-z0-9-]+)" + NAME_END)
_FOLD = re.compile(rb"(?<!\n)\n++[ \t]")  # an empty line before a fold is some programs' way of ending the one before
_SEAM = re.compile(rb"[^\r\n]")
_PIECE = 128 * 1024  # bytes that are unfolded at a time: taking a fold out takes fifty times its two bytes
_BOM = b"\xef\xbb\xbf"
_VALUE = re.compile(r'(?:"[^"]*"|[^":]++)*+:')
_DATE = re.compile(r'(?:"[^"]*"|[^":]++|:(?![ \t]*\d{8}))*+:', re.ASCII)
_DATED = frozenset({"DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE"})
_ESCAPED = re.compile(r"\\([\\;,])")


def unfolded(data: bytes, end: int) -> bytes:
    """Return the lines of an object up to a byte of it, each with one line feed before it."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    pieces = [b"\n"]
    while start < end:
        seam = _SEAM.search(data, min(start + _PIECE, end) - 1, end)  # so that no fold is cut in two
        stop = seam.end() if seam else end
        piece = data[start:stop].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        pieces.append(_FOLD.sub(b"", piece))
        start = stop
    return b"".join(pieces)


def name(line: bytes) -> str:
    """Return the name of an unfolded line, in capitals; empty if it has none."""
    head = _HEAD.match(line)
    return head[1].decode().upper() if head else ""


def component(line: bytes) -> str:
    """Return of what kind the component is that begins or ends with an unfolded line."""
    head = _HEAD.match(line)
    return kind(line[head.end() :]) if head else ""


def kind(rest: bytes) -> str:
    """Return of what kind the component is that begins or ends, out of what follows the name of that line."""
    return parted("", rest.decode(errors="replace"))[1].strip().upper()


def parted(name: str, rest: str) -> tuple[str, str]:
    """Part what follows the name of a line into its parameters, as they are written, and its value.

    The first colon that is not quoted ends the parameters. Before a date, names of zones may have colons of their own,
    whether they are quoted or not.
    """
    if rest.startswith(":"):
        return "", rest[1:]
    found = (_DATE if name in _DATED else _VALUE).match(rest)
    if found is None:
        parameters, _, value = rest.rpartition(":")
        return parameters, value
    return rest[: found.end() - 1], rest[found.end() :]


def zone_name(text: str) -> str:
    """Return the name of a zone in the one form in which they are compared.

    It is a text, with escapes, where a zone is described, and a parameter, perhaps with quotes, where it is used.
    """
    plain = _ESCAPED.sub(r"\1", text) if "\\" in text else text
    return plain.strip(' \t"').casefold()
