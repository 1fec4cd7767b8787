"""What a request says, read strictly: nothing is guessed, and nothing that is not known is passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from werkzeug.datastructures import MultiDict

from connector.errors import RequestError

LARGEST_BODY = 128 * 1024  # less than servers take in: they would refuse in their own words
Read = TypeVar("Read")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*|key in \$.*)`)?$", re.DOTALL)
_NOTHING = re.compile("null", re.IGNORECASE)
_BLANK_OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)? \d\d:\d\d", re.ASCII)
_STEP = re.compile(r"\.(?P<name>[A-Za-z_]\w*)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_WRONG = re.compile(r"Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`")


def read_body(data: bytes, kind: type[Read]) -> Read:
    """Return a body as a struct.

    Raises: RequestError that leads to what is wrong.
    """
    try:
        read = msgspec.json.decode(data, type=kind)
        for fault in _faults(json.loads(data, object_pairs_hook=_Pairs)):
            raise fault
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # the second is of Unicode
        raise RequestError("The body of this request is not JSON.", code="body_not_json", http=400) from error
    return read


def read_query(values: MultiDict[str, str], kind: type[Read]) -> Read:
    """Return what stands behind the question mark as a struct.

    Raises: RequestError that names what is wrong.
    """
    for name, several in values.lists():
        if len(several) > 1:
            raise _field_twice(f"/{_escaped(name)}", name)
        for fault in _faults(several, f"/{_escaped(name)}"):
            raise fault.at(f"/{_escaped(name)}")
    given = values.to_dict()
    try:
        read = msgspec.convert(given, type=kind, strict=False)
    except msgspec.ValidationError as error:
        refused = _invalid(str(error))
        raise _plus_lost(refused.pointer, given) or refused from error
    for name, value in given.items():
        if _NOTHING.fullmatch(value) and name in _not_said(read):
            raise RequestError(
                "%(name)s: “%(text)s” is no value here. Leave it out if nothing is meant.",
                code="value_null",
                http=422,
                pointer=f"/{_escaped(name)}",
                name=name,
                text=value,
            )
    return read


def _plus_lost(pointer: str, given: Mapping[str, str]) -> RequestError | None:
    """Return the refusal for a time whose + was read as the blank that it is in an address; None if that is not it."""
    name = pointer.removeprefix("/")
    value = given.get(name, "")
    if not _BLANK_OFFSET.fullmatch(value):
        return None
    return RequestError(
        "%(name)s: a plus sign stands for a blank in an address. Write it as %(right)s.",
        code="plus_not_encoded",
        http=422,
        pointer=pointer,
        name=name,
        right=f"{name}={value[:-6]}%2B{value[-5:]}",
    )


def _not_said(read: Any) -> frozenset[str]:
    """Return which fields came to mean nothing: the decoder takes the word for it, and would leave out a filter."""
    fields = msgspec.structs.fields(read)
    return frozenset(field.encode_name for field in fields if getattr(read, field.name) is None)


def _invalid(said: str) -> RequestError:
    """Return the refusal for what the decoder says, which tells the first fault only and its place in the end."""
    found = _PLACE.match(said)
    what, path = (found["what"], found["path"] or "$") if found else (said, "$")
    pointer = "".join(f"/{step['name'] or step['index'] or '*'}" for step in _STEP.finditer(path))
    if named := _UNKNOWN.fullmatch(what):
        return RequestError(
            "%(name)s: there is no such field here. Leave it out, or look at how it is written.",
            code="field_unknown",
            http=422,
            pointer=f"{pointer}/{_escaped(named['name'])}",
            name=named["name"],
        )
    if named := _MISSING.fullmatch(what):
        return RequestError(
            "%(name)s: this field is missing.",
            code="field_missing",
            http=422,
            pointer=f"{pointer}/{_escaped(named['name'])}",
            name=named["name"],
        )
    if wrong := _WRONG.fullmatch(what):
        return RequestError(
            "%(name)s: this must be %(expected)s, and is %(got)s.",
            code="value_of_wrong_type",
            http=422,
            pointer=pointer,
            name=pointer.removeprefix("/") or "$",
            expected=wrong["expected"],
            got=wrong["got"],
        )
    return RequestError(
        "%(name)s: this cannot be. %(why)s.",
        code="value_invalid",
        http=422,
        pointer=pointer,
        name=pointer.removeprefix("/") or "$",
        why=what.removesuffix("."),
    )


def _field_twice(pointer: str, name: str) -> RequestError:
    return RequestError(
        "%(name)s: this field comes twice. Send it once.", code="field_twice", http=422, pointer=pointer, name=name
    )


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written: a decoder takes the last of two fields of one name, and says nothing."""


def _faults(value: Any, path: str = "") -> Iterator[RequestError]:
    """Yield what is wrong with a body though it could be read."""
    if isinstance(value, str):
        if "\0" in value:
            yield RequestError(
                "There is a character here that no text has: U+0000. Leave it out.",
                code="text_not_storable",
                http=422,
                pointer=path,
            )
    elif isinstance(value, _Pairs):
        names = [name for name, _ in value]
        yield from (_field_twice(f"{path}/{_escaped(name)}", name) for n, name in enumerate(names) if name in names[:n])
        for name, inner in value:
            yield from _faults(inner, f"{path}/{_escaped(name)}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _faults(inner, f"{path}/{n}")
