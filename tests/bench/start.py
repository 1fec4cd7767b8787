"""How long a process takes to start: `python -m tests.bench.start [ANOTHER CLONE]`, and as a ratio to the other one's.

Counted is the time on the processor. Both take turns, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from connector.storage import migrations

RUNS = 10
_SETTINGS = "from connector import app; s = app.read_settings({{'CONNECTOR_DATABASE_URL': {url!r}}}); r = app.build(s)"
STARTS = {  # what a process does until it is ready
    "pencilled --version": "import sys; sys.argv[1:] = ['--version']; from connector.cli import main; main()",
    "web process": f"{_SETTINGS}; app.create_app(r)",
    "worker": f"{_SETTINGS}; app.create_engine(r)",
}


def main(clones: Sequence[Path]) -> None:
    """Measure and print."""
    table = Table("start", *(f"{clone.name}: min, median" for clone in clones), "ratio of min, of median")
    with tempfile.TemporaryDirectory(prefix="pencilled-bench-") as name:
        url = f"sqlite:///{Path(name) / 'bench.sqlite3'}"
        migrations.migrate(url)
        for what, code in STARTS.items():
            program = code.format(url=url)
            rounds = [[_seconds(clone, program) for clone in clones] for _ in range(RUNS + 1)]
            # The first round warms up.
            taken = list(zip(*rounds[1:], strict=True))
            told = [f"{min(one):.3f} s, {statistics.median(one):.3f} s" for one in taken]
            ours, theirs = taken[0], taken[-1]
            ratios = f"{min(ours) / min(theirs):.2f}, {statistics.median(ours) / statistics.median(theirs):.2f}"
            table.add_row(what, *told, ratios)
    Console(file=sys.stdout).print(table)


def _seconds(clone: Path, program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([clone / ".venv/bin/python", "-c", program], cwd=clone, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main([Path.cwd(), *(Path(other).resolve() for other in sys.argv[1:])])
