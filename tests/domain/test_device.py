"""A browser has the name that its owner would give it, whatever else it says that it is like."""

from __future__ import annotations

import pytest

from connector.domain.device import Device

_LIKE = "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) {program}"


@pytest.mark.parametrize(
    ("system", "program", "named"),
    [
        ("Windows NT 10.0; Win64; x64", "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", ("Edge", "Windows")),
        ("Windows NT 10.0; Win64; x64", "Chrome/131.0.0.0 Safari/537.36", ("Chrome", "Windows")),
        ("Macintosh; Intel Mac OS X 10_15_7", "Version/18.1 Safari/605.1.15", ("Safari", "Mac")),
        ("iPhone; CPU iPhone OS 18_1 like Mac OS X", "CriOS/131.0 Mobile Safari/604.1", ("Chrome", "iPhone")),
        (
            "Linux; Android 14; SM-S911B",
            "SamsungBrowser/26.0 Chrome/122 Mobile Safari",
            ("Samsung Internet", "Android"),
        ),
        ("X11; Linux x86_64; rv:132.0", "Gecko/20100101 Firefox/132.0", ("Firefox", "Linux")),
        ("X11; CrOS x86_64 14541.0.0", "Chrome/131.0.0.0 Safari/537.36", ("Chrome", "ChromeOS")),
        ("", "", ("", "")),
    ],
)
def test_a_browser_has_a_plain_name(system: str, program: str, named: tuple[str, str]) -> None:
    device = Device.of(_LIKE.format(system=system, program=program))
    assert (device.program, device.system) == named


def test_nothing_is_kept_of_what_is_said_but_names_from_a_list() -> None:
    assert Device.of("Kim's own <browser> 1.0") == Device()
