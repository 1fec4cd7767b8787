"""The key file of an installation is made once, whoever opens it at the same instant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from connector.storage import keys

AT_ONCE, TIMES = 6, 30


def test_whoever_comes_at_the_same_instant_has_the_same_whole_key(tmp_path: Path) -> None:
    together = Barrier(AT_ONCE)

    def make(path: Path) -> str:
        together.wait()
        return keys.make(path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(TIMES):
            path = tmp_path / f"{number}.key"
            [key] = set(pool.map(make, [path] * AT_ONCE))
            assert len(key) == 2 * keys.SHORTEST
            assert path.read_text(encoding="ascii") == key
            assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == TIMES, "nothing is left beside them"
