"""Sessions as a table of text, such as spreadsheets write it: a row a line, read as it comes and never held as a whole.

Sniffed are only what no file tells of itself: its encoding, and what parts its values. What its columns mean is said by
their names, and one that nobody knows is refused, since a slip of the pen would lose what stands in it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO

from connector.domain.span import check_zone
from connector.errors import RuleError
from connector.importing import rows
from connector.importing.rows import Read, Refused, Row
from connector.importing.times import when

COLUMNS = (
    "external_id",
    "start",
    "end",
    "minutes",
    "zone",
    "client_external_id",
    "client_name",
    "client_email",
    "client_phone",
    "client_zone",
    "client_locale",
    "location_kind",
    "location",
    "kind",
    "series",
)
LONGEST_LINE = 64 * 1024  # characters
LONGEST_ROW = 100  # lines of one: an address may have line breaks, and an open quotation mark takes all that follows
_NEEDED = ("external_id", "start")
_MOST_NAMED = 20
_DELIMITERS = ",;\t|"
_DECLARED = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*', re.IGNORECASE)  # as Excel has it, and as it writes that back
_BLANKS = re.compile(r"[\s-]+")
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How a file is written.

    Attributes:
        encoding: By which it is text.
        delimiter: What parts its values.
        columns: The name of each; empty to be ignored.
        header: In which line they are named: the second, after Excel's `sep=;`.
    """

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    header: int = 1


def sniffed(file: IO[bytes], *, ignored: Sequence[str] = ()) -> Table:
    """Find out how a table is written; `ignored` are columns that need not mean anything.

    Raises: RuleError that says what is wrong with its first line, or that it is no text.
    """
    encoding = _encoding(file)
    lines = _lines(file, encoding)
    first = next(lines, "")
    declared = _DECLARED.fullmatch(first.strip())
    if declared:
        first = next(lines, "")
    delimiter = declared[1] if declared else max(_DELIMITERS, key=lambda one: _known(first, one))
    names = [_name(cell) for cell in next(csv.reader([first], delimiter=delimiter), [])]
    unwanted = {_name(name) for name in ignored}
    strange = [name for name in names if name and name not in COLUMNS and name not in unwanted]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise RuleError(
            "The first line must name the columns, and there is none called %(missing)s. Possible are: %(columns)s.",
            code="import_columns_missing",
            field="file",
            missing=tuple(missing),
            columns=COLUMNS,
        )
    if strange:
        raise RuleError(
            "Nobody knows what these columns mean: %(strange)s. Name them otherwise, delete them, or leave them out by "
            "--ignore-column. Possible are: %(columns)s.",
            code="import_columns_unknown",
            field="file",
            strange=tuple(_shown(name) for name in strange[:_MOST_NAMED]),
            columns=COLUMNS,
        )
    twice = sorted({name for name in names if name and name not in unwanted and names.count(name) > 1})
    if twice:
        raise RuleError(
            "These columns are there twice: %(twice)s. Delete one of each.",
            code="import_columns_twice",
            field="file",
            twice=tuple(twice),
        )
    return Table(
        encoding=encoding,
        delimiter=delimiter,
        columns=tuple("" if name in unwanted else name for name in names),
        header=2 if declared else 1,
    )


def read(file: IO[bytes], table: Table, *, zone: str) -> Iterator[Read]:
    """Yield what each row says, in order; times that name no zone are meant in `zone`.

    A line that cannot be parted ends it, for nobody knows what follows.
    """
    for line, cells in _parted(file, table):
        if isinstance(cells, RuleError):
            yield Refused(line=line, error=cells)
        elif any(cell.strip() for cell in cells):
            yield _row(line, cells, table.columns, zone)


def _row(line: int, cells: Sequence[str], columns: Sequence[str], zone: str) -> Read:
    cells = [*cells, *[""] * (len(columns) - len(cells))]  # spreadsheets leave out what is empty at the end
    extra = [cell for cell in cells[len(columns) :] if cell.strip()]
    value = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
    try:
        identity = rows.external_id(value["external_id"])
    except RuleError as error:
        return Refused(line=line, error=error)
    if extra:
        long = RuleError(
            "The row has more values than there are columns. Put a value in quotation marks that has the character in "
            "it which parts them.",
            code="import_row_too_long",
            field="file",
        )
        return Refused(line=line, error=long, external_id=identity)
    try:
        return _session(line, identity, value, zone)
    except RuleError as error:
        return Refused(line=line, error=error, external_id=identity)


def _session(line: int, identity: str, value: Mapping[str, str], zone: str) -> Row:
    def of(name: str) -> str:
        return value.get(name, "")

    zone = check_zone(of("zone")) if of("zone") else zone
    return Row(
        line=line,
        external_id=identity,
        when=when(of("start"), end=of("end"), minutes=of("minutes"), zone=zone),
        client=rows.someone(
            external_id=of("client_external_id"),
            name=of("client_name"),
            email=of("client_email"),
            phone=of("client_phone"),
            zone=of("client_zone"),
            locale=of("client_locale"),
        ),
        location=rows.location(of("location"), of("location_kind")),
        kind=rows.session_kind(of("kind")),
        series=of("series"),
    )


def _parted(file: IO[bytes], table: Table) -> Iterator[tuple[int, list[str] | RuleError]]:
    """Yield the values of each row but the first, and in which line it begins."""
    lines = _lines(file, table.encoding)
    number = sum(1 for _ in islice(lines, table.header - 1))  # of the last line that was taken
    begun = 0  # behind which the row begins

    def taken() -> Iterator[str]:
        nonlocal number
        for text in lines:
            number += 1
            if number - begun > LONGEST_ROW:
                raise csv.Error("a row of too many lines")
            yield text

    reader = csv.reader(taken(), delimiter=table.delimiter, strict=True)
    while True:
        begun = number
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield begun + 1, _broken(begun + 1)
            return
        except RuleError as error:
            yield begun + 1, error
            return
        if begun >= table.header:
            yield begun + 1, cells


def _lines(file: IO[bytes], encoding: str) -> Iterator[str]:
    """Yield the lines of a file from its beginning, as they end there.

    Raises: RuleError for one that is longer than any that people make.
    """
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        number = 0
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise _broken(number)
            yield line
    finally:
        if not file.closed:  # whoever reads on no further may close it first
            text.detach()


def _broken(line: int) -> RuleError:
    return RuleError(
        "Line %(line)s cannot be parted into values, and so nothing from there on was read. Most likely a quotation "
        "mark is not closed.",
        code="import_line_broken",
        field="file",
        line=line,
    )


def _encoding(file: IO[bytes]) -> str:
    """Return by which encoding a file is text.

    Raises: RuleError if it is by none that spreadsheets write.
    """
    file.seek(0)
    start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif start.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    else:
        candidates = ["utf-8", "cp1252"]
    for name in candidates:
        if _is_text(file, name):
            return name
    raise RuleError(
        "This is no text that can be read. Save the table as CSV, in UTF-8.", code="import_not_text", field="file"
    )


def _is_text(file: IO[bytes], encoding: str) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := file.read(_PIECE):
            if "\0" in decoder.decode(piece):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _known(line: str, delimiter: str) -> int:
    return sum(_name(cell) in COLUMNS for cell in line.split(delimiter))


def _name(cell: str) -> str:
    return _BLANKS.sub("_", cell.strip().strip('"').strip().casefold())


def _shown(name: str) -> str:
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


LONGEST_SHOWN = 60
