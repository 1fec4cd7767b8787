"""How a sentence is stored: as its English where that is all there is to it, else as JSON of its words and values.

What was stored before sentences were is plain English, and reads as such. So does whatever cannot be said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, assert_never

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from connector.sentence import Paragraph, Sentence, Value

_BEGINNING = '{"words":'


def written(sentence: Sentence) -> str:
    """Return a sentence as it is stored."""
    if not sentence.values and not sentence.words.startswith(_BEGINNING):
        return str(sentence)
    return json.dumps(_parts(sentence), ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> Sentence:
    """Return what was stored; a text that is no sentence of ours stands for itself."""
    if not text.startswith(_BEGINNING):
        return Sentence.quoted(text)
    try:
        sentence = _sentence(json.loads(text))
        str(sentence)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return Sentence.quoted(text)
    return sentence


class StoredSentence(TypeDecorator[Sentence]):
    """A column of sentences."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sentence | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy passes it
        """Write a sentence."""
        return None if value is None else written(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Sentence | None:  # noqa: ARG002
        """Read a sentence."""
        return None if value is None else read(value)


def _parts(sentence: Sentence) -> Mapping[str, Any]:
    values = {name: _value(value) for name, value in sentence.values.items()}
    counted = {"plural": sentence.plural, "n": sentence.n} if sentence.plural else {}
    return {"words": sentence.words, **counted, "values": values}


def _value(value: Value) -> Any:
    match value:
        case str() | int():
            return value
        case Sentence():
            return _parts(value)
        case Paragraph():
            return {"paragraph": [_parts(one) for one in value]}
        case tuple():
            return [_value(one) for one in value]
        case datetime():
            return {"at": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case time():
            return {"clock": value.isoformat()}
        case _:
            assert_never(value)


def _sentence(parts: Mapping[str, Any]) -> Sentence:
    values = {name: _read_value(value) for name, value in parts["values"].items()}
    return Sentence.of(parts["words"], values, plural=parts.get("plural", ""), n=parts.get("n", 0))


def _read_value(value: Any) -> Value:
    match value:
        case str() | int():
            return value
        case {"words": _}:
            return _sentence(value)
        case {"paragraph": sentences}:
            return Paragraph(map(_sentence, sentences))
        case list():
            return tuple(_read_value(one) for one in value)  # type: ignore[return-value]  # of texts, or of sentences
        case {"at": at}:
            return datetime.fromisoformat(at)
        case {"day": day}:
            return date.fromisoformat(day)
        case {"clock": clock}:
            return time.fromisoformat(clock)
        case _:
            raise ValueError("no value of a sentence")
