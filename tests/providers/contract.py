"""What every provider keeps to; each of them inherits this suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from connector.counters import REQUESTS
from connector.domain.entry import Content, Entry, EntryKey, EntryKind, EntryLink, Showing
from connector.domain.reconcile import Put, Ref, Remove, name_for
from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    EditConflictError,
    LeaseLostError,
    MissingError,
    RefusedError,
    SyncTokenExpiredError,
)
from connector.ports import (
    Account,
    Busy,
    Failed,
    KnowsForms,
    ListsBusy,
    Network,
    Outcome,
    Provider,
    RemoteCalendar,
    Removed,
    SignIn,
    UnsavedTokens,
    Written,
    asking_first,
)
from tests.counted import Counted

NOON = datetime(2026, 12, 3, 12, tzinfo=UTC)
DAY = Span.of(NOON - timedelta(hours=12), timedelta(hours=24))
TITLES = (
    "Hold: K.",
    "Größe, „Anführung“; 50% / 1\\2",
    "面談 田中さん 🗓",
    "x" * 200,
    'He said "no": a,b;c\\n',
    "<b>&amp;</b> ]]>",
    " trailing and  double ",
)


class Practitioner(Protocol):
    """What the owner of a calendar does there with another program."""

    def note(self, href: str, text: str) -> None: ...
    def text(self, href: str) -> str: ...
    def move(self, href: str, span: Span) -> None: ...
    def make_all_day(self, href: str) -> None: ...
    def make_recurring(self, href: str) -> None: ...
    def delete(self, href: str) -> None: ...
    def add(self, span: Span, *, busy: bool = True) -> str: ...

    def copy(self, href: str, *, marked: bool = True) -> str:
        """Write the event a second time, with a UID of its own where ours is marked, and return its href.

        Without the mark it has our UID, and stands alone: services let no two events have one.
        """
        ...

    def size(self) -> int: ...


@dataclass
class Service:
    """A provider with an account at a running service.

    `form` connects, and so does each of `other_forms`; `remote_id` is a fresh empty calendar; `missing_id` is none.
    """

    provider: Provider
    form: dict[str, str]
    network: Network
    remote_id: str
    missing_id: str
    practitioner: Practitioner
    other_forms: tuple[dict[str, str], ...] = field(default=(), kw_only=True)

    def account(self) -> Account:
        return self.provider.account(UnsavedTokens(self.provider.connect(self.form, self.network)), self.network)

    def calendar(self) -> RemoteCalendar:
        return self.account().open(self.remote_id)


def content(
    title: str = "Hold: K.", *, hours: float = 0, showing: Showing = Showing.TENTATIVE, location: str = "Room 2"
) -> Content:
    span = Span.of(NOON + timedelta(hours=hours), timedelta(minutes=50))
    return Content(span=span, title=title, location=location, showing=showing)


def creation(wanted: Content | None = None) -> Put:
    key = EntryKey(kind=EntryKind.HOLD, id=uuid4())
    return Put(
        entry=Entry(key=key, session_id=uuid4(), content=wanted or content()),
        ref=Ref(name=name_for(uuid4(), key, 1)),
    )


def again(put: Put, ref: Ref, wanted: Content, *, over: str | None = "as put") -> Put:
    """Return the same put with another content; unless it is said, what was put before was the last that was seen."""
    before = put.entry.content.fingerprint if over == "as put" else over
    return replace(put, entry=replace(put.entry, content=wanted), ref=ref, over=before)


def link_to(put: Put) -> EntryLink:
    return EntryLink(url=f"https://p.example/sessions/{put.session_id}", title="Pencilled")


def removal(put: Put, ref: Ref) -> Remove:
    return Remove(key=put.key, session_id=put.session_id, ref=ref)


def written(outcomes: Iterable[Outcome]) -> list[Written]:
    """Return the outcomes, all of which are writes that were done."""
    results = list(outcomes)
    assert all(isinstance(result, Written) for result in results), results
    return [result for result in results if isinstance(result, Written)]


def failure(outcomes: Iterable[Outcome]) -> Exception:
    """Return why the only action failed."""
    (outcome,) = outcomes
    assert isinstance(outcome, Failed), outcome
    return outcome.error


class ProviderContract:
    """Subclasses define the fixture `service`; `asks_password` is False where the service lets everybody in.

    `has_links` is False where events have no field for where they lead.
    """

    asks_password = True
    has_links = True

    @pytest.fixture
    def calendar(self, service: Service) -> RemoteCalendar:
        return service.calendar()

    @pytest.fixture
    def practitioner(self, service: Service) -> Practitioner:
        return service.practitioner

    def create(self, calendar: RemoteCalendar, wanted: Content | None = None) -> tuple[Put, Ref]:
        put = creation(wanted)
        (outcome,) = written(calendar.apply([put]))
        return put, outcome.ref

    def shown(self, calendar: RemoteCalendar, ref: Ref) -> Content | None:
        sighting = calendar.read([ref])[ref.name]
        assert sighting is not None, "nothing is there"
        return sighting.content

    # Connecting

    def test_the_right_password_opens_the_calendars(self, service: Service) -> None:
        offered = {info.remote_id: info for info in service.account().calendars()}
        assert offered[service.remote_id].writable
        assert offered[service.remote_id].name

    def test_what_is_known_of_an_account_opens_it_again_with_its_password(self, service: Service) -> None:
        provider = service.provider
        if isinstance(provider, SignIn):
            assert not isinstance(provider, KnowsForms), "nothing is typed in there"
            return
        assert isinstance(provider, KnowsForms)
        credentials, password = provider.connect(service.form, service.network), service.form["password"]
        form = provider.form_of(credentials)
        assert password not in form.values()
        assert provider.connect({**form, "password": password}, service.network) == credentials

    def test_a_calendar_has_one_identity_however_its_account_was_opened(self, service: Service) -> None:
        listed = service.account().calendars()
        identities = {info.remote_id: info.identity for info in listed}
        assert all(identities.values())
        assert len(set(identities.values())) == len(listed)
        again = [service.account(), *(replace(service, form=form).account() for form in service.other_forms)]
        for account in again:
            assert identities[service.remote_id] in {info.identity for info in account.calendars()}

    def test_what_is_on_one_host_says_so_where_hosts_are_many(self, service: Service) -> None:
        hosts = {info.host for info in service.account().calendars()}
        assert hosts == {urlsplit(service.remote_id).netloc if "://" in service.remote_id else ""}

    def test_a_wrong_password_is_refused(self, service: Service) -> None:
        if not self.asks_password:
            pytest.skip("this service lets everybody in")
        with pytest.raises(AccessLostError):
            service.provider.connect({**service.form, "password": "wrong"}, service.network)

    def test_a_password_that_is_no_longer_accepted_stops_everything(self, service: Service) -> None:
        if not self.asks_password:
            pytest.skip("this service lets everybody in")
        credentials = service.provider.connect(service.form, service.network)
        calendar = service.provider.account(UnsavedTokens({**credentials, "password": "old"}), service.network).open(
            service.remote_id
        )
        outcomes = list(calendar.apply([creation(content(hours=n)) for n in range(5)]))
        assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [AccessLostError] * 5
        with pytest.raises(AccessLostError):
            calendar.changes(None)

    def test_a_calendar_that_is_not_there_is_told_apart_from_an_empty_one(self, service: Service) -> None:
        calendar = service.account().open(service.missing_id)
        with pytest.raises(MissingError):
            calendar.changes(None)
        assert isinstance(failure(calendar.apply([creation()])), RefusedError)

    # Being counted

    def test_every_request_is_counted_as_the_providers_own(self, service: Service) -> None:
        calendar = service.calendar()
        counted = Counted(REQUESTS)
        self.create(calendar)
        writes = sum(counted().values())
        calendar.changes(None)
        assert 0 < writes < sum(counted().values())
        assert {provider for provider, _ in counted()} == {service.provider.slug}

    # Writing

    @pytest.mark.parametrize("showing", Showing)
    def test_what_was_created_reads_back_as_it_was_wanted(self, calendar: RemoteCalendar, showing: Showing) -> None:
        put = creation(content(showing=showing))
        (outcome,) = written(calendar.apply([put]))
        assert outcome.key == put.key
        assert outcome.ref.href
        assert outcome.ref.etag
        assert outcome.seen == put.entry.content.fingerprint
        assert self.shown(calendar, outcome.ref) == put.entry.content

    @pytest.mark.parametrize("title", TITLES)
    def test_any_title_survives(self, calendar: RemoteCalendar, title: str) -> None:
        put, ref = self.create(calendar, content(title, location=title))
        assert self.shown(calendar, ref) == put.entry.content
        (outcome,) = written(calendar.apply([again(put, ref, content(title, hours=1, location=""))]))
        assert self.shown(calendar, outcome.ref) == content(title, hours=1, location="")

    def test_creating_twice_makes_one_event(self, calendar: RemoteCalendar, practitioner: Practitioner) -> None:
        put = creation()
        (first,) = written(calendar.apply([put]))
        (second,) = written(calendar.apply([put]))
        assert second == first
        assert practitioner.size() == 1

    def test_a_creation_never_writes_over_what_it_meets_whoever_has_put_it_there(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        made = [self.create(calendar, content(hours=n)) for n in range(3)]
        late = [again(put, Ref(name=ref.name), content(hours=n + 5), over=None) for n, (put, ref) in enumerate(made)]
        for outcome in calendar.apply([*late, creation(content(hours=20))]):
            is_late = outcome.key in {put.key for put in late}
            assert isinstance(outcome, Failed if is_late else Written), outcome
            if isinstance(outcome, Failed):
                assert isinstance(outcome.error, EditConflictError)
        assert [self.shown(calendar, ref) for _, ref in made] == [content(hours=n) for n in range(3)]
        assert practitioner.size() == 4

    def test_a_creation_that_met_an_older_self_changes_it_once_that_was_seen(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        later = content(hours=3)
        assert isinstance(
            failure(calendar.apply([again(put, Ref(name=ref.name), later, over=None)])), EditConflictError
        )
        sighting = calendar.read([Ref(name=ref.name)])[ref.name]
        assert sighting
        assert sighting.content
        seen = replace(ref, href=sighting.href, etag=sighting.etag)
        (outcome,) = written(calendar.apply([again(put, seen, later, over=sighting.content.fingerprint)]))
        assert self.shown(calendar, outcome.ref) == later
        assert practitioner.size() == 1

    def test_an_update_conditional_on_an_older_version_does_not_write_over_a_newer_one(
        self, calendar: RemoteCalendar
    ) -> None:
        put, ref = self.create(calendar)
        (outcome,) = written(calendar.apply([again(put, ref, content(hours=2))]))
        late = again(put, ref, content(hours=5))
        assert isinstance(failure(calendar.apply([late])), EditConflictError)
        assert self.shown(calendar, outcome.ref) == content(hours=2)

    def test_an_update_changes_the_event_in_its_place(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        later = content("Session: K.", hours=2, showing=Showing.CONFIRMED, location="")
        (outcome,) = written(calendar.apply([again(put, ref, later)]))
        assert outcome.ref.href == ref.href
        assert outcome.ref.etag != ref.etag
        assert self.shown(calendar, outcome.ref) == later
        assert practitioner.size() == 1

    def test_repeating_an_update_with_what_was_known_before_it_is_harmless(self, calendar: RemoteCalendar) -> None:
        put, ref = self.create(calendar)
        update = again(put, ref, content(hours=2))
        (first,) = written(calendar.apply([update]))
        (second,) = written(calendar.apply([update]))
        assert second == first

    def test_an_update_without_a_known_version_reads_first(self, calendar: RemoteCalendar) -> None:
        put, ref = self.create(calendar)
        (outcome,) = written(calendar.apply([again(put, replace(ref, etag=None), content(hours=2))]))
        assert self.shown(calendar, outcome.ref) == content(hours=2)

    def test_an_event_that_stands_without_its_link_is_as_it_should_be(self, calendar: RemoteCalendar) -> None:
        put, ref = self.create(calendar)
        linked = replace(put, entry=replace(put.entry, link=link_to(put)), ref=replace(ref, etag=None))
        (outcome,) = written(calendar.apply([linked]))
        assert outcome.ref.etag == ref.etag, "nothing was written"
        assert outcome.seen == put.entry.content.fingerprint

    def test_an_event_leads_to_its_session_where_the_service_has_a_field_for_that(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put = creation()
        link = link_to(put)
        put = replace(put, entry=replace(put.entry, link=link))
        (outcome,) = written(calendar.apply([put]))
        assert outcome.ref.href
        assert self.shown(calendar, outcome.ref) == put.entry.content
        assert (link.url in practitioner.text(outcome.ref.href)) is self.has_links
        (outcome,) = written(calendar.apply([again(put, outcome.ref, content(hours=2))]))
        assert outcome.ref.href
        assert (link.url in practitioner.text(outcome.ref.href)) is self.has_links, "as long as it is shown"
        bare = replace(put, entry=replace(put.entry, content=content(hours=2), link=None))
        (outcome,) = written(calendar.apply([again(bare, outcome.ref, content(hours=3))]))
        assert outcome.ref.href
        assert link.url not in practitioner.text(outcome.ref.href)

    def test_notes_of_the_practitioner_survive_our_writes(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.note(ref.href, "bring the blue folder")
        (outcome,) = written(calendar.apply([again(put, ref, content(hours=2))]))
        (outcome,) = written(calendar.apply([again(put, outcome.ref, content(hours=3))]))
        assert "bring the blue folder" in practitioner.text(ref.href)
        assert self.shown(calendar, outcome.ref) == content(hours=3)

    def test_a_note_changes_nothing_that_is_ours(self, calendar: RemoteCalendar, practitioner: Practitioner) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.note(ref.href, "bring the blue folder")
        sighting = calendar.read([ref])[ref.name]
        assert sighting
        assert sighting.content == put.entry.content
        assert sighting.etag != ref.etag

    def test_an_event_that_was_deleted_is_not_created_anew_by_an_update(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.delete(ref.href)
        assert isinstance(failure(calendar.apply([again(put, ref, content(hours=2))])), MissingError)
        assert practitioner.size() == 0

    def test_many_are_written_at_once_and_each_has_its_outcome(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        puts = [creation(content(f"Hold: {n}", hours=n / 2)) for n in range(12)]
        first = {outcome.key: outcome for outcome in written(calendar.apply(puts))}
        assert first.keys() == {put.key for put in puts}
        assert practitioner.size() == len(puts)
        updates = [again(put, first[put.key].ref, content(hours=n / 2)) for n, put in enumerate(puts)]
        second = {outcome.key: outcome for outcome in written(calendar.apply(updates))}
        refs = [outcome.ref for outcome in second.values()]
        assert {name: sighting and sighting.content for name, sighting in calendar.read(refs).items()} == {
            put.ref.name: content(hours=n / 2) for n, put in enumerate(puts)
        }
        removals = [removal(put, second[put.key].ref) for put in puts]
        assert {outcome.key for outcome in calendar.apply(removals) if isinstance(outcome, Removed)} == first.keys()
        assert practitioner.size() == 0

    def test_removing_again_is_done_already(self, calendar: RemoteCalendar, practitioner: Practitioner) -> None:
        put, ref = self.create(calendar)
        remove = removal(put, ref)
        assert list(calendar.apply([remove])) == [Removed(key=put.key)]
        assert list(calendar.apply([remove])) == [Removed(key=put.key)]
        assert practitioner.size() == 0

    def test_removing_what_may_never_have_been_created_is_done(self, calendar: RemoteCalendar) -> None:
        put = creation()
        assert list(calendar.apply([removal(put, put.ref)])) == [Removed(key=put.key)]

    def test_an_event_is_removed_although_somebody_has_edited_it(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.note(ref.href, "later")
        assert list(calendar.apply([removal(put, ref)])) == [Removed(key=put.key)]
        assert practitioner.size() == 0

    def test_nothing_to_do_asks_nothing(self, calendar: RemoteCalendar) -> None:
        assert list(calendar.apply([])) == []

    # Reading

    def test_a_read_confirms_what_is_there_and_what_is_not(self, calendar: RemoteCalendar) -> None:
        refs = [self.create(calendar, content(hours=n))[1] for n in range(3)]
        absent = Ref(name=str(uuid4()))
        sightings = calendar.read([*refs, absent])
        assert sightings.keys() == {ref.name for ref in refs} | {absent.name}
        assert sightings[absent.name] is None
        assert [sighting.content for ref in refs if (sighting := sightings[ref.name])] == [
            content(hours=n) for n in range(3)
        ]
        assert [sighting.etag for ref in refs if (sighting := sightings[ref.name])] == [ref.etag for ref in refs]
        assert calendar.read([absent]) == {absent.name: None}
        assert calendar.read([]) == {}

    def test_a_move_by_the_practitioner_is_seen_and_can_be_put_back(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.move(ref.href, content(hours=5).span)
        assert self.shown(calendar, ref) == content(hours=5)
        moved = content(hours=5).fingerprint
        (outcome,) = written(calendar.apply([again(put, ref, put.entry.content, over=moved)]))
        assert self.shown(calendar, outcome.ref) == put.entry.content

    def test_an_event_made_all_day_is_something_we_never_write_and_can_be_restored(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.make_all_day(ref.href)
        assert self.shown(calendar, ref) is None
        (outcome,) = written(calendar.apply([again(put, ref, put.entry.content, over="")]))
        assert self.shown(calendar, outcome.ref) == put.entry.content

    # Writing over somebody else's change

    @pytest.fixture(params=["known", "unknown"])
    def version(self, request: pytest.FixtureRequest) -> Callable[[Ref], Ref]:
        """Say a ref with the version it was given, or without one, so that what stands there has to be read first."""
        return (lambda ref: ref) if request.param == "known" else (lambda ref: replace(ref, etag=None))

    def test_a_moved_event_is_not_written_over_and_the_others_go_on(
        self, calendar: RemoteCalendar, practitioner: Practitioner, version: Callable[[Ref], Ref]
    ) -> None:
        made = [self.create(calendar, content(hours=n)) for n in range(3)]
        put, ref = made[1]
        assert ref.href
        practitioner.note(ref.href, "bring the blue folder")
        practitioner.move(ref.href, content(hours=20).span)
        puts = [
            again(put, version(ref), content(hours=n + 5), over=put.entry.content.fingerprint)
            for n, (put, ref) in enumerate(made)
        ]
        outcomes = {outcome.key: outcome for outcome in calendar.apply(puts)}
        failed = outcomes.pop(put.key)
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, EditConflictError)
        assert len(written(outcomes.values())) == 2
        assert self.shown(calendar, ref) == content(hours=20)
        assert "bring the blue folder" in practitioner.text(ref.href)

    def test_an_event_that_was_only_noted_is_written_over_and_keeps_its_note(
        self, calendar: RemoteCalendar, practitioner: Practitioner, version: Callable[[Ref], Ref]
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.note(ref.href, "bring the blue folder")
        update = again(put, version(ref), content(hours=2), over=put.entry.content.fingerprint)
        (outcome,) = written(calendar.apply([update]))
        assert self.shown(calendar, outcome.ref) == content(hours=2)
        assert "bring the blue folder" in practitioner.text(ref.href)

    def test_an_event_that_somebody_has_put_where_it_is_wanted_is_no_conflict(
        self, calendar: RemoteCalendar, practitioner: Practitioner, version: Callable[[Ref], Ref]
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.move(ref.href, content(hours=2).span)
        before = calendar.read([ref])[ref.name]
        update = again(put, version(ref), content(hours=2), over=put.entry.content.fingerprint)
        (outcome,) = written(calendar.apply([update]))
        assert before
        assert outcome.ref.etag == before.etag

    def test_a_moved_event_is_not_written_over_where_nobody_says_what_was_there(
        self, calendar: RemoteCalendar, practitioner: Practitioner, version: Callable[[Ref], Ref]
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.move(ref.href, content(hours=20).span)
        update = again(put, version(ref), content(hours=2), over=None)
        assert isinstance(failure(calendar.apply([update])), EditConflictError)
        assert self.shown(calendar, ref) == content(hours=20)

    def test_a_creation_that_meets_what_somebody_has_moved_does_not_write_over_it(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.move(ref.href, content(hours=20).span)
        creation_again = again(put, put.ref, content(hours=2), over=put.entry.content.fingerprint)
        assert isinstance(failure(calendar.apply([creation_again])), EditConflictError)
        assert self.shown(calendar, ref) == content(hours=20)

    def test_a_deleted_event_is_missing_whatever_was_there(
        self, calendar: RemoteCalendar, practitioner: Practitioner, version: Callable[[Ref], Ref]
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.delete(ref.href)
        for over in (None, "", put.entry.content.fingerprint):
            update = again(put, version(ref), content(hours=2), over=over)
            assert isinstance(failure(calendar.apply([update])), MissingError)
        assert practitioner.size() == 0

    def test_an_event_made_all_day_is_written_over_only_by_who_has_seen_that(
        self, calendar: RemoteCalendar, practitioner: Practitioner, version: Callable[[Ref], Ref]
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        practitioner.make_all_day(ref.href)
        unseen = again(put, version(ref), put.entry.content, over=put.entry.content.fingerprint)
        assert isinstance(failure(calendar.apply([unseen])), EditConflictError)
        sighting = calendar.read([ref])[ref.name]
        assert sighting
        assert sighting.content is None
        seen = again(put, version(replace(ref, etag=sighting.etag)), put.entry.content, over="")
        (outcome,) = written(calendar.apply([seen]))
        assert self.shown(calendar, outcome.ref) == put.entry.content

    # Asking first

    @pytest.mark.parametrize("verb", ["apply", "apply many", "remove", "read", "changes", "listing", "busy"])
    def test_nothing_is_asked_once_that_may_not_be(
        self, calendar: RemoteCalendar, practitioner: Practitioner, verb: str
    ) -> None:
        put, ref = self.create(calendar)
        asks: dict[str, Callable[[], object]] = {
            "apply": lambda: list(calendar.apply([creation()])),
            "apply many": lambda: list(calendar.apply([creation(content(hours=n)) for n in range(12)])),
            "remove": lambda: list(calendar.apply([removal(put, ref)])),
            "read": lambda: calendar.read([ref]),
            "changes": lambda: calendar.changes(None),
            "listing": lambda: calendar.listing(NOON),
            "busy": lambda: calendar.busy(DAY),
        }
        with asking_first(_allow(0)), pytest.raises(LeaseLostError):
            asks[verb]()
        assert practitioner.size() == 1

    def test_a_change_stopped_before_any_of_its_requests_is_not_made(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        put, ref = self.create(calendar)
        assert ref.href
        for requests in range(10):
            practitioner.note(ref.href, f"note {requests}")  # so the version we know is out of date
            try:
                with asking_first(_allow(requests)):
                    written(calendar.apply([again(put, ref, content(hours=2))]))
                break
            except LeaseLostError:
                assert self.shown(calendar, ref) == put.entry.content
        assert self.shown(calendar, ref) == content(hours=2)

    # The change feed

    def test_the_first_reading_is_a_full_listing(self, calendar: RemoteCalendar, practitioner: Practitioner) -> None:
        _, ref = self.create(calendar)
        practitioner.add(content(hours=4).span)
        feed = calendar.changes(None)
        assert feed.full
        assert feed.gone == ()
        assert len(feed.changed) == 2
        assert (ref.href, ref.etag) in {(event.href, event.etag) for event in feed.changed}

    def test_nothing_new_is_an_empty_answer(self, calendar: RemoteCalendar) -> None:
        self.create(calendar)
        feed = calendar.changes(calendar.changes(None).token)
        assert (feed.changed, feed.gone, feed.full) == ((), (), False)

    def test_our_own_write_comes_back_with_the_etag_it_was_given(self, calendar: RemoteCalendar) -> None:
        token = calendar.changes(None).token
        _, ref = self.create(calendar)
        feed = calendar.changes(token)
        assert [(event.href, event.etag) for event in feed.changed] == [(ref.href, ref.etag)]

    def test_only_what_changed_since_the_token_is_named(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        refs = [self.create(calendar, content(hours=n))[1] for n in range(4)]
        hrefs = [ref.href or "" for ref in refs]
        token = calendar.changes(None).token
        practitioner.note(hrefs[0], "a note")
        practitioner.delete(hrefs[1])
        practitioner.move(hrefs[2], content(hours=8).span)
        feed = calendar.changes(token)
        assert not feed.full
        assert {event.href for event in feed.changed} == {hrefs[0], hrefs[2]}
        assert feed.gone == (hrefs[1],)
        assert calendar.changes(feed.token).changed == ()

    def test_an_unknown_token_is_told_and_a_full_listing_recovers(self, calendar: RemoteCalendar) -> None:
        _, ref = self.create(calendar)
        with pytest.raises(SyncTokenExpiredError):
            calendar.changes(self.old_token(calendar))
        assert [event.href for event in calendar.changes(None).changed] == [ref.href]

    def old_token(self, calendar: RemoteCalendar) -> str:
        """Return a token this service does not know (any more)."""
        token = calendar.changes(None).token
        return token[:-8] + "00000000"

    # Listing

    def test_a_listing_finds_what_is_ours_wherever_it_was_moved_and_nothing_else(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        refs = [self.create(calendar, content(hours=2 * n, showing=showing))[1] for n, showing in enumerate(Showing)]
        practitioner.move(refs[1].href or "", content(hours=30).span)
        practitioner.add(content(hours=6).span)
        listed = {one.name: one for one in calendar.listing(NOON)}
        assert listed.keys() == {ref.name for ref in refs}
        assert all(one.marked for one in listed.values())
        sightings = calendar.read(refs)
        assert {name: one.sighting for name, one in listed.items()} == sightings

    def test_a_listing_leaves_out_what_has_ended_before(self, calendar: RemoteCalendar) -> None:
        self.create(calendar, content(hours=-48))
        _, under_way = self.create(calendar, content(hours=-0.5))
        assert [one.name for one in calendar.listing(NOON)] == [under_way.name]
        assert list(calendar.listing(NOON + timedelta(minutes=20))) == []

    def test_a_listing_finds_a_copy_that_has_kept_our_mark(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        _, ref = self.create(calendar)
        copy = practitioner.copy(ref.href or "")
        listed = calendar.listing(NOON)
        assert {(one.sighting.href, one.name, one.marked) for one in listed} == {
            (ref.href, ref.name, True),
            (copy, ref.name, True),
        }
        assert {one.sighting.content for one in listed} == {content()}
        assert {(event.href, event.name) for event in _one_by_one(calendar, DAY)} == {
            (ref.href, ref.name),
            (copy, ref.name),
        }

    def test_a_listing_finds_what_has_lost_our_mark_by_its_uid(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        _, ref = self.create(calendar)
        copy = practitioner.copy(ref.href or "", marked=False)
        assert [(one.sighting.href, one.name, one.marked) for one in calendar.listing(NOON)] == [
            (copy, ref.name, False)
        ]
        assert [(event.href, event.name) for event in _one_by_one(calendar, DAY)] == [(copy, ref.name)]

    @pytest.mark.parametrize("made", ["all day", "recurring"])
    def test_an_event_that_is_nothing_we_write_is_listed_without_content(
        self, calendar: RemoteCalendar, practitioner: Practitioner, made: str
    ) -> None:
        _, ref = self.create(calendar)
        make = practitioner.make_all_day if made == "all day" else practitioner.make_recurring
        make(ref.href or "")
        assert [(one.name, one.sighting.content) for one in calendar.listing(NOON)] == [(ref.name, None)]

    def test_a_calendar_that_is_not_there_is_not_listed_as_empty(self, service: Service) -> None:
        with pytest.raises(MissingError):
            service.account().open(service.missing_id).listing(NOON)

    # Free or busy

    def test_holds_and_sessions_keep_their_time_busy(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        contents = [content(hours=2 * n, showing=showing) for n, showing in enumerate(Showing)]
        for entry_content in contents:
            self.create(calendar, entry_content)
        practitioner.add(content(hours=6).span)
        practitioner.add(content(hours=8).span, busy=False)
        practitioner.add(content(hours=48).span)
        events = calendar.busy(DAY).times
        assert [event.span for event in events] == [
            *(entry_content.span for entry_content in contents),
            content(hours=6).span,
        ]

    def test_events_at_the_same_time_are_told_apart_by_their_href(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        refs = [self.create(calendar, content(showing=showing))[1] for showing in Showing]
        _, later = self.create(calendar, content(hours=2))
        foreign = practitioner.add(content().span)
        practitioner.add(content().span, busy=False)
        events = _one_by_one(calendar, DAY)
        assert {(event.span, event.href) for event in events} == {
            *((content().span, ref.href) for ref in refs),
            (content().span, foreign),
            (content(hours=2).span, later.href),
        }
        assert [event.span for event in events] == sorted(event.span for event in events)

    def test_an_event_of_ours_made_recurring_keeps_its_href_at_every_time(
        self, calendar: RemoteCalendar, practitioner: Practitioner
    ) -> None:
        _, ref = self.create(calendar)
        assert ref.href
        practitioner.make_recurring(ref.href)
        events = _one_by_one(calendar, Span.of(DAY.start, timedelta(days=8)))
        assert {event.href for event in events} == {ref.href}

    def test_an_empty_stretch_is_free(self, calendar: RemoteCalendar) -> None:
        self.create(calendar)
        self.assert_free(calendar.busy(content(hours=1).span).times)

    def assert_free(self, events: Sequence[object]) -> None:
        assert list(events) == []


def _allow(requests: int) -> Callable[[], None]:
    """Allow so many requests, and none after them."""
    left = iter(range(requests))

    def may_ask() -> None:
        if next(left, None) is None:
            raise LeaseLostError("another worker has the claim")

    return may_ask


def _one_by_one(calendar: RemoteCalendar, span: Span) -> Sequence[Busy]:
    return calendar.list_busy(span).times if isinstance(calendar, ListsBusy) else calendar.busy(span).times
