"""One template a kind speaks every language: nothing is left in English, and no condition is forgotten."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from connector.domain.notice import NoticeKind, PauseReason, RevertReason, Righting
from connector.domain.notice_table import ROWS, Audience
from connector.language.offered import Languages
from connector.outbox import phrases, wording
from connector.outbox.letters import compose
from connector.ports import Letter
from tests.messages.pseudo import CLOSES, OPENS, write_catalogue
from tests.outbox.people import BRAND, FROM, letter
from tests.outbox.variations import every, to

TEMPLATES = Path(wording.__file__).parent / "templates"
COMMANDS = "pencilled doctor connections list resume restored follow calendars clients change endpoints enable"
STORED = {word.value for words in (NoticeKind, PauseReason, RevertReason, Righting) for word in words}
INSIDE = re.compile(f"{OPENS}[^{OPENS}{CLOSES}]*{CLOSES}")


def mail(sent: Letter, languages: Languages) -> EmailMessage:
    return compose(sent, brand=BRAND, from_address=FROM, languages=languages)


def parts(written: EmailMessage) -> dict[str, str]:
    return {
        part.get_content_type(): part.get_content()
        for part in written.walk()
        if part.get_content_maintype() == "text" and part.get_content_subtype() != "calendar"
    }


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]{2,}", text))


def outside(text: str) -> str:
    """What stands in no message; messages may be values of others."""
    while (less := INSIDE.sub(" ", text)) != text:
        text = less
    return text


@pytest.fixture(scope="module")
def nobodys(tmp_path_factory: pytest.TempPathFactory) -> Languages:
    folder = tmp_path_factory.mktemp("catalogues")
    write_catalogue(folder)
    return Languages(("ar",), folder)


def test_nothing_in_any_letter_is_left_in_english(nobodys: Languages) -> None:
    """What stands in no message is a value of the notice that is no stored word, or a command."""
    left = {}
    for name, sent in every(locale="ar"):
        written = mail(sent, nobodys)
        values = words(f"{sent.notice}") - STORED | words(f"{BRAND} {COMMANDS}")
        said = re.sub(r"https?://\S+", "", outside(f"{written['Subject']}\n{parts(written)['text/plain']}"))
        left[name] = words(said) - values
    assert len(left) > 300
    assert {name: found for name, found in left.items() if found} == {}


@pytest.mark.long
def test_no_letter_in_german_has_a_word_that_german_has_not() -> None:
    english = re.compile(r"\b(the|your|has|been|and|this|nothing|with|please|not)\b", re.IGNORECASE)
    for name, sent in every(locale="de"):
        written = mail(sent, Languages())
        found = english.search(f"{written['Subject']}\n{parts(written)['text/plain']}")
        assert found is None, f"{name}: {found}"


def test_letter_says_in_which_language_and_direction_it_is_written(nobodys: Languages) -> None:
    for kind in NoticeKind:
        written = parts(mail(to(letter(kind), locale="ar"), nobodys))

        assert '<html lang="ar" dir="rtl">' in written["text/html"]
        assert "border-left" not in written["text/html"]
    assert '<html lang="de" dir="ltr">' in parts(mail(to(letter(kind), locale="de"), Languages()))["text/html"]


def test_entry_in_the_clients_calendar_is_in_the_language_of_the_client(nobodys: Languages) -> None:
    written = mail(to(letter(NoticeKind.BOOKED), locale="ar"), nobodys)
    [calendar] = [part.get_content() for part in written.walk() if part.get_content_type() == "text/calendar"]

    assert re.search(f"SUMMARY.*{OPENS}", calendar)
    assert re.search(f"DESCRIPTION.*{OPENS}", calendar)


def test_every_kind_has_one_template_and_every_template_a_kind() -> None:
    assert {file.stem for file in TEMPLATES.glob("*.txt")} == {row.template for row in ROWS}


def test_what_letters_fill_in_has_words_for_each_kind() -> None:
    assert set(phrases.LETTERS) == {row.kind for row in ROWS if row.to is Audience.CLIENT}
    assert set(phrases.RIGHTINGS) == set(Righting)


@pytest.mark.parametrize(
    ("template", "spelled_out"),
    [
        ("# Hello {{ name }}", "# {% trans %}Hello {{ name }}{% endtrans %}"),
        ("Subject: Hi", "Subject: {% trans %}Hi{% endtrans %}"),
        ("> When: {{ when }}", "> {% trans %}When{% endtrans %}: {{ when }}"),
        ("> A: a\n~ B: b", "> {% trans %}A{% endtrans %}: a\n~ {% trans %}B{% endtrans %}: b"),
        ("* {{ choice.when }} | here", "* {{ choice.when }} | here"),
        ("[Open]", "[{% trans %}Open{% endtrans %}]"),
        ("[Yes](/yes) It is.", "[{% trans %}Yes{% endtrans %}](/yes) {% trans %}It is.{% endtrans %}"),
        ("{% if a %}{% trans %}A.{% endtrans %}{% endif %}", "{% if a %}{% trans %}A.{% endtrans %}{% endif %}"),
        ("{{ support }}", "{{ support }}"),
        ("{{ _('Hi') }}", "{{ _('Hi') }}"),
        ("One\n\nTwo", "{% trans %}One{% endtrans %}\n\n{% trans %}Two{% endtrans %}"),
    ],
)  # fmt: skip
def test_every_text_of_a_template_is_a_message(template: str, spelled_out: str) -> None:
    assert wording.spelled_out(template) == spelled_out
