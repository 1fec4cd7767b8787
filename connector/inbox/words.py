"""What a person has written in a mail, without what their mail program quotes below or above it.

The rules are few and simple. Each looks at a line a bounded number of times, so that no mail keeps them busy; where
they are in doubt, more is shown, and everything if they would leave nothing, or no more than a greeting above what may
be a quotation: whoever answers a letter says something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from html import unescape

from connector.domain.text import visible
from connector.inbox.bounds import BoundedMail, decoded, is_calendar, parameter

LONGEST = 4_000  # characters that are kept
_MOST_LINES = 200
_LONGEST_READ = 200_000  # bytes of a part that are looked at

# No others: some sets take time that grows with the square of a text, and some are no sets of characters.
_SETS = re.compile(
    r"us-ascii|ascii|utf-?8|utf-?16(?:le|be)?|iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk"
    r"|gb18030|big5|shift_jis|euc-jp|euc-kr|iso-2022-jp",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"\s{0,3}>")
_ORIGINAL = re.compile(r"\s*-{2,}\s*(?:original|forwarded|urspr|weitergeleitet|message d.origine)", re.IGNORECASE)
_RULE = re.compile(r"\s*_{20,}\s*")  # Outlook's, above the header that it quotes
_HEADER = re.compile(r"\s*\*?(?:from|von|de|da)\s?:\*?\s", re.IGNORECASE)
_SENT = re.compile(r"\s*\*?(?:sent|date|gesendet|datum|envoy\w*)\s?:\*?\s", re.IGNORECASE)
_SIGNATURE = re.compile(r"-- ?")
_LONGEST_SIGNATURE = 8  # lines; what is longer is what they say
_ATTRIBUTION = re.compile(r"\s*(?:on|am|le|el|il|op|den|em)\s[^\n]*\d", re.IGNORECASE)
_WROTE = re.compile(r"\b(?:wrote|schrieb|schreef|a écrit|escribió|ha scritto|skrev|escreveu)\b", re.IGNORECASE)
_DATED = re.compile(r"\d{4}|\d[:.h]\d\d|\d[./-]\d{1,2}[./-]\d\d")
_OF_ADDRESS = re.compile(r"[^\s@]@[^\s@]{1,255}:\Z")  # whose words follow stands last
# A line that says nothing by itself: a few words that greet, thank, or lead to what stands below.
_GREETING = re.compile(
    r"\W*(?:hallo|hello|hi|hey|dear|liebe[rs]?|guten|good|moin|servus|grüezi|grüß|sehr geehrte[rs]?|danke|dankeschön"
    r"|(?:vielen|besten|herzlichen) dank|(?:many )?thanks|thank you|bonjour|hola|ciao|siehe|see|(?:my )?answers?"
    r"|(?:meine )?antwort\w*|my comments|anbei|inline)\b(?:\W+\w+){0,4}\W*",
    re.IGNORECASE,
)
_LONGEST_GREETING = 60  # characters
_LONGEST_ATTRIBUTION = 3  # lines of “On Monday, 3 May 2027 … Kim wrote:”

_HIDDEN = ("style", "script", "head", "title")
_QUOTED_HTML = re.compile(
    r"<blockquote\b|<div[^<>]{0,200}(?:gmail_quote|divRplyFwdMsg|appendonsend|yahoo_quoted|moz-cite-prefix)",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_ELEMENT = re.compile(r"<(/?)([a-z][a-z0-9]*)\b([^<>]*)>", re.IGNORECASE)
_UNSEEN = re.compile(
    r"""style\s*=[^<>]*?[\s;"'=](?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all)""", re.IGNORECASE
)
_EMPTY = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})  # they hold nothing
# What calendar programs say of an answer: who has given which.
_ANSWERING = re.compile(
    r"accept|declin|tentativ|answer|respon|propos|zugesagt|abgesagt|angenommen|abgelehnt|geantwortet|vorbehalt|zusage"
    r"|absage|mit vielleicht|refus|rechaz|rifiut",
    re.IGNORECASE,
)
_GOOGLE = re.compile(r"calendar\.google\.com|google (?:calendar|kalender)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the author of a mail has written.

    Attributes:
        text: Of a few lines; empty if that is nothing.
        whole: Whether it is everything that the mail says, since the rules would have left nothing of it.
    """

    text: str = ""
    whole: bool = False


def written(mail: BoundedMail) -> Written:
    """Return what the author of a mail has written."""
    plain, html = _texts(mail)
    if (own := _own(plain, html)).text:
        return own
    everything = _cleaned(plain) or _cleaned(_shown(html))
    return Written(text=everything, whole=bool(everything))


def beside(mail: BoundedMail, *, names: Iterable[str]) -> str:
    """Return what a person has typed beside an answer of their calendar program; empty if a program has written it.

    Programs name in one line who has answered what; Google's tell the whole event below.

    Args:
        mail: With the answer.
        names: What programs call whoever answers, and the event.
    """
    lines = _own(*_texts(mail), is_said=True).text.splitlines()
    known = [name.lower() for name in names if name.strip()]
    typed = [line for line in lines if not _is_of_a_program(line, known)]
    if len(typed) < len(lines) and any(_GOOGLE.search(line) for line in lines):
        return ""
    return "\n".join(typed).strip()


def _is_of_a_program(line: str, names: Iterable[str]) -> bool:
    return _ANSWERING.search(line) is not None and any(name in line.lower() for name in names)


def _texts(mail: BoundedMail) -> tuple[str, str]:
    """Return the plain text of a mail, and its page."""
    texts = [part for part in mail.parts if part.get_content_maintype() == "text" and not _is_file(part)]
    plain = next((_text(part) for part in texts if part.get_content_subtype() == "plain"), "")
    html = next((_text(part) for part in texts if part.get_content_subtype() == "html"), "")
    return plain, html


def _own(plain: str, html: str, *, is_said: bool = False) -> Written:
    """Return what is the author's own by the rules; with `is_said` a greeting above a quotation is enough."""
    own = _unquoted(plain, is_said=is_said)
    if own.text:
        return own
    above = _shown(_up_to_quotation(html))
    if not is_said and above.strip() and _QUOTED_HTML.search(html) and not _is_more(above.splitlines()):
        return Written(text=_cleaned(_shown(html)), whole=True)
    return _unquoted(above, is_said=is_said)


def _unquoted(text: str, *, is_said: bool) -> Written:
    """Return a text without what it quotes, and without a signature.

    Below a greeting alone it is all kept: what they say may stand below a signature, which is theirs in any case, and
    among what they quote.
    """
    kept: list[str] = []
    lines = text.splitlines()
    signed_until = looked_at = seen = 0
    is_greeted = is_signature_kept = False
    for n, line in enumerate(lines):
        if is_quote := _QUOTE.match(line) is not None:
            looked_at = _drop_attribution(kept, looked_at)
        is_end = not is_quote and _ends(lines, n)
        is_signature = n >= signed_until and _SIGNATURE.fullmatch(line) is not None
        if is_quote or is_end or is_signature:
            is_greeted = is_greeted or any(one.strip() for one in kept[seen:])
            is_said = is_said or _is_more(kept[seen:])
            seen = len(kept)
        if is_end and is_greeted and not is_said:
            return Written(text=_cleaned(text), whole=True)
        if is_end:
            break
        if is_signature and (end := _signature_end(lines, n)):
            signed_until, is_signature_kept = end, is_greeted and not is_said
        if not is_quote and (n >= signed_until or is_signature_kept):
            kept.append(line)
            seen = len(kept) if n < signed_until else seen
    _drop_attribution(kept, looked_at)
    return Written(text=_cleaned("\n".join(kept)))


def _is_more(lines: Iterable[str]) -> bool:
    """Whether lines say more than a greeting does."""
    return any(line.strip() and (len(line) > _LONGEST_GREETING or not _GREETING.fullmatch(line)) for line in lines)


def _signature_end(lines: list[str], start: int) -> int:
    """Return where a signature ends: at what is quoted, or with the text; 0 if so much follows that it is none."""
    count = 0
    for n in range(start + 1, len(lines)):
        if _QUOTE.match(lines[n]) or _ends(lines, n):
            return n
        count += bool(lines[n].strip())
        if count > _LONGEST_SIGNATURE:
            return 0
    return len(lines)


def _ends(lines: list[str], n: int) -> bool:
    """Whether nothing of theirs follows from a line on."""
    line = lines[n]
    if _ORIGINAL.match(line):
        return True
    following = lines[n + 1 : n + 4]
    if _RULE.fullmatch(line):
        return any(_HEADER.match(one) for one in following)
    return _HEADER.match(line) is not None and any(_SENT.match(one) for one in following)


def _drop_attribution(kept: list[str], looked_at: int) -> int:
    """Drop the line or lines before a quotation that say whose words follow, and blank ones; return how many are left.

    Lines that have been `looked_at` before are not looked at for each line of a quotation.
    """
    while kept and not kept[-1].strip():
        kept.pop()
    if len(kept) <= looked_at or not kept[-1].rstrip().endswith(":"):
        return len(kept)
    last = kept[-_LONGEST_ATTRIBUTION:]
    begun = next((n for n, line in enumerate(last) if _ATTRIBUTION.match(line)), None)
    if begun is not None and _is_attribution(" ".join(last[begun:])):
        del kept[begun - len(last) :]
    elif "@" in last[-1] and _is_attribution(last[-1]):
        del kept[-1]
    return len(kept)


def _is_attribution(line: str) -> bool:
    """Whether a line that ends in a colon says who has written what follows: by a verb, or an address, and a date."""
    has_address = _OF_ADDRESS.search(line.rstrip()) is not None
    has_verb, has_date = _WROTE.search(line) is not None, _DATED.search(line) is not None
    return (has_date and (has_verb or has_address)) or (has_verb and "@" in line)


def _is_file(part: Message) -> bool:
    disposition = str(part.get("content-disposition", "")).strip().lower()
    return disposition.startswith("attachment") or is_calendar(part)


def _text(part: Message) -> str:
    charset = parameter(part, "charset")
    known = charset if _SETS.fullmatch(charset) else "utf-8"
    return decoded(part)[:_LONGEST_READ].decode(known, errors="replace")


def _shown(html: str) -> str:
    """Return the text of a page, as whoever wrote it has seen it."""
    own = html
    for name in _HIDDEN:
        own = _without(own, name)
    own = "".join(_seen(own))
    own = " ".join(own.split())  # lines of the source mean nothing
    return unescape(_TAG.sub("", _BREAK.sub("\n", own)))


def _seen(html: str) -> Iterator[str]:
    """Yield a page without the elements that no program shows; one that does not end, ends with the page."""
    start = depth = 0
    unseen = ""
    for tag in _ELEMENT.finditer(html):
        name, is_end = tag[2].lower(), bool(tag[1])
        if unseen:
            if name == unseen:
                depth += -1 if is_end else 1
            if depth == 0:
                unseen, start = "", tag.end()
        elif not is_end and name not in _EMPTY and _UNSEEN.search(tag[3]):
            yield html[start : tag.start()]
            unseen, depth = name, 1
    if not unseen:
        yield html[start:]


def _up_to_quotation(html: str) -> str:
    quote = _QUOTED_HTML.search(html)
    return html[: quote.start()] if quote else html


def _without(html: str, name: str) -> str:
    """Leave out every element of a name with all that is in it; what does not end has no end."""
    pieces = re.split(rf"<{name}\b", html, flags=re.IGNORECASE)
    kept = [pieces[0]]
    for piece in pieces[1:]:
        kept.extend(re.split(rf"</{name}\s*>", piece, maxsplit=1, flags=re.IGNORECASE)[1:])
    return "".join(kept)


def _cleaned(text: str) -> str:
    lines = [visible(line, longest=LONGEST) for line in text.splitlines()[:_MOST_LINES]]
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return joined if len(joined) <= LONGEST else f"{joined[: LONGEST - 1]}…"
