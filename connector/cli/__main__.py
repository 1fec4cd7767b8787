"""`python -m connector.cli`: the operator's door, for processes that start it as a module."""

from __future__ import annotations

from connector.cli import main

if __name__ == "__main__":
    main(prog_name="pencilled")
