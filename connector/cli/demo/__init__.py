"""`pencilled demo`: the whole story on the loopback, with a real calendar server and a mail catcher."""

from __future__ import annotations

import signal

import click


@click.command()
@click.option("--keep", is_flag=True, help="Stay up afterwards, and print the addresses to look at.")
@click.option(
    "--host", is_flag=True, help="Play a booking platform that uses Pencilled: in its process, then beside it."
)
def demo(*, keep: bool, host: bool) -> None:
    """See it work: a calendar server, a mail catcher, one offer made and answered.

    Needs no account, no key and no network: everything runs on this machine, for half a minute, and is cleaned up. With
    --keep it stays up, and prints where to look: the practitioner's page, the client's, and the mails. Ctrl-C or
    SIGTERM stops it and cleans up, at any time.

    With --host it is the story of a small booking platform, told twice: Pencilled runs in the platform's own process,
    and then beside it, asked over REST. Its source is printed with --keep.

    Exit codes: 0 everything was as told; 1 a step was not, and which is printed, or it was stopped before the end.
    """
    signal.signal(signal.SIGTERM, _leave)
    from connector.cli.demo.run import run, run_host  # noqa: PLC0415 - nothing heavy before it is needed

    if host:
        run_host(keep=keep)
    else:
        run(keep=keep)


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(1)
