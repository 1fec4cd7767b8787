"""What a newcomer sees first works from beginning to end, a SIGKILL in the middle included."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_plays_its_whole_story_and_cleans_up() -> None:
    command = [sys.executable, "-c", "from connector.cli import main; main()", "demo"]
    played = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "Everything was as told" in played.stdout
    assert "7. Pencilled is killed" in played.stdout
