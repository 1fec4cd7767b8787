from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from connector.app import create_app, create_engine
from connector.errors import SettingsError
from connector.language.catalogues import Language, language
from connector.language.offered import Languages
from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.stage import make_runtime

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
COUNTED = 'msgid "%(n)s time"\nmsgid_plural "%(n)s times"\n'


def of(folder: Path, tag: str, messages: str) -> Language:
    head = '"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n<5 ? 1 : 2);\\n"\n' if tag == "pl" else ""
    (folder / f"{tag}.po").write_text(f"{HEAD}{head}\n{messages}", encoding="utf-8")
    return Languages((tag,), folder).of(tag)


@pytest.mark.parametrize(
    ("locale", "tag"), [("de", "de"), ("de_AT", "de"), ("DE-ch", "de"), ("en_US", "en"), ("fi", "en"), ("", "en")]
)
def test_reader_of_a_language_that_is_not_offered_is_told_in_english(locale: str, tag: str) -> None:
    assert Languages().of(locale).tag == tag


def test_english_is_what_the_code_says() -> None:
    english = Languages().of("en")

    assert english.say("Hello %(name)s", name="Kim") == "Hello Kim"
    assert [english.say_n("%(n)s time", "%(n)s times", n) for n in (0, 1, 2)] == ["0 times", "1 time", "2 times"]


def test_third_language_is_one_file(tmp_path: Path) -> None:
    polish = of(tmp_path, "pl", COUNTED + 'msgstr[0] "%(n)s raz"\nmsgstr[1] "%(n)s razy"\nmsgstr[2] "%(n)s razów"\n')

    assert [polish.say_n("%(n)s time", "%(n)s times", n) for n in (1, 3, 7)] == ["1 raz", "3 razy", "7 razów"]


def test_one_english_can_mean_two_things(tmp_path: Path) -> None:
    finnish = of(tmp_path, "fi", 'msgctxt "a meeting"\nmsgid "%(n)s open"\nmsgstr "auki: %(n)s"\n')

    assert finnish.say_as("a meeting", "%(n)s open", n=3) == "auki: 3"
    assert finnish.say("%(n)s open", n=3) == "3 open"


@pytest.mark.parametrize("mark", ["#, fuzzy\n", ""], ids=["fuzzy", "empty"])
def test_message_that_is_unsure_or_missing_is_said_in_english(tmp_path: Path, mark: str) -> None:
    said = of(tmp_path, "fi", f'{mark}msgid "Hello"\nmsgstr "{"Hei" if mark else ""}"\n')

    assert said.say("Hello") == "Hello"


def test_percent_sign_is_written_once_where_nothing_is_filled_in() -> None:
    english = Languages().of("en")

    assert english.say("50 % of it") == "50 % of it"
    assert english.say("%(n)s %% of it", n=50) == "50 % of it"


def test_values_are_written_as_the_language_writes_them() -> None:
    german = Languages().of("de")
    values = (date(2026, 12, 1), time(14), datetime(2026, 12, 1, 14, tzinfo=UTC), timedelta(days=3), ("A", "B", "C"))

    assert [german.value(value) for value in values] == [
        "Dienstag, 1. Dezember 2026",
        "14:00",
        "Dienstag, 1. Dezember 2026, 14:00",
        "3 Tage",
        "A, B und C",
    ]
    assert Languages().of("en").value(("Home, kim@home.example", "Work")) == "Home, kim@home.example; Work"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (timedelta(minutes=50), "50 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(seconds=90), "90 seconds"),
    ],
)
def test_length_is_told_in_the_largest_unit_that_is_exact(value: timedelta, told: str) -> None:
    assert Languages().of("en").value(value) == told


def test_arabic_is_written_from_right_to_left(tmp_path: Path) -> None:
    assert of(tmp_path, "ar", "").direction == "rtl"
    assert Languages().of("de").direction == "ltr"


def test_every_language_that_is_offered_can_be_read() -> None:
    Languages().check()


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        ("fi", None),
        ("fi", 'msgid "unfinished\n'),
        ("fi", "no catalogue at all"),
        ("qq", 'msgid "Hello"\nmsgstr "Hei"\n'),
        ("fi", 'msgid "Hello"\nmsgid "Hello"\n'),
    ],
    ids=["missing", "cut off", "something else", "no language", "two messages in one"],
)
def test_broken_catalogue_is_refused_and_its_file_named(tmp_path: Path, tag: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / f"{tag}.po").write_text(HEAD + "\n" + content, encoding="utf-8")

    with pytest.raises(SettingsError, match=rf"the language {tag}.*{tag}\.po"):
        Languages((tag,), tmp_path).check()


def test_catalogue_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fi.po").write_bytes(HEAD.encode() + b'\nmsgid "Hello"\nmsgstr "\xe4"\n')

    with pytest.raises(SettingsError, match=r"fi\.po"):
        language("fi", tmp_path)


def test_door_does_not_open_with_a_language_that_cannot_be_spoken(
    tmp_path: Path, sqlite_database: Database, sqlite_url: str, clock: Clock
) -> None:
    (tmp_path / "fi.po").write_text(HEAD + '\nmsgid "unfinished\n', encoding="utf-8")
    runtime = make_runtime(sqlite_database, sqlite_url, clock)
    runtime.policy = replace(runtime.policy, languages=Languages(("fi",), tmp_path))

    for door in (create_app, create_engine):
        with pytest.raises(SettingsError, match=r"fi\.po"):
            door(runtime)
