"""A host that has a module by a name of ours is refused at start, wherever it stands and whoever imported it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connector.errors import SettingsError
from connector.hosted.names import OURS, refuse_taken

ROOT = Path(__file__).parent.parent.parent
START = """
import sys
{first}
from connector.errors import SettingsError
try:
    from connector.plugin import Pencilled
    Pencilled(url_prefix="/rearrange")
except SettingsError as error:
    print(error)
"""


def test_our_own_are_not_taken_for_others() -> None:
    refuse_taken()


@pytest.mark.parametrize("file", [*(f"{name}.py" for name in OURS), "webhooks/__init__.py", "providers/stripe.py"])
def test_a_module_of_the_hosts_is_named_though_ours_is_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    theirs = tmp_path / file
    theirs.parent.mkdir(exist_ok=True)
    theirs.touch()
    refuse_taken()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    place = theirs if file != "providers/stripe.py" else theirs.parent
    with pytest.raises(SettingsError, match="Rename it") as refused:
        refuse_taken()
    assert str(place) in str(refused.value)
    assert "REST: docs/api.md" in str(refused.value)


def test_a_folder_without_programs_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "webhooks").mkdir()
    (tmp_path / "webhooks" / "received.json").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    refuse_taken()


@pytest.mark.parametrize("first", ["", "import webhooks"], ids=["not-imported", "imported-first"])
def test_a_host_with_its_own_webhooks_is_refused_at_start(tmp_path: Path, first: str) -> None:
    (tmp_path / "webhooks.py").write_text("OURS = True\n")
    command = [sys.executable, "-c", START.format(first=f"sys.path[:0] = [{str(tmp_path)!r}]; {first or 'pass'}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert f"{tmp_path}/webhooks.py: the host has a module of its own called webhooks" in done.stdout, done.stderr
