"""How often somebody may try: whoever posts by the hundred is slowed down, page by page, and that is noted."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Blueprint, Flask, Response, request
from flask_limiter import Limiter

from connector.services.signing_in.log import Event, note
from connector.web import short_link, signin

SIGN_IN_LIMIT = "10 per minute"
GUESS_LIMIT = "10 per minute"  # short links that lead nowhere
ANSWER_LIMIT = "30 per minute"
_NOT_FOUND = 404
_HOUSEHOLD = 64  # bits: whoever has one address of IPv6 has as many of the same network as they like


def limit(app: Flask, others: Iterable[Blueprint], broker_url: str) -> None:
    """Slow down whoever tries addresses or answers by the hundred; without Redis each process counts for itself."""
    shared = broker_url != "memory://"
    limiter = Limiter(
        asker,
        app=app,
        storage_uri=broker_url,
        in_memory_fallback_enabled=shared,
        key_prefix="pencilled",
    )
    limiter.limit(SIGN_IN_LIMIT, methods=["POST"])(signin.pages)
    limiter.limit(GUESS_LIMIT, deduct_when=_leads_nowhere)(short_link.pages)
    for part in others:
        limiter.limit(ANSWER_LIMIT, methods=["POST"])(part)


def _leads_nowhere(response: Response) -> bool:
    return response.status_code == _NOT_FOUND


def asker() -> str:
    """Return whom a request is counted to: an address of IPv4, or a network of IPv6 that is handed out as one."""
    try:
        address = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return request.remote_addr or "nowhere"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, _HOUSEHOLD), strict=False))


def note_limited() -> None:
    """Note that this request was one too many."""
    if request.blueprint == signin.pages.name:
        note(Event.LIMITED, by="asker")
    else:
        note(Event.LIMITED_ELSEWHERE, page=request.endpoint or "")
