"""What did not go through, said to the person who asked for it: in our own words, or with what a service has said."""

from __future__ import annotations

from connector.errors import InstallationError, ProviderError, RefusedError, RuleError
from connector.language.catalogues import Language


def told(error: RuleError | ProviderError, language: Language) -> str:
    """Say what went wrong as whole sentences, with what to do about it."""
    if isinstance(error, RuleError):
        return language.refusal(error)
    reason = language.sentence(error.sentence).strip().removesuffix(".")
    if not reason:
        return language.say("The calendar service did not do what was asked. Please try again.")
    say = _in_its_words if error.quoted else _in_our_words
    return say(error, reason[0].upper() + reason[1:], language)


def _in_our_words(error: ProviderError, reason: str, language: Language) -> str:
    match error:
        case RefusedError():
            return language.say("%(reason)s.", reason=reason)
        case InstallationError():
            return language.say(
                "%(reason)s. This is not about your account: whoever runs this installation is told, and has to put it "
                "right. Please try again later.",
                reason=reason,
            )
        case _:
            return language.say("%(reason)s. Please try again.", reason=reason)


def _in_its_words(error: ProviderError, reason: str, language: Language) -> str:
    """Say what a service, or a library, has said in English; other languages say that it is quoted."""
    match error:
        case RefusedError():
            return language.say_as("what a calendar service says", "%(reason)s.", reason=reason)
        case InstallationError():
            return language.say_as(
                "what a calendar service says",
                "%(reason)s. This is not about your account: whoever runs this installation is told, and has to put it "
                "right. Please try again later.",
                reason=reason,
            )
        case _:
            return language.say_as("what a calendar service says", "%(reason)s. Please try again.", reason=reason)
