"""`pencilled demo`: the whole story on the loopback, with a real calendar server and a mail catcher."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from datetime import datetime, timedelta
from pathlib import Path

import click


@click.command()
@click.option("--keep", is_flag=True, help="Stay up afterwards, and print the addresses to look at.")
def demo(*, keep: bool) -> None:
    """See it work: a calendar server, a mail catcher, one offer made and answered.

    Needs no account, no key and no network: everything runs on this machine, for half a minute, and is cleaned up. With
    --keep it stays up, and prints where to look.

    Exit codes: 0 everything was as told; 1 a step was not, and which is printed.
    """
    from rich.console import Console  # noqa: PLC0415 - nothing heavy before it is needed

    from connector.cli.demo.looking import CalendarServer  # noqa: PLC0415
    from connector.cli.demo.stage import PASSWORD, USER, Mailbox, Product, Wire, radicale  # noqa: PLC0415
    from connector.cli.demo.story import Story, StoryError  # noqa: PLC0415

    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="pencilled-demo-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        console.print("Starting a CalDAV server, a mail catcher and Pencilled on this machine …")
        port = stack.enter_context(radicale(folder))
        mailbox = Mailbox()
        stack.callback(mailbox.stop)
        wire = Wire(port)
        stack.callback(wire.stop)
        product = Product(folder, mailbox.url)
        calendar = CalendarServer(f"http://127.0.0.1:{port}/{USER}/work/", USER, PASSWORD)
        calendar.make()
        product.start()
        stack.callback(product.stop)
        today = datetime.combine(datetime.today(), datetime.min.time())  # noqa: DTZ002 - a day on the wall, no instant
        story = Story(
            product=product,
            mailbox=mailbox,
            calendar=calendar,
            wire=wire,
            folder=folder,
            console=console,
            first_day=today + timedelta(days=7),
        )
        try:
            story.play()
        except (StoryError, LookupError, RuntimeError) as error:
            raise click.ClickException(f"not as told: {error}") from error
        console.rule("[bold green]Everything was as told", align="left")
        if keep:
            console.print(f"Pages:     {story.sign_in_link()}")
            console.print(f"Calendar:  {calendar.url}  (user {USER}, password {PASSWORD})")
            console.print(f"Files:     {folder}\nPress Ctrl+C to stop and clean up.")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
