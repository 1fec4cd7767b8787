"""A process that goes when the one which started it does, however that ends: nothing is left that nobody can stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

_EVERY_SECONDS = 0.5
_GRACE_SECONDS = 15.0  # for what is under way; as long as a stopping web process may take


def leave_with(parent: int) -> None:
    """Have this process stop as by SIGTERM once `parent`, the process id of its parent, is gone.

    Asks the system who the parent is, again and again, since not every system tells when it ends. A parent that has
    gone already counts as well.
    """
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def leaving_with_us(module: str) -> list[str]:
    """Return the beginning of a command that runs a module, as `python -m` does, and that goes with us.

    Modules in the working directory are none of ours.
    """
    words = (
        f"from connector.cli._parent import leave_with; leave_with({os.getpid()}); "
        f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-P", "-c", words]


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
