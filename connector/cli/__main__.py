"""`python -m connector.cli`: the operator's door, for processes that start it as a module."""

from __future__ import annotations

import sys
from pathlib import Path

from connector.cli import main

_OURS = Path(__file__).parents[2]

if __name__ == "__main__":
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != _OURS:
        del sys.path[0]  # the working directory, where a `webhooks.py` of somebody else's may be
    main(prog_name="pencilled")
