"""Reads the hostile corpus with a hundred mebibytes to spare; prints how many mails it has read."""

from __future__ import annotations

import resource
from pathlib import Path

from connector.inbox.bounds import QuarantinedError, bounded
from connector.inbox.meaning import read
from tests.inbox.hostile import BREAKING, HARMLESS
from tests.inbox.hostile_answers import USUAL

SPARE = 100 * 1024 * 1024
made = [mail() for mail in [*(mail for _, mail in BREAKING.values()), *HARMLESS.values()]]
made += [one.data for one in USUAL]
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + SPARE, taken + SPARE))
for data in made:
    try:
        read(bounded(data))
    except QuarantinedError:
        continue
print(len(made))
