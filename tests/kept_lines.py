"""Files to which another process appends a line of JSON at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def kept_lines(file: Path) -> list[Any]:
    """Return what the whole lines say; of one that is being written only a part may be there yet."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
