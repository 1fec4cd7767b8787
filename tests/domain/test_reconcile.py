from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.entry import Content, Entry, EntryKey, EntryKind, Showing
from connector.domain.reconcile import Action, Mirror, MirrorState, Put, Ref, Remove, kin, name_for, name_in, plan
from tests.domain.examples import when

CALENDAR = uuid4()
KEYS = [EntryKey(kind=kind, id=uuid4()) for kind in (EntryKind.SESSION, EntryKind.HOLD, EntryKind.HOLD)]


def entry(key: EntryKey, *, hours: float = 48) -> Entry:
    content = Content(span=when(hours).span, title="Session", location="", showing=Showing.CONFIRMED)
    return Entry(key=key, session_id=key.id, content=content)


def mirror(of: Entry, state: MirrorState = MirrorState.PRESENT, *, generation: int = 1, seen: str = "") -> Mirror:
    ref = Ref(name=name_for(CALENDAR, of.key, generation), generation=generation, href="/e.ics", etag='"1"')
    fingerprint = seen or of.content.fingerprint
    end = of.content.span.end
    return Mirror(key=of.key, session_id=of.session_id, ref=ref, seen=fingerprint, state=state, ends_at=end)


def applied(actions: list[Action], mirrors: dict[EntryKey, Mirror]) -> dict[EntryKey, Mirror]:
    for action in actions:
        match action:
            case Put() as put:
                mirrors[put.key] = Mirror(
                    key=put.key,
                    session_id=put.session_id,
                    ref=put.ref,
                    seen=put.entry.content.fingerprint,
                    state=MirrorState.PRESENT,
                    ends_at=put.entry.content.span.end,
                )
            case Remove(key=key):
                before = mirrors[key]
                mirrors[key] = Mirror(
                    key=key,
                    session_id=before.session_id,
                    ref=before.ref,
                    seen=None,
                    state=MirrorState.ABSENT,
                    ends_at=before.ends_at,
                )
    return mirrors


def test_an_unchanged_entry_is_left_alone() -> None:
    own = entry(KEYS[0])
    assert list(plan([own], [mirror(own)], calendar_id=CALENDAR)) == []


def test_every_put_comes_before_the_first_removal() -> None:
    moved, gone = entry(KEYS[0], hours=72), entry(KEYS[1])
    actions = list(plan([moved], [mirror(gone), mirror(entry(KEYS[0]))], calendar_id=CALENDAR))
    assert [type(action) for action in actions] == [Put, Remove]


def test_what_is_in_doubt_is_written_again_under_the_same_name() -> None:
    own = entry(KEYS[0])
    doubtful = mirror(own, MirrorState.UNKNOWN)
    (action,) = plan([own], [doubtful], calendar_id=CALENDAR)
    assert isinstance(action, Put)
    assert action.ref == doubtful.ref


def test_what_is_in_doubt_and_not_wanted_is_removed() -> None:
    (action,) = plan([], [mirror(entry(KEYS[0]), MirrorState.UNKNOWN)], calendar_id=CALENDAR)
    assert isinstance(action, Remove)


def test_what_was_deleted_comes_back_under_a_new_name() -> None:
    own = entry(KEYS[0])
    (action,) = plan([own], [mirror(own, MirrorState.ABSENT, generation=3)], calendar_id=CALENDAR)
    assert action.ref.generation == 4
    assert action.ref.name != name_for(CALENDAR, own.key, 3)
    assert action.ref.href is None


def test_a_name_is_different_in_every_calendar() -> None:
    assert name_for(uuid4(), KEYS[0], 1) != name_for(uuid4(), KEYS[0], 1)


def test_names_of_all_generations_of_an_entry_begin_alike_and_no_two_are_equal() -> None:
    names = [name_for(CALENDAR, KEYS[0], generation) for generation in (1, 2, 3, 200_000_000)]
    assert {kin(name) for name in names} == {kin(names[0])}
    assert len(set(names)) == len(names)
    assert [name_in(name) for name in names] == names  # each has the form of our names
    assert kin(name_for(CALENDAR, KEYS[1], 1)) != kin(names[0]) != kin(name_for(uuid4(), KEYS[0], 1))


HISTORY = st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(min_value=1, max_value=200)), max_size=6)


@given(HISTORY)
def test_any_plan_applied_leaves_nothing_to_do(history: list[dict[EntryKey, int]]) -> None:
    mirrors: dict[EntryKey, Mirror] = {}
    names: set[tuple[EntryKey, str]] = set()
    for hours_by_key in history:
        entries = [entry(key, hours=hours) for key, hours in hours_by_key.items()]
        actions = list(plan(entries, mirrors.values(), calendar_id=CALENDAR))
        for action in actions:
            before = mirrors.get(action.key)
            if isinstance(action, Put) and (before is None or before.state is MirrorState.ABSENT):
                assert (action.key, action.ref.name) not in names, "a spent name was used again"
            names.add((action.key, action.ref.name))
        mirrors = applied(actions, mirrors)
        assert list(plan(entries, mirrors.values(), calendar_id=CALENDAR)) == []
        present = {key for key, m in mirrors.items() if m.state is MirrorState.PRESENT}
        assert present == set(hours_by_key)
