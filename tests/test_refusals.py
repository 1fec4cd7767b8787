"""Every refusal has a code of its own and words that can be collected; both are read from the source."""

import re
from datetime import date, datetime, time

import pytest

from connector.errors import ConflictError, RuleError
from connector.language.offered import Languages
from connector.sentence import Paragraph, Sentence, Value
from tests.messages import coded
from tests.messages.coded import KINDS

APART = {
    "field",
    "plural",
    "n",
    "choices",
    "found",
    "kept",
    "key",
    "state",
    "http",
    "pointer",
    "known",
}  # no values of the words
PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%|(.|$))", re.DOTALL)
WORDS = [one for one in coded.every() if one.kind != "Refusal"]
CODED = [one for one in WORDS if one.kind in KINDS]


def test_the_words_of_a_refusal_stand_beside_it_as_a_literal() -> None:
    """An f-string, a name or values spread from elsewhere can be neither collected nor compared."""
    faults = [one.where for one in WORDS if len(one.words) != 1 + ("plural" in one.keywords) or "**" in one.keywords]
    assert not faults


def test_each_placeholder_has_its_value_and_each_value_its_placeholder() -> None:
    for one in WORDS:
        for words in one.words:
            found = list(PLACEHOLDER.finditer(words))
            names = {match[1] for match in found if match[1]} - {"n"}
            assert not [match[0] for match in found if match[2] is not None], f"{one.where}: a bare % or another form"
            apart = APART | {"code"} if one.kind in KINDS else APART  # a sentence may name the code that a server gave
            assert names == set(one.keywords) - apart, one.where


def test_a_code_means_one_thing() -> None:
    meanings: dict[str, tuple[str, tuple[str, ...]]] = {}
    for one in CODED:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", one.code), f"{one.where}: {one.code!r} is no code"
        assert meanings.setdefault(one.code, (one.kind, one.words)) == (one.kind, one.words), one.where
    by_words = {words: code for code, (_kind, words) in meanings.items()}
    assert len(by_words) == len(meanings), "the same words under two codes"


def test_every_code_is_on_the_page_of_errors() -> None:
    assert coded.PAGE.read_text(encoding="utf-8") == coded.page(), "python -m tests.messages errors"


def test_what_only_commands_refuse_has_a_code_too() -> None:
    assert all(one.code for one in coded.every() if one.kind == "Refusal")


def test_a_field_is_a_word_for_programs() -> None:
    for one in CODED:
        assert re.fullmatch(r"([a-z]+(_[a-z]+)*)?", one.literal("field")), one.where


def test_what_is_told_to_people_ends_as_a_sentence() -> None:
    endings = (".", "?", "!", "”", "add", "list", "ID", "withdraw", "--help")  # a command stands bare at the end
    for one in CODED:
        assert all(words.endswith(endings) for words in one.words), f"{one.where}: {one.words}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Kim", "Kim"),
        (3, "3"),
        (datetime(2026, 4, 3, 9, 5), "Friday, 3 April 2026, 09:05"),
        (date(2026, 4, 3), "Friday, 3 April 2026"),
        (time(9, 5), "09:05"),
        (("Practice", "Private"), "Practice and Private"),
        (("Practice", "Private", "Choir"), "Practice, Private, and Choir"),
        (("Practice",), "Practice"),
        ((Sentence("at %(at)s", at=time(9, 5)), Sentence("later, then")), "at 09:05; later, then"),
        (Sentence("a blank (%(point)s)", point="U+0020"), "a blank (U+0020)"),
        (Paragraph((Sentence("One."), Sentence("Two."))), "One. Two."),
    ],
)
def test_values_stay_what_they_are_until_somebody_says_them(value: Value, text: str) -> None:
    error = RuleError("It is %(value)s!", code="any", value=value)
    assert error.values == {"value": value}
    assert str(error) == f"It is {text}!"
    assert Languages().of("en").refusal(error) == str(error), "the command line and the pages say the same"


def test_percent_sign_is_written_twice_whether_something_is_filled_in_or_not() -> None:
    for said in (Sentence("100 %%"), Sentence("%(share)s %%", share=100)):
        assert str(said) == Languages().of("en").sentence(said) == "100 %"


@pytest.mark.parametrize(("number", "text"), [(1, "one session"), (2, "2 sessions"), (0, "0 sessions")])
def test_what_counts_something_says_so_rightly(number: int, text: str) -> None:
    error = RuleError("one session", plural="%(n)s sessions", n=number, code="any")
    assert str(error) == text
    assert error.values == {"n": number}


def test_a_door_adds_what_can_be_done_there() -> None:
    error = ConflictError("“%(calendar)s” is busy.", code="any", key="k", field="when", calendar="Practice")
    assert str(error.adding("Add %(option)s.", option="--despite-conflict")) == (
        "“Practice” is busy. Add --despite-conflict."
    )
    assert (error.code, error.field, error.key) == ("any", "when", "k")
