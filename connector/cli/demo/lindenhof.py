"""The example platform as the demo runs it: from where it is found, in both ways in which it is plugged in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from connector.cli.demo.stage import Mailbox, Product, Program, free_port, settings
from connector.domain.api_key import Scope

PASSWORD = "under-the-trees"  # noqa: S105 - of a platform that lives for a minute on the loopback
PREFIX, BRAND = "/rearrange", "Lindenhof"
SCOPES = (Scope.READ, Scope.ADMIN, Scope.SESSIONS, Scope.CONNECTIONS)
_HERE = Path(__file__).parent
_PLACES = (_HERE / "host", _HERE.parents[2] / "docs" / "examples" / "host")  # as it is shipped, as it is developed


class Platform(Program):
    """The example platform."""

    def __init__(self, folder: Path, port: int, module: str, environ: Mapping[str, str]) -> None:
        """Start nothing yet; `module` is the one that plugs Pencilled in."""
        self._module = module
        own = {
            "PYTHONPATH": str(place()),
            "LINDENHOF_DATABASE": str(folder / "lindenhof.sqlite3"),
            "LINDENHOF_SECRET_KEY": "of a demo",
        }
        words = (f"--listen=127.0.0.1:{port}", "--call", f"{module}:create_app")
        super().__init__(folder, port, own | dict(environ), serves=("waitress", *words))

    def command(self, *words: str) -> str:
        """Run one of its commands."""
        return self.run("flask", "--app", self._module, *words)

    def begin(self) -> None:
        """Put a practitioner, a client and a member of staff there, and serve."""
        self.command("begin", "--password", PASSWORD)
        self.start()


Begin = Callable[[ExitStack, Path, Mailbox], Platform]


def place() -> Path:
    """Return the folder in which the example is, ready to be imported from."""
    return next(place for place in _PLACES if (place / "lindenhof").is_dir())


def mounted(stack: ExitStack, folder: Path, mailbox: Mailbox) -> Platform:
    """Run the platform with Pencilled in its process, until the stack ends."""
    port = free_port()
    environ = settings(folder, f"http://127.0.0.1:{port}{PREFIX}", mailbox.url) | {"CONNECTOR_BRAND": BRAND}
    platform = Platform(folder, port, "lindenhof.mounted", environ)
    stack.callback(platform.stop)
    platform.command("pencilled", "migrate", "--new")
    platform.begin()
    return platform


def beside(stack: ExitStack, folder: Path, mailbox: Mailbox) -> Platform:
    """Run the platform and Pencilled as processes of their own, until the stack ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    product = Product(folder, mailbox.url, CONNECTOR_RETURN_ORIGINS=url, CONNECTOR_BRAND=BRAND)
    stack.callback(product.stop)
    product.start()
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    key = product.command("keys", "api", "add", "--name", "Lindenhof", *scopes).splitlines()[0]
    secret = json.loads(product.command("endpoints", "add", f"{url}/outcomes", "--json"))["secret"]
    told = {
        "LINDENHOF_PENCILLED_URL": product.url,
        "LINDENHOF_PENCILLED_KEY": key,
        "LINDENHOF_PENCILLED_WEBHOOK_SECRET": secret,
    }
    platform = Platform(folder, port, "lindenhof.over_rest", told)
    stack.callback(platform.stop)
    platform.begin()
    return platform
