"""Microsoft's published types, as far as we use them, and whether a JSON value is of one.

`tests/data/graph_types.json` is derived from the model classes of Microsoft's own SDK: by type, each property with
`string`, `bool`, `int`, `datetime`, the values of an enumeration, or the name of another type; `[...]` where it is a
list. Write it anew with `python -m tests.fakes.graph_types` where msgraph-sdk is installed.
"""

from __future__ import annotations

import json
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "data" / "graph_types.json"
_MODELS = "msgraph.generated.models."
_CLASSES = {
    "calendar": "calendar.Calendar",
    "dateTimeTimeZone": "date_time_time_zone.DateTimeTimeZone",
    "event": "event.Event",
    "freeBusyError": "free_busy_error.FreeBusyError",
    "itemBody": "item_body.ItemBody",
    "location": "location.Location",
    "scheduleInformation": "schedule_information.ScheduleInformation",
    "scheduleItem": "schedule_item.ScheduleItem",
    "singleValueLegacyExtendedProperty": "single_value_legacy_extended_property.SingleValueLegacyExtendedProperty",
    "subscription": "subscription.Subscription",
}
_SCHEDULE = "msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body"
_PLAIN: dict[str, type] = {"string": str, "bool": bool, "int": int, "datetime": str}
Types = dict[str, dict[str, Any]]


class _Recorder:
    """Stands in for the SDK's parser and notes which kind of value a property asks it for."""

    def __init__(self) -> None:
        self.kind: Any = None

    def __getattr__(self, name: str) -> Any:
        def ask(of: type | None = None, *_: object) -> None:
            plain = {"str": "string", "bool": "bool", "int": "int", "datetime": "datetime"}
            if "enum" in name and of is not None:
                self.kind = {"enum": [str(one.value) for one in of]}  # type: ignore[attr-defined]
            elif of is None:
                word = name.removeprefix("get_").removesuffix("_value")
                self.kind = plain.get(word, word)
            else:
                self.kind = plain.get(of.__name__, of.__name__[:1].lower() + of.__name__[1:])
            if "collection" in name:
                self.kind = [self.kind]

        return ask


def derive() -> Types:
    """Read the types out of the installed SDK.

    Raises: ImportError if it is not installed.
    """
    found = {}
    for name, place in _CLASSES.items():
        module, _, cls = place.partition(".")
        found[name] = _fields(getattr(import_module(_MODELS + module), cls))
    body = import_module(_SCHEDULE).GetSchedulePostRequestBody
    found["getSchedule"] = {key[:1].lower() + key[1:]: kind for key, kind in _fields(body).items()}
    return found


def _fields(cls: Any) -> dict[str, Any]:
    kinds = {}
    for name, ask in cls().get_field_deserializers().items():
        recorder = _Recorder()
        ask(recorder)
        kinds[name] = recorder.kind
    return dict(sorted(kinds.items()))


def load() -> Types:
    """Return the types as they are kept."""
    types: Types = json.loads(FILE.read_text(encoding="utf-8"))
    return types


def faults(types: Types, name: Any, value: object, at: str = "") -> list[str]:
    """Return what is wrong with a value: unknown properties, and values of another type."""
    if value is None:
        return []
    if isinstance(name, list):
        if not isinstance(value, list):
            return [f"{at} is no list"]
        return [fault for n, one in enumerate(value) for fault in faults(types, name[0], one, f"{at}[{n}]")]
    if isinstance(name, dict) or name in _PLAIN:
        return [] if _is_plain(name, value) else [f"{at} is no {name}: {value!r}"]
    if not isinstance(value, dict):
        return [f"{at} is no {name}"]
    if name not in types:
        return []
    found = []
    for key, one in value.items():
        if key in types[name]:
            found += faults(types, types[name][key], one, f"{at}/{key}")
        elif not key.startswith("@"):
            found.append(f"{at}/{key} is no property of {name}")
    return found


def _is_plain(name: Any, value: object) -> bool:
    if isinstance(name, dict):
        return isinstance(value, str) and value.lower() in [one.lower() for one in name["enum"]]
    if name == "datetime":
        try:
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False
    return type(value) is _PLAIN[name]


if __name__ == "__main__":
    rows = [
        f"  {json.dumps(name)}: {{\n"
        + ",\n".join(f"    {json.dumps(key)}: {json.dumps(kind)}" for key, kind in kinds.items())
        + "\n  }"
        for name, kinds in sorted(derive().items())
    ]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
