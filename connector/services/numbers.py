"""Telephone numbers as networks have them: refused where there can be none such, doubted where nobody was given one."""

from __future__ import annotations

from connector.errors import RuleError


def check_number(number: str) -> str:
    """Return a number in the form of E.164, without blanks and brackets; an empty one stays empty.

    Raises: RuleError for what no network of that country could have given anybody.
    """
    import phonenumbers  # noqa: PLC0415 - 5 MB, which only those pay for who enter a number

    if not number.strip():
        return ""
    try:
        parsed = phonenumbers.parse(number, None)  # none: whoever writes a number names its country
    except phonenumbers.NumberParseException:
        raise RuleError(
            "“%(phone)s” is not a phone number in international form. Write it like +4930123456.",
            code="phone_malformed",
            field="phone",
            phone=number,
        ) from None
    if not phonenumbers.is_possible_number(parsed):
        raise RuleError(
            "“%(phone)s” has too few or too many digits for a number of that country. Write it like +4930123456.",
            code="phone_impossible",
            field="phone",
            phone=number,
        )
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def is_doubtful(number: str) -> bool:
    """Whether a number has the right length and yet is in no range that its country has given out."""
    import phonenumbers  # noqa: PLC0415 - as above

    return bool(number) and not phonenumbers.is_valid_number(phonenumbers.parse(number, None))
