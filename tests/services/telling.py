from __future__ import annotations

from connector.language.offered import ENGLISH_ONLY
from connector.language.telling import Teller

ENGLISH = Teller.to(locale="en", zone="Europe/Berlin", languages=ENGLISH_ONLY)
