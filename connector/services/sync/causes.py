"""Why something did not go through in a calendar, for its practitioner."""

from __future__ import annotations

from connector.errors import ProviderError, RuleError
from connector.sentence import Sentence

OURS = Sentence("Pencilled itself has failed at it; whoever runs this installation finds the cause in its log")


def cause(error: Exception) -> Sentence:
    """Say why, as a part of a sentence; of what is a fault of our own, only that it is one."""
    match error:
        case ProviderError():
            return error.sentence
        case RuleError():
            return Sentence.of("%(refusal)s", {"refusal": error.sentences})
        case _:
            return OURS
