"""`pencilled serve`: everything in one process, on SQLite."""

from __future__ import annotations

import threading
from typing import Any

import click
from waitress.server import create_server

from connector import app
from connector.cli._channels import LARGEST_BODY, Channel
from connector.cli._shared import cannot_listen, example, open_runtime, read_settings, refuse_by_chance
from connector.cli._stopping import Stopping
from connector.errors import SettingsError
from connector.runtime import Runtime
from connector.settings import Settings
from connector.storage import migrations
from connector.storage.locks import lock_embedded

WEB_THREADS = 8
_CONNECTIONS = 1000  # never reached: those that wait are fewer, and those that are served are known


@click.command()
@example("CONNECTOR_DATABASE_URL=sqlite:////var/lib/pencilled/db.sqlite3 pencilled serve")
def serve() -> None:
    """Run everything in one process: the pages, and all due work, on SQLite.

    Brings the database up to date first, and refuses to start beside another process on the same database. Ctrl-C or
    SIGTERM stops it cleanly; killing it loses nothing either. Other commands can be used while it runs.

    Exit codes: 0 stopped as asked; 1 the address cannot be listened on; 2 wrong settings, or a second process.
    """
    settings = read_settings()
    if not settings.embedded:
        fault = (
            "CONNECTOR_DATABASE_URL: `pencilled serve` is for SQLite. On PostgreSQL run `pencilled migrate` once, and "
            "then `pencilled web` and `pencilled worker`"
        )
        raise SettingsError([fault])
    refuse_by_chance(settings)
    lock = lock_embedded(settings.database_url)
    try:
        _migrate(settings)
        _run(open_runtime(settings, quiet=False, in_standstill=True))
    finally:
        lock.close()
    click.echo("Stopped.")


def _run(runtime: Runtime) -> None:
    settings = runtime.settings
    pages = app.create_app(runtime)
    engine = app.create_engine(runtime)
    stopping = Stopping()
    server: Any = None
    try:
        engine.start()
        try:
            server = create_server(
                pages,
                listen=settings.listen,
                threads=WEB_THREADS,
                ident=None,
                max_request_body_size=LARGEST_BODY,
                clear_untrusted_proxy_headers=not settings.trusted_proxies,  # else the application reads the last hops
                asyncore_use_poll=True,
                connection_limit=_CONNECTIONS,
            )
            for listener in getattr(server, "map", {}).values() or [server]:  # one for each address
                listener.channel_class = Channel
        except (OSError, ValueError) as error:
            raise cannot_listen(settings, error) from error
        click.echo(f"Pencilled is listening on http://{settings.listen} - people reach it at {settings.public_url}")
        click.echo("Stop it with Ctrl-C.")
        _serve(server, stopping)
    finally:
        engine.stop()


def _serve(server: Any, stopping: Stopping) -> None:
    """Answer requests until this process is asked to stop; then end those that have begun."""
    faults: list[Exception] = []

    def run() -> None:
        try:
            server.run()
        except Exception as error:  # noqa: BLE001 - raised below, by the thread that ends the process
            faults.append(error)
        finally:
            stopping.ask()

    threading.Thread(target=run, name="server", daemon=True).start()  # its loop ends with the process
    stopping.wait()
    server.task_dispatcher.shutdown()
    for fault in faults:
        raise fault


def _migrate(settings: Settings) -> None:
    before = migrations.current(settings.database_url)
    if migrations.pending(settings.database_url):
        migrations.migrate(settings.database_url)
        after = migrations.current(settings.database_url)
        click.echo(f"Brought the database up to date: from {before or 'nothing'} to step {after}.")
