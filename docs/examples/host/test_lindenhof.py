"""The platform's own tests: they pass as it is by itself, and with Pencilled in it or beside it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lindenhof import alone

PASSWORD = "under-the-trees"
QUICK = {"SECRET_KEY": "of the tests", "HASHING": "pbkdf2:sha256:1"}
_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
_TIME = re.compile(r'href="(/with/1/[^"]+)"')


class Visitor:
    """Somebody at a browser."""

    def __init__(self, app: Flask) -> None:
        self.http: FlaskClient = app.test_client()

    def get(self, path: str) -> str:
        """Open a page that is there, following where it leads."""
        answer = self.http.get(path, follow_redirects=True)
        assert answer.status_code == 200, answer.status
        return answer.text

    def post(self, path: str, *, page: str = "", **form: str) -> str:
        """Send the form of a page, and return what follows."""
        token = _TOKEN.search(self.get(page or path))
        assert token
        sent = self.http.post(path, data={"form_token": token[1], **form}, follow_redirects=True)
        return sent.text

    def sign_in(self, who: str) -> str:
        """Sign in as Kim, Alex or Robin."""
        return self.post("/sign-in", email=f"{who.lower()}@lindenhof.example", password=PASSWORD)

    def free(self) -> list[str]:
        """Return where each of Kim's free times is booked."""
        return _TIME.findall(self.get("/with/1"))


def begin(app: Flask) -> Flask:
    """Put Kim, Alex and Robin there."""
    done = app.test_cli_runner().invoke(args=["begin", "--password", PASSWORD])
    assert done.exit_code == 0, done.output
    return app


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """The platform with people in it."""
    return begin(alone.create_app(DATABASE=tmp_path / "lindenhof.sqlite3", TESTING=True, **QUICK))


class TestPlatform:
    """What holds for every visitor, whatever keeps the times."""

    def test_a_visitor_sees_who_gives_sessions_and_when_they_are_free(self, app: Flask) -> None:
        visitor = Visitor(app)
        assert "Kim Beispiel" in visitor.get("/")
        assert len(visitor.free()) > 20

    def test_whoever_books_signs_in_first_and_goes_on_from_there(self, app: Flask) -> None:
        alex = Visitor(app)
        time = alex.free()[0]
        asked = alex.http.get(time)
        assert asked.location.startswith("/sign-in?next=/with/1/")
        page = alex.post(asked.location, email="alex@lindenhof.example", password=PASSWORD)
        assert "Book this time?" in page

    def test_a_new_client_makes_an_account_and_books(self, app: Flask) -> None:
        mira = Visitor(app)
        mira.post("/join", name="Mira Neu", email="mira@client.example", password="long enough")
        time = mira.free()[4]
        assert "You are booked." in mira.post(time)
        at = datetime.fromisoformat(time.rpartition("/")[2].replace("%2B", "+"))
        assert f"{at:%A, %-d %B}, {at:%H:%M}" in mira.get("/bookings")

    def test_a_time_that_is_booked_is_free_no_longer(self, app: Flask) -> None:
        alex, other = Visitor(app), Visitor(app)
        alex.sign_in("Alex")
        time = alex.free()[0]
        alex.post(time)
        assert time not in other.free()
        other.post("/join", name="Mira Neu", email="mira@client.example", password="long enough")
        assert "Somebody was quicker" in other.post(time)
        assert "Nothing is booked" in other.get("/bookings")

    def test_a_client_cancels_and_the_time_is_free_again(self, app: Flask) -> None:
        alex = Visitor(app)
        alex.sign_in("Alex")
        time = alex.free()[0]
        alex.post(time)
        assert "The session is cancelled." in alex.post("/bookings/1/cancel", page="/bookings")
        assert "Cancelled" in alex.get("/bookings")
        assert time in alex.free()

    def test_a_practitioner_sees_their_sessions_and_others_see_none_of_them(self, app: Flask) -> None:
        alex, kim, mira = Visitor(app), Visitor(app), Visitor(app)
        alex.sign_in("Alex")
        alex.post(alex.free()[0])
        assert "for Alex Beispiel" in kim.sign_in("Kim")
        mira.post("/join", name="Mira Neu", email="mira@client.example", password="long enough")
        assert "Beispiel" not in mira.get("/bookings")
        assert mira.http.post("/bookings/1/cancel").status_code == 400
        assert "for Alex Beispiel" in Visitor(app).sign_in("Robin")

    def test_a_wrong_password_lets_nobody_in(self, app: Flask) -> None:
        visitor = Visitor(app)
        page = visitor.post("/sign-in", email="kim@lindenhof.example", password="wrong")
        assert "not a known address" in page
        assert visitor.http.get("/bookings").location.startswith("/sign-in")

    def test_nobody_is_led_elsewhere_by_a_link_to_the_sign_in_page(self, app: Flask) -> None:
        visitor = Visitor(app)
        answer = visitor.post("/sign-in?next=//evil.example/", email="alex@lindenhof.example", password=PASSWORD)
        assert "My bookings" in answer

    def test_a_form_from_elsewhere_is_refused(self, app: Flask) -> None:
        alex = Visitor(app)
        alex.sign_in("Alex")
        assert alex.http.post(alex.free()[0]).status_code == 400
        assert "Nothing is booked" in alex.get("/bookings")

    def test_signing_out_ends_it(self, app: Flask) -> None:
        alex = Visitor(app)
        alex.sign_in("Alex")
        alex.post("/sign-out", page="/")
        assert alex.http.get("/bookings").location.startswith("/sign-in")

    def test_every_page_keeps_the_platforms_own_policy(self, app: Flask) -> None:
        visitor = Visitor(app)
        for path in ("/", "/sign-in", "/join", "/static/lindenhof.css"):
            with visitor.http.get(path) as answer:
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
