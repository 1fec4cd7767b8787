"""Practitioners, their hours, and clients, as the host in this process knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from msgspec import UNSET, UnsetType

from connector.api.availability import HoursBody
from connector.api.clients import ClientBody, TextsAgreement
from connector.api.practitioners import PractitionerBody
from connector.domain.people import Medium
from connector.hosted.calls.door import Door, Id, said

Hours = Iterable[tuple[str, str]]
"""From when to when on a day, as its wall clock shows it: ("09:00", "12:30"), and "24:00" for its end."""


class Practitioners:
    """What `/practitioners` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def put(
        self,
        external_id: str,
        *,
        name: str,
        email: str,
        zone: str,
        locale: str | UnsetType = UNSET,
        buffer_minutes: int | UnsetType = UNSET,
        session_level: int | UnsetType = UNSET,
        hold_level: int | UnsetType = UNSET,
        takes_replies: bool | UnsetType = UNSET,
        version: int | None = None,
    ) -> PractitionerBody:
        """Have a practitioner be as the host knows them: adds them if nobody is called so.

        Args:
            external_id: What the host calls them.
            name: As clients read it.
            email: Where their news goes; no other practitioner has it.
            zone: An IANA name, such as Europe/Berlin.
            locale: In which language they are told things; English if left out.
            buffer_minutes: Kept free after each session; none if left out.
            session_level: How much of clients their sessions show in calendars, 0 to 4.
            hold_level: Likewise the times that they have offered.
            takes_replies: Whether clients who write back to a letter reach them.
            version: The one that is to be changed; None for any.

        Raises: RuleError.
        """
        body = said(
            name=name,
            email=email,
            zone=zone,
            locale=locale,
            buffer_minutes=buffer_minutes,
            session_level=session_level,
            hold_level=hold_level,
            takes_replies=takes_replies,
        )
        path = {"external_id": external_id}
        return self._door.ask("practitioners.put", PractitionerBody, path=path, body=body, version=version)

    def change(
        self,
        practitioner: Id,
        *,
        external_id: str | UnsetType | None = UNSET,
        name: str | UnsetType = UNSET,
        email: str | UnsetType = UNSET,
        zone: str | UnsetType = UNSET,
        locale: str | UnsetType = UNSET,
        buffer_minutes: int | UnsetType = UNSET,
        session_level: int | UnsetType = UNSET,
        hold_level: int | UnsetType = UNSET,
        takes_replies: bool | UnsetType = UNSET,
        version: int | None = None,
    ) -> PractitionerBody:
        """Change what is given; what is left out stays as it is. Raises: RuleError."""
        body = said(
            external_id=external_id,
            name=name,
            email=email,
            zone=zone,
            locale=locale,
            buffer_minutes=buffer_minutes,
            session_level=session_level,
            hold_level=hold_level,
            takes_replies=takes_replies,
        )
        path = self._path(practitioner)
        return self._door.ask("practitioners.change", PractitionerBody, path=path, body=body, version=version)

    def get(self, practitioner: Id) -> PractitionerBody:
        """Return a practitioner, retired or not. Raises: NotFoundError."""
        return self._door.ask("practitioners.show", PractitionerBody, path=self._path(practitioner))

    def list(self, *, email: str | UnsetType = UNSET, retired: bool | UnsetType = UNSET) -> Iterator[PractitionerBody]:
        """Yield practitioners, whoever was added first."""
        return self._door.pages("practitioners.listed", PractitionerBody, email=email, retired=retired)

    def retire(self, practitioner: Id, *, version: int | None = None) -> PractitionerBody:
        """Have a practitioner take no new bookings; what stands ends first. Raises: RuleError."""
        path = self._path(practitioner)
        return self._door.ask("practitioners.retire", PractitionerBody, path=path, version=version)

    def unretire(self, practitioner: Id, *, version: int | None = None, once: str = "") -> PractitionerBody:
        """Have them take bookings again. Raises: RuleError."""
        path = self._path(practitioner)
        return self._door.ask("practitioners.unretire", PractitionerBody, path=path, version=version, once=once)

    def _path(self, practitioner: Id) -> dict[str, Id]:
        return {"practitioner_id": self._door.practitioner(practitioner)}


