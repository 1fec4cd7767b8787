"""One form of an address, however a server writes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.caldav.dav import canonical

BASE = "https://calendars.example:8443/dav/kim/work/"
SEGMENT = st.text("abzAZ019@:!$&'()*+,=~._-", min_size=1)


@given(st.lists(SEGMENT, min_size=1).filter(lambda names: not {".", ".."} & set(names)), st.sampled_from(["", "/"]))
def test_an_address_has_one_form_however_it_is_written(names: list[str], end: str) -> None:
    plain = "/" + "/".join(names) + end
    encoded = "".join(one if one == "/" else f"%{ord(one):02X}" for one in plain)
    assert canonical(plain, BASE) == canonical(encoded, BASE) == plain
    assert canonical(f"https://calendars.example:8443{plain}", BASE) == plain


def test_places_on_the_way_are_left_out_of_an_address() -> None:
    assert canonical("/dav/kim/../kim/./work/a.ics", BASE) == "/dav/kim/work/a.ics"
    assert canonical("a.ics", BASE) == "/dav/kim/work/a.ics"
    assert canonical("//other.example/a.ics", BASE) == "https://other.example/a.ics"
