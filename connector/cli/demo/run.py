"""The demo from beginning to end: everything is started, the story is played, and nothing is left behind."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.console import Console

from connector.cli.demo import host_story, lindenhof
from connector.cli.demo.evidence import CalendarServer
from connector.cli.demo.host_story import HostStory
from connector.cli.demo.pages import Pages
from connector.cli.demo.phone import Phone
from connector.cli.demo.stage import PASSWORD, USER, Mailbox, Product, Wire, radicale
from connector.cli.demo.story import ALEX, KIM, Story
from connector.cli.demo.telling import StoryError


def run(*, keep: bool) -> None:
    """Play the story; with `keep`, stay up afterwards until interrupted (KeyboardInterrupt) or terminated (SystemExit).

    Raises: ClickException if a step does not end as the story says.
    """
    console = Console(highlight=False)
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="pencilled-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        console.print("Starting a CalDAV server, a mail catcher and Pencilled on this machine …")
        try:
            story = _begin(stack, folder, console)
            story.tell()
        except (StoryError, LookupError, RuntimeError) as error:
            raise click.ClickException(f"not as told: {error}") from error
        console.rule("[bold green]Everything was as told", align="left")
        if keep:
            _stay(stack, story)
    if keep:
        click.echo("Stopped, and cleaned up.")


def run_host(*, keep: bool) -> None:
    """Play the story of a booking platform, with Pencilled in its process and then beside it.

    Raises: ClickException if a step does not end as the story says.
    """
    console = Console(highlight=False)
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="pencilled-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        console.print("Starting a CalDAV server and a mail catcher on this machine …")
        try:
            places = _play_host(stack, folder, console)
        except (StoryError, LookupError, RuntimeError) as error:
            raise click.ClickException(f"not as told: {error}") from error
        console.rule("[bold green]Everything was as told", align="left")
        if keep:
            _look(*places, ("Its source", str(lindenhof.place())), ("Files", str(folder)))
    if keep:
        click.echo("Stopped, and cleaned up.")


def _play_host(stack: contextlib.ExitStack, folder: Path, console: Console) -> list[tuple[str, str]]:
    """Play the story in both ways, and return where to look afterwards."""
    port = stack.enter_context(radicale(folder))
    places: list[tuple[str, str]] = []
    for name, title, begin, signs_in_by_mail in (
        ("mounted", "Pencilled in the platform's own process", lindenhof.mounted, False),
        ("beside", "Pencilled beside the platform, over REST and webhooks", lindenhof.beside, True),
    ):
        console.rule(f"[bold cyan]{title}")
        own = folder / name
        own.mkdir()
        mailbox = Mailbox()
        stack.callback(mailbox.stop)
        calendar = CalendarServer(f"http://127.0.0.1:{port}/{USER}/{name}/", USER, PASSWORD)
        calendar.make()
        platform = begin(stack, own, mailbox)
        access = {"address": f"http://127.0.0.1:{port}", "username": USER, "password": PASSWORD}
        HostStory(
            platform_url=platform.url,
            password=lindenhof.PASSWORD,
            access=access,
            signs_in_by_mail=signs_in_by_mail,
            mailbox=mailbox,
            calendar=calendar,
            console=console,
        ).tell()
        pages = Pages(platform.url, mailbox, practitioner=host_story.KIM, client=host_story.ALEX)
        stack.callback(pages.stop)
        places += [(f"Lindenhof, {name}", platform.url), (f"Mails, {name}", f"{pages.url}/mails")]
    return [*places, ("Sign in as", f"kim, alex or robin, each @lindenhof.example: {lindenhof.PASSWORD}")]


def _begin(stack: contextlib.ExitStack, folder: Path, console: Console) -> Story:
    """Start everything; each server ends with the stack, even one that was interrupted while it started."""
    port = stack.enter_context(radicale(folder))
    mailbox = Mailbox()
    stack.callback(mailbox.stop)
    phone = Phone()
    stack.callback(phone.stop)
    product = Product(folder, mailbox.url, phone.url)
    stack.callback(product.stop)
    wire = Wire(port)
    stack.callback(wire.stop)  # before Pencilled, which would wait for an answer from a wire that is cut
    calendar = CalendarServer(f"http://127.0.0.1:{port}/{USER}/work/", USER, PASSWORD)
    calendar.make()
    product.start()
    today = datetime.combine(datetime.today(), datetime.min.time())  # noqa: DTZ002 - a day on the wall, no instant
    return Story(
        product=product,
        mailbox=mailbox,
        phone=phone,
        calendar=calendar,
        wire=wire,
        folder=folder,
        console=console,
        first_day=today + timedelta(days=7),
    )


def _stay(stack: contextlib.ExitStack, story: Story) -> None:
    """Say where to look, and wait."""
    pages = Pages(story.product.url, story.mailbox, practitioner=KIM, client=ALEX)
    stack.callback(pages.stop)
    _look(
        ("The practitioner", f"{pages.url}/kim"),
        ("The client", f"{pages.url}/alex"),
        ("The mails", f"{pages.url}/mails"),
        ("The calendar", f"{story.calendar.url}  ({USER}, {PASSWORD})"),
        ("Files", str(story.folder)),
    )


def _look(*places: tuple[str, str]) -> None:
    """Print the places, each on a line that no terminal breaks, and wait until somebody ends it."""
    for name, place in places:
        click.echo(f"{name:20}{place}")
    click.echo("Press Ctrl-C to stop and clean up.")
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        threading.Event().wait()
