from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from jinja2 import Environment

from connector.app import create_app, create_engine
from connector.domain.span import Span, When
from connector.errors import SettingsError
from connector.language.catalogues import Language, language
from connector.language.offered import SHIPPED, Languages
from connector.language.telling import Teller
from connector.language.templates import speak
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


@pytest.mark.parametrize(
    ("offered", "locale", "tag"),
    [
        ("pt_BR", "pt_BR", "pt_BR"),
        ("pt-br", "PT-BR", "pt_BR"),
        ("DE", "de_AT", "de"),
        ("zh_Hant", "zh-hant-HK", "zh_Hant"),
        ("zh_Hant", "zh_TW", "zh_Hant"),  # written so there, as everybody knows
        ("sr_Latn", "sr_ME", "sr_Latn"),
        ("pt_BR", "pt_PT", "pt_BR"),
        ("en_GB", "en_GB", "en_GB"),
        ("en_GB", "en_US", "en"),
        ("pt_BR", "es", "en"),
    ],
)
def test_reader_is_told_in_the_nearest_language_on_offer(tmp_path: Path, offered: str, locale: str, tag: str) -> None:
    for name in ("zh_Hans", "de", "pt_BR", "zh_Hant", "sr_Latn", "en_GB"):
        (tmp_path / f"{name}.po").write_text(f'{HEAD}\nmsgid "Hello"\nmsgstr "{name}"\n', encoding="utf-8")
    languages = Languages(("zh_Hans", offered), tmp_path)
    languages.check()

    assert languages.of(locale).tag == tag
    assert languages.of(locale).say("Hello") == ("Hello" if tag == "en" else tag)


def test_language_of_a_country_is_named_on_a_page_as_browsers_name_it(
    tmp_path: Path, sqlite_database: Database, sqlite_url: str, clock: Clock
) -> None:
    (tmp_path / "pt_BR.po").write_text(HEAD, encoding="utf-8")
    runtime = make_runtime(sqlite_database, sqlite_url, clock)
    runtime = replace(runtime, policy=replace(runtime.policy, languages=Languages(("pt_BR",), tmp_path)))
    page = create_app(runtime).test_client().get("/sign-in", headers={"Accept-Language": "pt-BR,pt;q=0.9"})

    assert 'lang="pt-BR"' in page.text


def test_catalogue_is_read_once_however_many_ask_for_it_at_once(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "de.po", tmp_path)
    together = Barrier(16)

    def ask(_: int) -> Language:
        together.wait()
        return Languages(("de",), tmp_path).of("de")

    with ThreadPoolExecutor(16) as threads:
        assert len({id(said.catalogue) for said in threads.map(ask, range(16))}) == 1


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


def test_percent_sign_is_written_twice_wherever_it_is_said(tmp_path: Path) -> None:
    finnish = of(tmp_path, "fi", 'msgid "50 %% of it"\nmsgstr "siitä 50 %%"\n')
    page = speak(Environment(autoescape=True), finnish)

    assert finnish.say("50 %% of it") == "siitä 50 %"
    assert page.from_string('{{ _("50 %% of it") }}').render() == "siitä 50 %"
    assert page.from_string("{% trans %}50 % of it{% endtrans %}").render() == "siitä 50 %"
    assert finnish.say("%(n)s %% of it", n=50) == "50 % of it"