class WorkingHours:
    """What `/practitioners/…/hours` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def get(self, practitioner: Id) -> HoursBody:
        """Return when a practitioner works: as was said, else as sessions tell, or as is usual."""
        path = {"practitioner_id": self._door.practitioner(practitioner)}
        return self._door.ask("hours.show", HoursBody, path=path)

    def put(
        self,
        practitioner: Id,
        weekly: Mapping[str, Hours],
        *,
        exceptions: Mapping[date, Hours] | None = None,
        version: int | None = None,
    ) -> HoursBody:
        """Say when a practitioner works, all of it.

        Args:
            practitioner: Who.
            weekly: By the name of the weekday, as in {"monday": [("09:00", "17:00")]}; one left out is a day off.
            exceptions: What counts on one date instead of what its weekday has.
            version: The one that is to be changed; None for any.

        Raises: RuleError.
        """
        body = {
            "weekly": {day: _stretches(hours) for day, hours in weekly.items()},
            "exceptions": [{"date": day, "hours": _stretches(hours)} for day, hours in (exceptions or {}).items()],
        }
        path = {"practitioner_id": self._door.practitioner(practitioner)}
        return self._door.ask("hours.put", HoursBody, path=path, body=body, version=version)


class Clients:
    """What `/clients` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def put(
        self,
        external_id: str,
        *,
        name: str,
        zone: str,
        email: str | UnsetType = UNSET,
        phone: str | UnsetType = UNSET,
        locale: str | UnsetType = UNSET,
        media: Iterable[Medium] | UnsetType = UNSET,
        texts_agreed: TextsAgreement | UnsetType | None = UNSET,
        allow_duplicate: bool = False,
        version: int | None = None,
    ) -> ClientBody:
        """Have a client be as the host knows them: adds them if nobody is called so.

        Args:
            external_id: What the host calls them.
            name: As practitioners read it.
            zone: An IANA name: on its clock they are told times.
            email: None if left out; so is the phone.
            phone: In international form, such as +4930123456.
            locale: In which language they are told things; English if left out.
            media: How they want to be told; by mail if left out.
            texts_agreed: When they have agreed to texts, and who says so; None if they have not. Left out, it stays.
            allow_duplicate: A new one is somebody else than the client who has this address already.
            version: The one that is to be changed; None for any.

        Raises: RuleError.
        """
        body = said(
            name=name,
            zone=zone,
            email=email,
            phone=phone,
            locale=locale,
            media=media if media is UNSET else [*media],
            texts_agreed=texts_agreed,
            allow_duplicate=allow_duplicate,
        )
        path = {"external_id": external_id}
        return self._door.ask("clients.put", ClientBody, path=path, body=body, version=version)

    def change(
        self,
        client: Id,
        *,
        external_id: str | UnsetType | None = UNSET,
        name: str | UnsetType = UNSET,
        email: str | UnsetType = UNSET,
        phone: str | UnsetType = UNSET,
        zone: str | UnsetType = UNSET,
        locale: str | UnsetType = UNSET,
        media: Iterable[Medium] | UnsetType = UNSET,
        texts_agreed: TextsAgreement | UnsetType | None = UNSET,
        version: int | None = None,
    ) -> ClientBody:
        """Change what is given; what is left out stays as it is. Raises: RuleError."""
        body = said(
            external_id=external_id,
            name=name,
            email=email,
            phone=phone,
            zone=zone,
            locale=locale,
            media=media if media is UNSET else [*media],
            texts_agreed=texts_agreed,
        )
        return self._door.ask("clients.change", ClientBody, path=self._path(client), body=body, version=version)

    def get(self, client: Id) -> ClientBody:
        """Return a client, retired, erased or not. Raises: NotFoundError."""
        return self._door.ask("clients.show", ClientBody, path=self._path(client))

    def list(self, *, email: str | UnsetType = UNSET, retired: bool | UnsetType = UNSET) -> Iterator[ClientBody]:
        """Yield clients, whoever was added first."""
        return self._door.pages("clients.listed", ClientBody, email=email, retired=retired)

    def retire(self, client: Id, *, version: int | None = None) -> ClientBody:
        """Have a client take no new bookings; what stands ends first. Raises: RuleError."""
        return self._removed(client, version=version, erase=False)

    def erase(self, client: Id, *, version: int | None = None) -> ClientBody:
        """Erase who a client is, for good; their sessions stay, without a name. Raises: RuleError."""
        return self._removed(client, version=version, erase=True)

    def unretire(self, client: Id, *, version: int | None = None, once: str = "") -> ClientBody:
        """Have them take bookings again. Raises: RuleError."""
        return self._door.ask("clients.unretire", ClientBody, path=self._path(client), version=version, once=once)

    def _removed(self, client: Id, *, version: int | None, erase: bool) -> ClientBody:
        query = {"erase": erase}
        return self._door.ask("clients.remove", ClientBody, path=self._path(client), query=query, version=version)

    def _path(self, client: Id) -> dict[str, Id]:
        return {"client_id": self._door.client(client)}


def _stretches(hours: Hours) -> list[Mapping[str, Any]]:
    return [{"start": start, "end": end} for start, end in hours]
