"""Where it is remembered how far the database had come, and who was erased: a file, or the Redis of the broker.

A witness is asked for help, never relied on: what keeps it from remembering is logged once, and nothing fails for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

import structlog

from connector.ports import Seen

_REDIS_SECONDS = 2.0

log = structlog.get_logger(__name__)


class FileWitness:
    """A file of one line, replaced as a whole. Keep it out of back-ups: it must not go back with the database.

    Beside it, in a file that ends in `.erased`, stand the ids of the clients who were erased.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._erased = path.with_name(f"{path.name}.erased")
        self._faults = _Faults()

    def recall(self, installation_id: UUID) -> Seen | None:
        """Return what the file says of this installation."""
        try:
            return _read(self._path.read_text(encoding="ascii"), installation_id)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._faults.note(error)
            return None

    def remember(self, installation_id: UUID, seen: Seen) -> None:
        """Replace the file, so that whoever reads it meanwhile finds the old line or the new one."""
        new = self._path.with_name(f"{self._path.name}.{token_hex(8)}.new")  # containers have the same process ids
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(_written(installation_id, seen))
            new.replace(self._path)
        except OSError as error:
            self._faults.note(error)
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def erased(self, installation_id: UUID) -> frozenset[UUID]:
        """Return the clients of this installation that the file names."""
        try:
            lines = [line.split() for line in self._erased.read_text(encoding="ascii").splitlines()]
            return frozenset(UUID(client) for owner, client in lines if owner == str(installation_id))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            self._faults.note(error)
            return frozenset()

    def note_erased(self, installation_id: UUID, client_id: UUID) -> None:
        """Add a line to the file, once."""
        if client_id in self.erased(installation_id):
            return
        try:
            descriptor = os.open(self._erased, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{installation_id} {client_id}\n")
        except OSError as error:
            self._faults.note(error)


class RedisWitness:
    """A key in the Redis that carries wake-ups, which may be wiped at any time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._api: Any = None
        self._faults = _Faults()

    def recall(self, installation_id: UUID) -> Seen | None:
        """Return what Redis says of this installation."""
        try:
            stored = self._client().get(_key(installation_id))
            return _read(stored.decode("ascii"), installation_id) if stored else None
        except Exception as error:  # noqa: BLE001 - nothing depends on a witness
            self._faults.note(error)
            return None

    def remember(self, installation_id: UUID, seen: Seen) -> None:
        """Set the key."""
        try:
            self._client().set(_key(installation_id), _written(installation_id, seen))
        except Exception as error:  # noqa: BLE001 - nothing depends on a witness
            self._faults.note(error)

    def erased(self, installation_id: UUID) -> frozenset[UUID]:
        """Return the clients of this installation that the set names."""
        try:
            members = self._client().smembers(f"{_key(installation_id)}:erased")
            return frozenset(UUID(member.decode("ascii")) for member in members)
        except Exception as error:  # noqa: BLE001 - nothing depends on a witness
            self._faults.note(error)
            return frozenset()

    def note_erased(self, installation_id: UUID, client_id: UUID) -> None:
        """Add to the set."""
        try:
            self._client().sadd(f"{_key(installation_id)}:erased", str(client_id))
        except Exception as error:  # noqa: BLE001 - nothing depends on a witness
            self._faults.note(error)

    def _client(self) -> Any:
        import redis  # noqa: PLC0415 - slow, and only where it is in use

        if self._api is None:
            seconds = _REDIS_SECONDS
            self._api = redis.Redis.from_url(self._url, socket_connect_timeout=seconds, socket_timeout=seconds)
        return self._api


class _Faults:
    """Logs a fault of a witness when it begins, and not again while it is the same."""

    def __init__(self) -> None:
        self._last = ""

    def note(self, error: Exception) -> None:
        kind = type(error).__name__
        if kind != self._last:
            log.warning("witness_failed", error=kind)
        self._last = kind


def _key(installation_id: UUID) -> str:
    return f"pencilled:witness:{installation_id}"


def _written(installation_id: UUID, seen: Seen) -> str:
    return f"{installation_id} {seen.epoch} {seen.fact}\n"


def _read(line: str, installation_id: UUID) -> Seen | None:
    """Return what a line says; None if it is about another installation. Raises: ValueError if it says nothing."""
    identity, epoch, fact = line.split()
    return Seen(epoch=int(epoch), fact=int(fact)) if identity == str(installation_id) else None