def test_values_are_written_as_the_language_writes_them() -> None:
    german = Languages().of("de")
    values = (date(2026, 12, 1), time(14), datetime(2026, 12, 1, 14, tzinfo=UTC), timedelta(days=3), ("A", "B", "C"))

    assert [german.value(value) for value in values] == [
        "Dienstag, 1. Dezember 2026",
        "14:00\xa0Uhr",
        "Dienstag, 1. Dezember 2026, 14:00\xa0Uhr",
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
        ("fi", 'msgid "unfinished\nmsgstr "x"\n\nmsgid "Hello"\nmsgstr "Hei"\n'),
        ("fi", 'msgid "Hello"\nmsgstr "Hei"\n\nmsgid "Hello"\nmsgstr "Moi"\n'),
        ("fi", 'msgid "Hello %(name)s"\nmsgstr "Hei %(nimi)s"\n'),
        ("fi", 'msgid "Hello %(name)s"\nmsgstr "Hei %(name)d"\n'),
        ("fi", 'msgid "Hello"\nmsgstr "Hei 100 %"\n'),
        ("fi", COUNTED + 'msgstr[0] "%(n)s kerta"\nmsgstr[1] "%(m)s kertaa"\n'),
    ],
    ids=[
        "missing",
        "cut off",
        "something else",
        "no language",
        "two messages in one",
        "a message cut off",
        "a message twice",
        "another value",
        "another kind of value",
        "a percent sign",
        "another value in the plural",
    ],
)
def test_broken_catalogue_is_refused_and_its_file_named(tmp_path: Path, tag: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / f"{tag}.po").write_text(HEAD + "\n" + content, encoding="utf-8")

    with pytest.raises(SettingsError, match=rf"the language {tag}.*{tag}\.po"):
        Languages((tag,), tmp_path).check()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('"Plural-Forms: nplurals=2; plural=nonsense;\\n"\n', "nonsense"),
        ('"Content-Type: text/plain; charset=nonsense\\n"\n', "nonsense"),
        ('"Language: fr\\n"\n', "another language, fr"),
        (None, "does not begin with a header"),
    ],
)
def test_header_that_cannot_be_followed_is_refused(tmp_path: Path, header: str | None, reason: str) -> None:
    entries = "" if header is None else f"{HEAD}{header}\n{COUNTED}"
    (tmp_path / "fi.po").write_text(entries + 'msgstr[0] ""\nmsgstr[1] ""\n' * bool(entries), encoding="utf-8")

    with pytest.raises(SettingsError, match=rf"fi\.po: .*{reason}"):
        Languages(("fi",), tmp_path).check()


def test_broken_message_is_named(tmp_path: Path) -> None:
    (tmp_path / "fi.po").write_text(f'{HEAD}\nmsgid "Hello %(name)s"\nmsgstr "Hei %(nimi)s"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match=r"“Hello %\(name\)s”: .* nimi instead of name"):
        Languages(("fi",), tmp_path).check()


def test_message_that_is_unsure_may_be_broken(tmp_path: Path) -> None:
    said = of(tmp_path, "fi", '#, fuzzy\nmsgid "Hello %(name)s"\nmsgstr "Hei %(nimi)s"\n')

    assert said.say("Hello %(name)s", name="Kim") == "Hello Kim"


def test_folder_in_place_of_a_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fi.po").mkdir()

    with pytest.raises(SettingsError, match=r"fi\.po"):
        Languages(("fi",), tmp_path).check()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_catalogue_may_come_from_windows(tmp_path: Path, ends: str) -> None:
    content = f'{HEAD}\nmsgid "Hello"\nmsgstr "Päivää"\n'.replace("\n", ends)
    (tmp_path / "fi.po").write_bytes(content.encode("utf-8-sig"))

    assert Languages(("fi",), tmp_path).of("fi").say("Hello") == "Päivää"


def test_catalogue_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fi.po").write_bytes(HEAD.encode() + b'\nmsgid "Hello"\nmsgstr "\xe4"\n')

    with pytest.raises(SettingsError, match=r"fi\.po: it is not written in UTF-8"):
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


@pytest.mark.parametrize(("locale", "beside"), [("de", "Uhr"), ("en_US", "AM"), ("en_US", "PM")])
def test_no_line_is_broken_between_an_hour_and_what_stands_beside_it(locale: str, beside: str) -> None:
    teller = Teller.to(locale=locale, zone="UTC", languages=Languages())
    start, end = (datetime(2026, 12, day, 11, tzinfo=UTC) for day in (1, 2))
    spans = [Span(start=start, end=start + timedelta(hours=2)), Span(start=start, end=end)]
    told = [teller.when(When.of(span, zone="UTC")) for span in spans]
    told += [
        say(start + timedelta(hours=hour))
        for hour in (0, 2)
        for say in (teller.instant, teller.line, teller.point, teller.brief)
    ]
    told.append(teller.say("Stopped on %(at)s.", at=start))

    assert f"\xa0{beside}" in "".join(told)
    assert f" {beside}" not in "".join(told)
