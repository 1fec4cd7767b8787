"""Every choice an operator has is read once, and everything wrong with it is told at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import click
import pytest

from connector.app import read_settings
from connector.cli import main
from connector.errors import SettingsError
from connector.ports import Declaration, Registered, Registration
from connector.settings import PREFIX, Settings, table, variables
from providers import declared

README = Path(__file__).parent.parent / "README.md"
KEY = "k" * 32
DISTRIBUTED = {
    "CONNECTOR_DATABASE_URL": "postgresql://pencilled@db/pencilled",
    "CONNECTOR_BROKER_URL": "redis://redis:6379/0",
    "CONNECTOR_SECRET_KEYS": KEY,
}


def faults(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    return caught.value.faults


def test_nothing_has_to_be_set() -> None:
    settings = read_settings({})
    assert settings.embedded
    assert settings.offer_window == timedelta(hours=24)
    assert settings.providers == tuple(one.slug for one in declared() if one.by_default)
    assert settings.registrations == {one.slug: Registered() for one in declared() if one.registration}
    assert replace(settings, providers=(), registrations={}) == Settings()


def test_other_programs_variables_are_left_alone() -> None:
    others = {"HOME": "/root", "CONNECTOR": "x", "CONNECTOR_TEST_POSTGRESQL_URL": "y"}
    assert read_settings(others) == read_settings({})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("database_url", " sqlite:////var/lib/p.sqlite3 ", "sqlite:////var/lib/p.sqlite3"),
        ("database_careful", "YES", True),
        ("database_careful", "0", False),
        ("secret_keys", f" {KEY}a , {KEY}b ", (f"{KEY}a", f"{KEY}b")),
        ("public_url", "https://pencilled.example.org/", "https://pencilled.example.org"),
        ("listen", " [::1]:8080 ", "[::1]:8080"),
        ("trusted_proxies", " 2 ", 2),
        ("smtp_url", "smtps://mail.example.org", "smtps://mail.example.org"),
        ("mail_from", " sessions@example.org ", "sessions@example.org"),
        ("brand", " Praxis Süd ", "Praxis Süd"),
        ("languages", " EN , de ", ("en", "de")),
        ("offer_window", "90m", timedelta(minutes=90)),
        ("draft_reminder", " 2d ", timedelta(days=2)),
        ("poll_open", "5s", timedelta(seconds=5)),
        ("poll_idle", "1h", timedelta(hours=1)),
        ("providers", "caldav, memory,", ("caldav", "memory")),
        ("inner_hosts", "nextcloud.lan , 10.0.0.7", ("nextcloud.lan", "10.0.0.7")),
        ("worker_threads", "16", 16),
        ("log_level", "debug", "debug"),
        ("log_format", "json", "json"),
    ],
)
def test_a_value_is_read_as_what_it_means(name: str, text: str, value: object) -> None:
    assert getattr(read_settings({PREFIX + name.upper(): text}), name) == value


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("localhost:9000", "http://localhost:9000"),
        ("192.0.2.7:9000", "http://192.0.2.7:9000"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("*:8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[2001:db8::7]:8080", "http://[2001:db8::7]:8080"),
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("[::]:80", "http://[::1]"),
    ],
)
def test_people_reach_the_pages_where_we_listen_unless_told_otherwise(listen: str, address: str) -> None:
    assert Settings.from_env({"CONNECTOR_LISTEN": listen}, declared()).public_url == address


def test_the_public_address_that_is_set_stays_whatever_we_listen_on() -> None:
    settings = {"CONNECTOR_LISTEN": "0.0.0.0:9000", "CONNECTOR_PUBLIC_URL": "https://pencilled.example.org"}
    assert Settings.from_env(settings, declared()).public_url == "https://pencilled.example.org"


def test_a_public_address_that_is_empty_is_not_set() -> None:
    assert Settings.from_env({"CONNECTOR_PUBLIC_URL": " "}, declared()).public_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("database_url", "mysql://db", "sqlite://"),
        ("database_careful", "perhaps", "true or false"),
        ("broker_url", "amqp://mq", "redis://"),
        ("secret_keys", "short", "at least 32 characters"),
        ("public_url", "pencilled.example.org", "https://"),
        ("listen", "8080", "host:port"),
        ("listen", "localhost:http", "host:port"),
        ("listen", "localhost:80²", "host:port"),
        ("trusted_proxies", "-1", "whole number"),
        ("smtp_url", "mail.example.org", "smtp://"),
        ("mail_from", "Kim <kim@example.org>", "e-mail address"),
        ("languages", "en, tlh", "there is one for de, en"),
        ("offer_window", "24", "24h"),
        ("offer_window", "0h", "24h"),
        ("offer_window", "-3h", "24h"),
        ("offer_window", "", "24h"),
        ("poll_idle", "1.5h", "10m"),
        ("microsoft_urls", "graph.example", "name=url"),
        ("worker_threads", "many", "whole number"),
        ("proxy_networks", "10.0.0.7/8", "addresses or networks"),
        ("proxy_networks", "proxy", "addresses or networks"),
        ("log_level", "loud", "one of debug"),
        ("log_format", "xml", "console, json"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_with_one_that_would(name: str, text: str, advice: str) -> None:
    [fault] = faults({PREFIX + name.upper(): text})
    assert fault.startswith(f"{PREFIX}{name.upper()}: ")
    assert advice in fault


def test_every_fault_is_told_at_once() -> None:
    told = faults({"CONNECTOR_LISTEN": "x", "CONNECTOR_COLOUR": "red", "CONNECTOR_LOG_LEVEL": "loud"})
    assert [fault.partition(":")[0] for fault in told] == [
        "CONNECTOR_COLOUR",
        "CONNECTOR_LISTEN",
        "CONNECTOR_LOG_LEVEL",
    ]
    assert str(SettingsError(told)).count("\n") == 3


def test_a_fault_never_quotes_a_secret() -> None:
    told = faults({"CONNECTOR_SECRET_KEYS": "hunter2", "CONNECTOR_SMTP_URL": "user:hunter2@mail"})
    assert "hunter2" not in str(told)


def test_a_value_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n")
    assert read_settings({"CONNECTOR_SECRET_KEYS_FILE": str(tmp_path / "keys")}).secret_keys == (KEY,)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    [fault] = faults({"CONNECTOR_SECRET_KEYS_FILE": str(tmp_path / "none")})
    assert "cannot be read" in fault


def test_a_value_stands_in_one_place_only(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEY)
    [fault] = faults({"CONNECTOR_SECRET_KEYS": KEY, "CONNECTOR_SECRET_KEYS_FILE": str(tmp_path / "keys")})
    assert "keep one of them" in fault


def test_a_file_of_a_setting_there_is_not_is_a_fault() -> None:
    [fault] = faults({"CONNECTOR_COLOUR_FILE": "/etc/colour"})
    assert "no such setting" in fault


def test_postgresql_and_redis_go_together() -> None:
    settings = read_settings(DISTRIBUTED)
    assert not settings.embedded
    told = faults({"CONNECTOR_DATABASE_URL": "postgresql://db/pencilled"})
    assert [fault.partition(":")[0] for fault in told] == ["CONNECTOR_SECRET_KEYS", "CONNECTOR_BROKER_URL"]
    [fault] = faults({"CONNECTOR_BROKER_URL": "redis://redis"})
    assert "memory://" in fault


@pytest.mark.parametrize("name", ["worker_threads", "lane_limit"])
def test_work_needs_a_thread_and_a_seat(name: str) -> None:
    [fault] = faults({PREFIX + name.upper(): "0"})
    assert "at least 1" in fault


@pytest.mark.parametrize(("slug", "prefix"), [("google", "GOOGLE"), ("outlook", "MICROSOFT")])
def test_a_registration_is_read_under_the_prefix_its_provider_declares(slug: str, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    settings = read_settings(
        {
            f"CONNECTOR_{prefix}_CLIENT_ID": " id ",
            f"CONNECTOR_{prefix}_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
            f"CONNECTOR_{prefix}_URLS": "api=http://127.0.0.1:1, token=https://t.example",
        }
    )
    urls = {"api": "http://127.0.0.1:1", "token": "https://t.example"}
    assert settings.registrations[slug] == Registered(client_id="id", client_secret="hunter2", urls=urls)
    assert "hunter2" not in repr(settings)


def test_a_prefix_nobody_declares_is_a_fault_beside_all_others() -> None:
    told = faults({"CONNECTOR_NOTES_CLIENT_ID": "id", "CONNECTOR_LISTEN": "x", "CONNECTOR_GOOGLE_URLS": "x"})
    assert [fault.partition(":")[0] for fault in told] == [
        "CONNECTOR_GOOGLE_URLS",
        "CONNECTOR_LISTEN",
        "CONNECTOR_NOTES_CLIENT_ID",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Public(Registration):
    """A service whose registrations have no secret."""

    def faults(self, registered: Registered) -> tuple[str, ...]:
        return (f"CONNECTOR_{self.prefix}_CLIENT_SECRET: there is none",) if registered.client_secret else ()


def test_a_provider_checks_its_own_registration() -> None:
    public = Public(prefix="NOTES", service="Notes", client_id="An id.")
    notes = (Declaration(slug="notes", registration=public),)
    found = Settings.from_env({"CONNECTOR_NOTES_CLIENT_ID": "id"}, notes)
    assert found.registrations == {"notes": Registered(client_id="id")}
    assert found.providers == ("notes",)
    with pytest.raises(SettingsError, match="there is none"):
        Settings.from_env({"CONNECTOR_NOTES_CLIENT_ID": "id", "CONNECTOR_NOTES_CLIENT_SECRET": "x"}, notes)


def test_no_two_settings_have_the_same_name() -> None:
    names = [variable.name for variable in variables(declared())]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("service", ["GOOGLE", "MICROSOFT"])
def test_a_registration_is_whole_or_not_there(service: str) -> None:
    [fault] = faults({f"CONNECTOR_{service}_CLIENT_ID": "id"})
    assert "set both or none" in fault


def test_a_calendar_service_has_to_be_in_use() -> None:
    [fault] = faults({"CONNECTOR_PROVIDERS": " , "})
    assert "caldav" in fault


def test_every_setting_says_what_it_means() -> None:
    assert all(variable.meaning.endswith((".", "…")) for variable in variables(declared()))


def test_the_readme_has_the_table_of_the_settings() -> None:
    written = README.read_text(encoding="utf-8").partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    assert written.strip() == table(declared())


def test_the_readme_shows_commands_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sessions.csv").touch()  # which the README has people write
    shown = list(_commands(README.read_text(encoding="utf-8")))
    assert shown
    for line in shown:
        words = list(line)
        command: click.Command = main
        context = click.Context(main, info_name="pencilled")
        while isinstance(command, click.Group):
            found = command.get_command(context, words[0])
            assert found is not None, line
            command = found
            del words[0]
        command.make_context(command.name, words, parent=context)


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of every line of a shell block that runs the product."""
    for block in text.split("```sh\n")[1:]:
        for line in block.partition("```")[0].replace("\\\n", " ").splitlines():
            if line.startswith("pencilled "):
                words = shlex.split(line, comments=True)[1:]
                yield [word for word in words if word != "&"]


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("CONNECTOR_MAILBOX_URL", "imaps://kim:secret@mail.example", True),
        ("CONNECTOR_MAIL_SECRET", "s" * 32, True),
        ("CONNECTOR_MAILGUN_KEY", "k" * 32, True),
        ("CONNECTOR_OPERATOR_MAIL", "kim@mail.example", False),
    ],
)
def test_answers_are_read_where_a_mailbox_or_a_gateway_of_mail_is_in_use(
    variable: str,
    value: str,
    read: bool,  # noqa: FBT001
) -> None:
    assert Settings.from_env({variable: value}, declared()).answers_read is read
    assert not Settings.from_env({}, declared()).answers_read


def test_a_mailbox_s_password_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("imaps://kim:secret@mail.example/INBOX\n")
    read = Settings.from_env({"CONNECTOR_MAILBOX_URL_FILE": str(tmp_path / "url")}, declared())
    assert read.mailbox_url == "imaps://kim:secret@mail.example/INBOX"


@pytest.mark.parametrize(
    ("variable", "door", "value"),
    [
        ("CONNECTOR_MAIL_SERVER_ID", "CONNECTOR_MAILBOX_URL", "imaps://kim:secret@mail.example"),
        ("CONNECTOR_MAIL_GATEWAY_ID", "CONNECTOR_MAIL_SECRET", "s" * 32),
    ],
)
def test_a_server_whose_word_counts_is_named_of_a_door_that_is_in_use(variable: str, door: str, value: str) -> None:
    named = {variable: "mx.example"}
    with pytest.raises(SettingsError, match=rf"{variable}: .*{door}"):
        Settings.from_env(named, declared())
    assert Settings.from_env(named | {door: value}, declared())
