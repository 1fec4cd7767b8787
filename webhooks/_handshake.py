"""What a provider's door answers when the service first proves that the address is ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The text to answer, status 200, as `text/plain` with `X-Content-Type-Options: nosniff`, and nothing else."""

    text: str
