"""What schemathesis is told of this API: names of acts are fresh, ids are often of something, errors are problems."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis

SEEDS = json.loads(Path(os.environ["FUZZ_SEEDS"]).read_text(encoding="utf-8"))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Name each act anew: the same name with another body is refused, as it must be, and tells nothing else."""
    if case.headers is not None and case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = uuid4().hex


@schemathesis.hook
def map_path_parameters(_context: Any, parameters: Any) -> Any:
    """Have three of four ids be of something that there is."""
    for name in parameters or {}:
        known = SEEDS.get(name)
        if known and sum(str(parameters[name]).encode("utf-8", "replace")) % 4:
            parameters[name] = known[sum(str(parameters[name]).encode("utf-8", "replace")) % len(known)]
    return parameters


@schemathesis.check
def every_error_is_a_problem(_context: Any, response: Any, case: Any) -> None:
    """Each answer from 400 is a problem document that says its own status and code."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    assert kind == "application/problem+json", f"{response.status_code} is answered as {kind or 'nothing'}"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"].endswith(f"/errors/{problem['code']}")
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"][0]
