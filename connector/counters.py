"""What is counted for the metrics: how often something happened, in words from closed lists, and never about whom.

A process keeps its counts in a tally; `work/counting.py` adds them to the totals in the database, which all processes
share and which never fall. Whatever word a label may not have is counted as `other`, so that nothing personal can
become one, and their number stays small.
"""

from __future__ import annotations

import re
from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from threading import Lock

from connector.domain.connection import TroubleKind
from connector.domain.people import Medium

OTHER = "other"
PROVIDER = "provider"  # the label whose words are the slugs of providers, which are not known here
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,31}")

# Statuses that ask for different things to be done; the others are counted by their class.
_TOLD_APART = frozenset({400, 401, 403, 404, 409, 410, 412, 423, 429, 503})
_CLASSES = ("2xx", "3xx", "4xx", "5xx")
TIMEOUT, UNREACHABLE = "timeout", "unreachable"
KINDS = (
    "calendar",
    "pull",
    "channel",
    "offer",
    "question",
    "absence",
    "busy",
    "probe",
    "conversation",
    "sign_in",
    "mail",
    "mailbox",
    "outcome",
    "upkeep",
)
TROUBLES: Mapping[TroubleKind, str] = {
    TroubleKind.REFUSED: "account",
    TroubleKind.INSTALLATION: "installation",
    TroubleKind.OUTAGE: "service",
    TroubleKind.OURS: "ours",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Something that is counted.

    Attributes:
        name: Without what all names of metrics begin and end with.
        meaning: For the operator who reads the metrics.
        labels: Each label with the words it may have; `provider` may have any slug.
    """

    name: str
    meaning: str
    labels: Mapping[str, tuple[str, ...]]

    def series(self, **labels: str) -> Series:
        """Return what is counted under these words."""
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} is counted by {', '.join(self.labels)}")
        words = sorted((label, self._known(label, word)) for label, word in labels.items())
        return Series(name=self.name, labels=tuple(words))

    def every(self, providers: tuple[str, ...]) -> Iterator[Series]:
        """Yield everything that can be counted with these providers: what has not happened yet is shown as zero."""
        words = [providers if name == PROVIDER else allowed for name, allowed in self.labels.items()]
        for chosen in product(*words):
            yield self.series(**dict(zip(self.labels, chosen, strict=True)))

    def _known(self, label: str, word: str) -> str:
        is_known = _SLUG.fullmatch(word) if label == PROVIDER else word in self.labels[label]
        return str(word) if is_known else OTHER


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Series:
    """One row of counts: a counter's name, and a word for each of its labels, sorted."""

    name: str
    labels: tuple[tuple[str, str], ...]


REQUESTS = Counter(
    name="requests",
    meaning="Requests to calendar services, those inside a batch too, by how they were answered.",
    labels={
        PROVIDER: (),
        "answer": (*sorted(str(status) for status in _TOLD_APART), *_CLASSES, TIMEOUT, UNREACHABLE),
    },
)
NOTIFICATIONS = Counter(
    name="notifications",
    meaning="Pushes of calendar services, by what was made of them.",
    labels={PROVIDER: (), "verdict": ("received", "refused", "too_large", "handshake", "failed")},
)
WORK_ENDED = Counter(
    name="work_ended",
    meaning="Due work that was carried out, by how it ended; `failed` is a fault of ours.",
    labels={"kind": KINDS, "how": ("done", "postponed", "refused", "failed", "lost", "stopped")},
)
LETTERS = Counter(
    name="letters",
    meaning="Letters handed over, by their fate: taken, refused for good, put off, or in doubt whether it arrived.",
    labels={"medium": tuple(medium.value for medium in Medium), "fate": ("sent", "refused", "put_off", "doubtful")},
)
FAILURES = Counter(
    name="calendar_failures",
    meaning="Work on calendars that did not go through, by who can end that.",
    labels={PROVIDER: (), "trouble": tuple(TROUBLES.values())},
)
MAILS = Counter(
    name="mails",
    meaning="Mails that came in, by what became of them; those that were quarantined by the bound that they broke.",
    labels={
        "outcome": (
            *("applies", "unproved", "unordered", "unnumbered", "other_organizer", "other_mailbox"),
            *("unknown", "not_invited", "ahead", "stale", "repeated", "ended"),
            *("other_method", "contradictory", "not_whole", "not_one_event", "series", "uid", "sequence", "attendee"),
            *("delegated", "no_answer", "time", "automatic", "empty", "not_one_author"),
            *("bounce", "bounce_elsewhere", "shown", "too_many", "unmatched", "same_time", "refreshed"),
            *("mail_size", "mail_lines", "nul", "header_size", "header_lines", "content_header", "parts", "nesting"),
            *("calendar_size", "calendar_lines", "attendees", "unparsable", "unfetched", "erased"),
        )
    },
)
OUTCOMES = Counter(
    name="outcomes",
    meaning="Outcomes posted to endpoints of hosts, by what became of the attempt; `given_up` after three days.",
    labels={"fate": ("delivered", "answered_4xx", "answered_5xx", "redirected", "gone", "late", "failed", "given_up")},
)
COUNTERS = (REQUESTS, NOTIFICATIONS, WORK_ENDED, LETTERS, FAILURES, MAILS, OUTCOMES)


class Tally:
    """How often each thing has happened in one process since it began; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counts[Series] = Counts()

    def add(self, counter: Counter, times: int = 1, **labels: str) -> None:
        """Count something that has just happened, so many times."""
        series = counter.series(**labels)
        with self._lock:
            self._counts[series] += times

    def counts(self) -> Mapping[Series, int]:
        """Return everything that was counted."""
        with self._lock:
            return {series: times for series, times in self._counts.items() if times}


TALLY = Tally()  # of this process
add = TALLY.add


def failed(provider: str, kind: TroubleKind) -> None:
    """Count work on a calendar that did not go through."""
    add(FAILURES, provider=provider, trouble=TROUBLES[kind])


def answered(provider: str, status: int | None, *, late: bool = False) -> None:
    """Count a request by the status it was answered with, None for no answer; `late`: there was none in time."""
    if status is None:
        answer = TIMEOUT if late else UNREACHABLE
    else:
        answer = str(status) if status in _TOLD_APART else f"{status // 100}xx"
    add(REQUESTS, provider=provider, answer=answer)


@dataclass(slots=True)
class Request:
    """A request under way; whoever makes it notes the `status` of the answer as soon as it is known."""

    status: int | None = None


@contextmanager
def request(provider: str, *timeouts: type[Exception]) -> Iterator[Request]:
    """Count the request that is made in the block by its answer, or by what kept it from one; what is raised goes on.

    Args:
        provider: Its slug.
        timeouts: What the library in use raises, beside TimeoutError, when there was no answer in time.
    """
    made = Request()
    late = False
    try:
        yield made
    except Exception as error:
        late = isinstance(error, (TimeoutError, *timeouts))
        raise
    finally:
        answered(provider, made.status, late=late)
