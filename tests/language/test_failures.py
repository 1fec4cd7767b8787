import pytest

from connector.errors import AccessLostError, InstallationError, ProviderError, RefusedError, RuleError, TransientError
from connector.language.failures import told
from connector.language.offered import Languages
from connector.sentence import Sentence

SLOW = Sentence("“%(host)s” did not answer in time", host="dav.example")


@pytest.mark.parametrize(
    ("error", "english", "german"),
    [
        (
            RuleError("There is no such session.", code="session_not_found"),
            "There is no such session.",
            "Diesen Termin gibt es nicht.",
        ),
        (
            TransientError(SLOW),
            "“dav.example” did not answer in time. Please try again.",
            "„dav.example“ hat nicht rechtzeitig geantwortet. Bitte versuchen Sie es noch einmal.",
        ),
        (RefusedError(Sentence("the mailbox is full")), "The mailbox is full.", "Das Postfach ist voll."),
        (
            RefusedError("the mailbox is on fire"),
            "The mailbox is on fire.",
            "Der Kalenderdienst sagt: „The mailbox is on fire“.",
        ),
        (
            RefusedError("the disk is 100% full"),
            "The disk is 100% full.",
            "Der Kalenderdienst sagt: „The disk is 100% full“.",
        ),
        (
            AccessLostError("invalid_grant."),
            "Invalid_grant. Please try again.",
            "Der Kalenderdienst sagt: „Invalid_grant“. Bitte versuchen Sie es noch einmal.",
        ),
        (
            TransientError(""),
            "The calendar service did not do what was asked. Please try again.",
            "Der Kalenderdienst hat nicht getan, worum er gebeten wurde. Bitte versuchen Sie es noch einmal.",
        ),
    ],
)
def test_what_went_wrong_is_said_in_our_words_or_as_the_service_said_it(
    error: RuleError | ProviderError, english: str, german: str
) -> None:
    assert told(error, Languages().of("en")) == english
    assert told(error, Languages().of("de")) == german


def test_nobody_is_asked_to_try_again_at_once_where_the_operator_has_to_act() -> None:
    words = told(InstallationError("the quota is used up"), Languages().of("en"))
    assert words.startswith("The quota is used up. This is not about your account: ")
    assert words.endswith("Please try again later.")
