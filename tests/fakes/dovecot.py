"""A real IMAP server, started as a process of its own, as nobody in particular, on free loopback ports."""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import trustme

from tests.conftest import child, free_port, missing

_READY_SECONDS = 120.0
_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
disable_plaintext_auth = no
auth_failure_delay = 0
imap_idle_notify_interval = 1 min
ssl = yes
ssl_cert = <{folder}/certificate
ssl_key = <{folder}/key
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service ipc {{
  chroot =
}}
service director {{
  chroot =
}}
service dns-client {{
  chroot =
}}
service lmtp {{
  chroot =
}}
"""


@dataclass
class Dovecot:
    """A running server; each user has a mailbox from the first login on, all with the same password."""

    folder: Path
    port: int
    tls_port: int
    ca_file: str
    password: str = "s3cret:of-p@rts/"

    def url(self, user: str, *, folder: str = "", scheme: str = "imap", password: str = "") -> str:
        port = self.tls_port if scheme == "imaps" else self.port
        word = quote(password or self.password, safe="")
        return f"{scheme}://{user}:{word}@localhost:{port}" + (f"/{quote(folder, safe='')}" if folder else "")

    @contextmanager
    def owner(self, user: str) -> Iterator[imaplib.IMAP4]:
        """Log in as another program of the mailbox's owner would."""
        api = imaplib.IMAP4("127.0.0.1", self.port)
        try:
            api.login(user, self.password)
            api.select("INBOX")
            yield api
        finally:
            api.shutdown()

    def deliver(self, user: str, *mails: bytes, at: datetime | None = None) -> None:
        """Put mails into the mailbox, in this order."""
        came = imaplib.Time2Internaldate(at or datetime.now(UTC))  # noqa: TID251 - as a mail server does
        with self.owner(user) as api:
            for mail in mails:
                status, said = api.append("INBOX", "", came, mail)
                assert status == "OK", said

    def renumber(self, user: str) -> None:
        """Lose what tells which mail is which, as a restored or rebuilt mailbox does."""
        maildir = self.folder / "home" / user / "Maildir"
        for index in (*maildir.glob("dovecot*"),):
            index.unlink()
        (maildir / "dovecot-uidlist").write_text("3 V1999999999 N1\n")
        shutil.chown(maildir / "dovecot-uidlist", _user())

    def seen(self, user: str) -> list[bool]:
        """Return of every mail whether it is marked as read."""
        with self.owner(user) as api:
            _, lines = api.fetch("1:*", "(FLAGS)")
        return [b"\\Seen" in line for line in lines if isinstance(line, bytes)]


def _user() -> str:
    return "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """Start it with its files in a folder of its own."""
    program = shutil.which("dovecot") or next(iter(Path("/usr/sbin").glob("dovecot")), None)
    if program is None:
        missing("Dovecot is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pencilled-dovecot-"))
    try:
        server = _configured(folder)
        with (folder / "out").open("wb") as log:
            command: list[str | Path] = [program, "-F", "-c", folder / "conf"]
            user = _user() if os.geteuid() == 0 else None
            # Asked to end it would take a second; its processes end with it either way, and nothing is kept.
            with child(command, log, stop=signal.SIGKILL, user=user) as process:
                until = time.monotonic() + _READY_SECONDS
                while not _answers(server.port):
                    if process.poll() is not None or time.monotonic() > until:
                        missing(f"Dovecot did not come up: {(folder / 'out').read_text()[:300]}")
                    time.sleep(0.02)  # nothing to wait on but the port
                yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configured(folder: Path) -> Dovecot:
    authority, user = trustme.CA(), _user()
    certificate = authority.issue_cert("localhost")
    (folder / "certificate").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (folder / "key").write_bytes(certificate.private_key_pem.bytes())
    authority.cert_pem.write_to_path(folder / "ca")
    server = Dovecot(folder=folder, port=free_port(), tls_port=free_port(), ca_file=str(folder / "ca"))
    values = {"folder": folder, "port": server.port, "tls_port": server.tls_port, "password": server.password}
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    (folder / "conf").write_text(_CONFIGURATION.format(**values, user=user, group=group))
    (folder / "home").mkdir()
    for path in (folder, folder / "home", folder / "key", folder / "certificate"):
        if os.geteuid() == 0:
            shutil.chown(path, user, group)
    folder.chmod(0o755)
    return server


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
        return sock.recv(4).startswith(b"* OK")
    return False
