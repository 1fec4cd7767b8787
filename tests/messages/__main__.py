"""`python -m tests.messages check`: are the catalogues whole? `... update [LANGUAGE]`: bring them up to the code.

`... errors` writes the page of what can be refused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from connector.language.po import UNREADABLE, read
from tests.messages.checking import faults
from tests.messages.coded import PAGE, page
from tests.messages.collecting import catalogue, every
from tests.messages.sources import ROOT

FOLDER = ROOT / "connector" / "language" / "catalogues"
_USAGE = 2
_HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def main(arguments: Sequence[str]) -> int:
    """Check the catalogues, or bring them up to the code."""
    match arguments:
        case ["check"]:
            return check(ROOT, FOLDER)
        case ["update", *tags]:
            update(FOLDER, tags)
            return 0
        case ["errors"]:
            PAGE.write_text(page(), encoding="utf-8")
            return 0
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return _USAGE


def check(root: Path, folder: Path) -> int:
    """Say what is wrong; 1 if something is."""
    found = list(every(root))
    template = catalogue(found)
    wrong = [f"{one.file}:{one.line}: {one.fault}" for one in found if one.fault]
    for path in sorted(folder.glob("*.po")):
        wrong += [f"{path.name}: {fault}" for fault in _of_file(path, template)]
    for line in wrong:
        print(line)
    print(f"{len(template)} messages, {len(wrong)} faults")
    return 1 if wrong else 0


def _of_file(path: Path, template: Catalog) -> Iterator[str]:
    try:
        yield from faults(template, read(path))
    except UNREADABLE as error:
        yield f"cannot be read: {error}"


def update(folder: Path, tags: Sequence[str]) -> None:
    """Add to each catalogue what it lacks and take away what is stale; a message that was reworded becomes fuzzy."""
    template = whole()
    for path in sorted({*folder.glob("*.po"), *(folder / f"{tag}.po" for tag in tags)}):
        brought = read(path) if path.exists() else Catalog(locale=path.stem, fuzzy=False)
        brought.update(template, update_header_comment=False, update_creation_date=False)
        write(path, brought)


@cache
def whole() -> Catalog:
    """Return every message of the code, collected once a process."""
    return catalogue(every())


def write(path: Path, written: Catalog) -> None:
    """Write a catalogue in the order of the code, each message with the files that say it."""
    header = _HEADER.format(language=written.locale_identifier, plurals=written.plural_forms)
    with path.open("wb") as file:
        file.write(header.encode())
        write_po(file, written, width=118, omit_header=True, include_lineno=False, ignore_obsolete=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
