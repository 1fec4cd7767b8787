"""What a newcomer sees first works from beginning to end, a SIGKILL in the middle included, and is cleaned up."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from connector.cli.demo.evidence import eventually
from connector.cli.demo.visitor import Page, Visitor
from tests.cli.keyboard import PENCILLED

pytestmark = [
    pytest.mark.timeout(300),  # the story takes half a minute on a quiet machine
    pytest.mark.slow,
]

_COLUMNS = 80


@dataclass
class Demo:
    """A demo that runs, in a folder of its own for what is temporary."""

    process: subprocess.Popen[str]
    folder: Path
    told: list[str] = field(default_factory=list)

    def read_until(self, words: str) -> None:
        """Read what it prints up to a line that begins like this, or to its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(line.rstrip("\n"))
            if line.startswith(words):
                return
        pytest.fail("\n".join(self.told))

    def link(self, name: str) -> str:
        """Return the address on the line of that name, which holds nothing else."""
        [line] = [line for line in self.told if line.startswith(name)]
        return line.removeprefix(name).strip()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(100)

    def left_behind(self) -> list[str]:
        """Return what is still there of it: files, and servers that it started."""
        files = [path.name for path in self.folder.iterdir()]
        try:
            os.killpg(self.process.pid, 0)  # sends nothing; looks whether anybody is left of the group
        except ProcessLookupError:
            return files
        return [*files, "processes"]


@contextmanager
def playing(folder: Path, *options: str) -> Iterator[Demo]:
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "COLUMNS": str(_COLUMNS)}
    with subprocess.Popen(
        [PENCILLED, "demo", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield Demo(process, folder)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that has played its story and stays up."""
    with playing(tmp_path_factory.mktemp("kept"), "--keep") as demo:
        demo.read_until("Press Ctrl-C")
        yield demo


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says at an address, before anybody follows it."""

    status: int
    headers: HTTPMessage
    content: str


def ask(url: str) -> Answer:
    address = urlsplit(url)
    with closing(HTTPConnection(address.netloc, timeout=30)) as server:
        server.request("GET", address.path)
        answer = server.getresponse()
        return Answer(status=answer.status, headers=answer.headers, content=answer.read().decode())


def leads_to(url: str) -> str:
    """Return where an address redirects to."""
    answer = ask(url)
    assert answer.status == 302
    return answer.headers["Location"]


def rules_of(url: str) -> list[list[str]]:
    """Return the content security policy of a page, rule by rule."""
    return [rule.split() for rule in ask(url).headers["Content-Security-Policy"].split(";")]


def mail_of(kept: Demo, words: str) -> Page:
    """Open the page of the newest mail whose subject begins like this."""
    return Visitor().follow(Visitor().open(kept.link("The mails")), words)


def test_the_demo_plays_its_whole_story(kept: Demo) -> None:
    output = "\n".join(kept.told)
    assert "Everything was as told" in output
    assert "7. Pencilled is killed" in output


@pytest.mark.parametrize("name", ["The practitioner", "The client", "The mails"])
def test_no_terminal_breaks_a_link_of_the_demo(kept: Demo, name: str) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[a-z]+", kept.link(name))
    assert all(len(line) <= _COLUMNS for line in kept.told if "://" in line)


def test_the_practitioners_link_signs_them_in_as_often_as_it_is_opened(kept: Demo) -> None:
    for _ in range(2):
        assert "/signin/" in leads_to(kept.link("The practitioner"))
        kim = Visitor()
        page = kim.press(kim.open(kept.link("The practitioner")), "Sign in now")
        assert page.status == 200
        assert page.url.endswith("/")
        assert "Alex Client" in page.text


def test_the_clients_link_shows_an_offer_that_can_be_answered(kept: Demo) -> None:
    assert "/answer/" in leads_to(kept.link("The client"))
    alex = Visitor()
    page = alex.follow(alex.open(kept.link("The client")), "Choose this time")
    assert page.status == 200
    assert any("Yes, take this time" in button.text_content() for button in page.tree.iter("button"))


def test_the_mails_are_listed_for_whom_they_are(kept: Demo) -> None:
    page = Visitor().open(kept.link("The mails"))
    assert "Your sign-in link for Pencilled To Kim Beispiel <kim@practice.example>" in page.text
    assert "New session time? Please answer by" in page.text
    assert "To Alex Client <alex@client.example>" in page.text


def test_a_mail_shows_its_text_and_what_the_calendar_program_gets(kept: Demo) -> None:
    page = mail_of(kept, "Confirmed: your session is on")
    text, calendar = page.tree.xpath("//pre")
    assert "Lindenstr. 3, Berlin" in text.text_content()
    assert "METHOD:REQUEST" in calendar.text_content().split()
    [address] = [href for href in page.tree.xpath("//a/@href") if href.endswith(".ics")]
    file = ask(urljoin(page.url, address))
    assert file.headers.get_content_type() == "text/calendar"
    assert file.content.split() == calendar.text_content().split()


def test_the_links_in_a_mails_text_can_be_followed(kept: Demo) -> None:
    page = mail_of(kept, "New session time?")
    [address] = [href for href in page.tree.xpath("//pre//a/@href") if "/answer/" in href]
    assert Visitor().open(address).status == 200


def test_the_html_of_a_mail_can_run_nothing_and_fetch_nothing(kept: Demo) -> None:
    page = mail_of(kept, "New session time?")
    assert ["default-src", "'none'"] in rules_of(page.url)
    [frame] = page.tree.iter("iframe")
    assert "allow-scripts" not in frame.get("sandbox")
    assert "allow-same-origin" not in frame.get("sandbox")
    letter = Visitor().open(urljoin(page.url, frame.get("src")))
    assert "Hello Alex Client" in letter.text
    rules = rules_of(letter.url)
    assert ["default-src", "'none'"] in rules
    assert ["sandbox", *frame.get("sandbox").split()] in rules
    assert {rule[0] for rule in rules} == {"default-src", "style-src", "img-src", "frame-ancestors", "sandbox"}


def test_a_mail_there_is_not_is_not_found(kept: Demo) -> None:
    assert Visitor().open(f"{kept.link('The mails')}/999").status == 404


def test_a_demo_that_is_terminated_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        assert eventually(lambda: list(tmp_path.glob("*/serve.log")), bool, seconds=100)
        assert demo.stop() == 1
        assert demo.left_behind() == []


@pytest.mark.long
def test_a_story_cut_short_leaves_nothing_behind(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        demo.read_until("1. A session is booked")
        assert demo.left_behind() != []
        assert demo.stop() == 1
        assert demo.left_behind() == []


@pytest.mark.long
def test_a_demo_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        demo.read_until("1. A session is booked")
        assert demo.stop(signal.SIGKILL) == -signal.SIGKILL
        assert eventually(demo.left_behind, lambda left: "processes" not in left, seconds=100)
        assert "processes" not in demo.left_behind()


def test_a_kept_demo_that_is_terminated_leaves_nothing_behind(kept: Demo) -> None:
    places = [kept.link(name) for name in ("The practitioner", "The mails")]
    places += [leads_to(kept.link("The client")), kept.link("The calendar").split()[0]]
    assert kept.stop() == 0
    assert kept.left_behind() == []
    for place in places:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(place).port or 0), timeout=5)
