"""What the description says of structs beyond what msgspec does: what fields mean, and which texts are instants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import inspect

Kind = type[msgspec.Struct]
Schema = dict[str, Any]
_ATTRIBUTES = "Attributes:\n"
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def within(*kinds: Kind) -> Mapping[str, Kind]:
    """Return structs and whatever structs they are made of, by name."""
    found: dict[str, Kind] = {}
    for info in inspect.multi_type_info(kinds):
        _gather(info, found)
    return found


def complete(schema: Schema, kind: Kind) -> None:
    """Have the schema of a struct say all that is said of it."""
    if kind.__doc__:
        schema["description"] = _parts(kind)[0]
    meanings = _meanings(kind)
    for field in inspect.type_info(kind).fields:  # type: ignore[attr-defined]  # it is a struct's
        shown = schema["properties"][field.encode_name]
        _tell_of_instants(field.type, shown)
        if said := meanings.get(field.name):
            schema["properties"][field.encode_name] = {**shown, "description": said}


def has_version(kind: Kind | None) -> bool:
    """Whether what is answered, or a part of it, has a version."""
    if kind is None:
        return False
    fields = msgspec.structs.fields(kind)
    return any(field.name == "version" for field in fields) or any(
        has_version(field.type) for field in fields if isinstance(field.type, type) and _is_struct(field.type)
    )


def _is_struct(kind: type) -> bool:
    return issubclass(kind, msgspec.Struct)


def _gather(info: inspect.Type, found: dict[str, Kind]) -> None:
    if isinstance(info, inspect.StructType):
        if info.cls.__name__ not in found:
            found[info.cls.__name__] = info.cls
            for field in info.fields:
                _gather(field.type, found)
    else:
        for inner in _inner(info):
            _gather(inner, found)


def _inner(info: inspect.Type) -> Iterable[inspect.Type]:
    match info:
        case inspect.Metadata(type=inner):
            return (inner,)
        case inspect.UnionType(types=types):
            return types
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return (item,)
        case _:
            return ()


def _tell_of_instants(info: inspect.Type, schema: Schema) -> None:
    """Say of texts that are instants that they are; msgspec does so only of those that it refuses without an offset."""
    match info:
        case inspect.DateTimeType():
            schema["format"] = "date-time"
        case inspect.Metadata(type=inner):
            _tell_of_instants(inner, schema)
        case inspect.UnionType(types=types):
            texts = [one for one in schema.get("anyOf", ()) if one.get("type") == "string"]
            for one in types:
                if isinstance(one, inspect.DateTimeType | inspect.Metadata):
                    for text in texts:  # a union has one kind of text at most
                        _tell_of_instants(one, text)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            _tell_of_instants(item, schema["items"])
        case _:
            pass


def _meanings(kind: Kind) -> Mapping[str, str]:
    """Return what is said of the fields, also where it is said of those of a struct that this one has grown from."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if "__doc__" in vars(one) and one.__doc__ and issubclass(one, msgspec.Struct) and one is not msgspec.Struct:
            found |= dict(_attributes(one))
    return found


def _attributes(kind: Kind) -> Iterator[tuple[str, str]]:
    for name, said in _ATTRIBUTE.findall(_parts(kind)[1]):
        yield name, " ".join(said.split())


def _parts(kind: Kind) -> tuple[str, str]:
    text, _, attributes = cleandoc(kind.__doc__ or "").partition(_ATTRIBUTES)
    return text.strip(), attributes
