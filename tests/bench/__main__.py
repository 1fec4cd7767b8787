"""Our own figures beside the goals. Run by hand (`make bench`): nothing here is a test, and times are no promise."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from connector.storage import migrations
from tests.bench.figures import PEERS, Row
from tests.fakes.servers import Server, radicale
from tests.journeys.stage import Stage

OFFERS = 50


def main() -> None:
    """Measure and print."""
    table = Table("figure", "measured", "goal", title="Pencilled on this machine, loopback only")
    with tempfile.TemporaryDirectory(prefix="pencilled-bench-") as name:
        folder = Path(name)
        with radicale(folder) as server:
            for row in _offers(server, folder):
                table.add_row(*row)
    for measure in PEERS:
        table.add_row(*measure())
    Console(file=sys.stdout).print(table)


def _offers(server: Server, folder: Path) -> Iterator[Row]:
    url = f"sqlite:///{folder / 'bench.sqlite3'}"
    migrations.migrate(url)
    with Stage(url, server=server) as stage:
        stage.connect()
        stage.start()
        latencies, costs, answers = [], [], []
        for n in range(OFFERS):
            booked = stage.practice.book(48 + 10 * n)
            stage.settled()
            draft = stage.practice.draft(booked, *(48 + 10 * n + h for h in (1, 2, 3)))
            stage.proxy.forget()
            wanted = stage.owner.size() + 3
            begun = time.perf_counter()
            offer = stage.practice.send(draft).offer
            while stage.owner.size() < wanted:
                time.sleep(0.001)
            latencies.append(time.perf_counter() - begun)
            stage.settled()
            costs.append(stage.proxy.count())
            stage.proxy.forget()
            stage.practice.accept(offer, 1)
            stage.settled()
            answers.append(stage.proxy.count())
        ordered = sorted(latencies)
        p50, p95 = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
        yield f"send to three holds visible, {OFFERS} offers", f"p50 {p50:.3f} s, p95 {p95:.3f} s", "5 s"
        yield "requests for an offer of three", f"{min(costs)} to {max(costs)}", "3"
        yield "requests for its acceptance", f"{min(answers)} to {max(answers)}", "4"


if __name__ == "__main__":
    main()
