"""Every choice an operator has, read once from the environment, every fault reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from connector import paths
from connector.domain.answering import AnswerPolicy
from connector.domain.connect_link import origin
from connector.domain.people import check_address, is_locale
from connector.errors import RuleError, SettingsError
from connector.language.offered import SHIPPED, normal
from connector.ports import Declaration, Registered, Registration

PREFIX = "CONNECTOR_"
SHORTEST_KEY = 32
HTTP_PORT = 80  # which no browser writes down
_LONGEST_SERVER_ID = 255
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _text(value: str) -> str:
    return value.strip()


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _languages(value: str) -> tuple[str, ...]:
    tags = tuple(map(normal, _names(value)))
    there = {file.stem for file in SHIPPED.glob("*.po")} | {"en"}
    if unknown := [tag for tag in tags if tag not in there]:
        raise ValueError(f"there is no catalogue for {', '.join(unknown)}; there is one for {', '.join(sorted(there))}")
    return tags


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(name) for name in _names(value))
    except ValueError as error:
        raise ValueError("write addresses or networks, such as 10.0.0.7 or 10.0.0.0/8") from error


def _pairs(value: str) -> Mapping[str, str]:
    pairs = {name.strip(): url.strip() for name, _, url in (part.partition("=") for part in _names(value))}
    if any(urlsplit(url).scheme not in {"http", "https"} for url in pairs.values()):
        raise ValueError("write name=url pairs, such as api=https://calendar.example")
    return pairs


def _duration(value: str) -> timedelta:
    number, unit = value.strip()[:-1], value.strip()[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or int(number) == 0:
        raise ValueError("use a whole number and a unit, such as 30s, 10m, 24h or 2d")
    return timedelta(**{_UNITS[unit]: int(number)})


def _maybe_duration(value: str) -> timedelta | None:
    return _duration(value) if value.strip() else None


def _flag(value: str) -> bool:
    flags = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if value.strip().lower() not in flags:
        raise ValueError("use true or false")
    return flags[value.strip().lower()]


def _count(value: str) -> int:
    if not value.strip().isascii() or not value.strip().isdigit():
        raise ValueError("use a whole number")
    return int(value)


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        scheme = urlsplit(value.strip()).scheme
        if scheme not in schemes:
            raise ValueError("begin with one of " + ", ".join(f"{s}://" for s in schemes))
        return value.strip().rstrip("/") if scheme in {"http", "https"} else value.strip()

    return read


def _maybe_url(*schemes: str) -> Callable[[str], str]:
    read = _url(*schemes)
    return lambda value: read(value) if value.strip() else ""


def _address(value: str) -> str:
    try:
        return check_address(value.strip())
    except RuleError as error:
        raise ValueError(str(error)) from error


def _maybe_address(value: str) -> str:
    return _address(value) if value.strip() else ""


def _locale(value: str) -> str:
    if not is_locale(value.strip()):
        raise ValueError("write it like en, de or en_GB")
    return value.strip()


def _keys(value: str) -> tuple[str, ...]:
    keys = _names(value)
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"each key has at least {SHORTEST_KEY} characters; `openssl rand -hex 32` makes a good one")
    return keys


def _maybe_token(value: str) -> str:
    token = value.strip()
    if token and (len(token) < SHORTEST_KEY or not token.isascii() or not token.isprintable() or " " in token):
        fault = f"use at least {SHORTEST_KEY} characters without blanks; `openssl rand -hex 32` makes a good one"
        raise ValueError(fault)
    return token


def _listen(value: str) -> str:
    host, _, port = value.strip().rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise ValueError("use host:port, such as 127.0.0.1:8080")
    return value.strip()


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.strip() not in allowed:
            raise ValueError("use one of " + ", ".join(allowed))
        return value.strip()

    return read


def _origins(value: str) -> tuple[str, ...]:
    try:
        found = tuple(map(origin, _names(value)))
    except ValueError as error:
        raise ValueError(f"write {error}") from error
    if wrong := [name for name in _names(value) if urlsplit(name).path.strip("/") or urlsplit(name).query]:
        raise ValueError(f"write origins alone, without a path: {', '.join(wrong)}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of the environment; `name` without CONNECTOR_."""

    name: str
    read: Callable[[str], Any]
    default: str
    meaning: str


def _server_id(text: str) -> str:
    if len(text) > _LONGEST_SERVER_ID or not re.fullmatch(r"[!-:<-~]*", text):
        raise ValueError("must be one word, as it stands first in Authentication-Results, such as mx.example.org")
    return text


def _setting(read: Callable[[str], Any], default: str, meaning: str) -> Any:
    metadata = {"read": read, "default": default, "meaning": meaning}
    return field(default_factory=lambda: read(default), metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings, each with its default; the variable of a field is `CONNECTOR_` and its name in capitals.

    `registrations` has what was set for each provider that declares a registration, by slug. Which providers there
    are is not known here: whoever reads the environment passes what they declare.
    """

    database_url: str = _setting(
        _url("sqlite", "postgresql"),
        "sqlite:///pencilled.sqlite3",
        "Where everything is kept: `sqlite:///path` (one machine) or `postgresql://…`.",
    )
    database_careful: bool = _setting(
        _flag, "false", "SQLite only: wait for the disk at every commit, so that even a power cut loses nothing."
    )
    broker_url: str = _setting(
        _url("memory", "redis", "rediss"),
        "memory://",
        "What carries wake-ups to the workers: `memory://` with SQLite, `redis://…` with PostgreSQL.",
    )
    secret_keys: tuple[str, ...] = _setting(
        _keys,
        "",
        "Keys that seal credentials and sign links, newest first, separated by commas. Left empty with SQLite, one is "
        "made and kept beside the database.",
    )
    witness_file: str = _setting(
        _text,
        "",
        "Where it is remembered how far the database had come, so that a restored one is noticed; keep it out of "
        "back-ups. Left empty, it is a file beside the SQLite database, or a key in the Redis of the broker.",
    )
    public_url: str = _setting(
        _maybe_url("http", "https"),
        "",
        "The address under which people reach the pages; empty: `http://` and where we listen, which is "
        "`http://127.0.0.1:8080` unless `CONNECTOR_LISTEN` says otherwise.",
    )
    listen: str = _setting(_listen, "127.0.0.1:8080", "Host and port to listen on.")
    trusted_proxies: int = _setting(
        _count, "0", "How many reverse proxies in front add X-Forwarded headers that may be believed."
    )
    proxy_networks: tuple[IPv4Network | IPv6Network, ...] = _setting(
        _networks,
        "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,fe80::/10",
        "From where these proxies connect, separated by commas: X-Forwarded headers of anybody else count for nothing.",
    )
    smtp_url: str = _setting(
        _url("smtp", "smtp+starttls", "smtps"),
        "smtp://127.0.0.1:25",
        "The mail server: `smtp://`, `smtp+starttls://` or `smtps://`, with `user:password@` if it asks for one.",
    )
    mail_from: str = _setting(
        _address, "pencilled@localhost", "The address invitations come from, and that clients' calendars know us by."
    )
    sms_url: str = _setting(
        _text,
        "",
        "The gateway of texts to phones, such as `twilio://SID:token@?from=+15005550006`; empty: nobody is texted. "
        "docs/operating.md tells the URL of each; one of your own (`json+https://…`) should say with `ok=` what its "
        "answer to a text that was taken holds.",
    )
    brand: str = _setting(_text, "Pencilled", "What the pages and letters call this service.")
    languages: tuple[str, ...] = _setting(
        _languages,
        "en,de",
        "Languages people are told things in, separated by commas. Whoever reads none of them is told in English.",
    )
    offer_window: timedelta = _setting(_duration, "24h", "How long a client has to answer an offer.")
    cancel_before: timedelta | None = _setting(
        _maybe_duration,
        "",
        "Until how long before a session its client may cancel it on their page of it, such as `24h`; empty: not "
        "there, only in answer to an offer.",
    )
    draft_reminder: timedelta = _setting(
        _duration, "4h", "After how long the practitioner is reminded, once, of an offer not yet sent."
    )
    poll_open: timedelta = _setting(
        _duration, "30s", "How often a calendar is looked at while one of its practitioner's offers is open."
    )
    poll_idle: timedelta = _setting(_duration, "10m", "How often a calendar is looked at otherwise.")
    settling: timedelta = _setting(
        _duration, "60s", "How long what a practitioner does in their calendar must last before it counts."
    )
    move_answer: timedelta = _setting(
        _duration,
        "30m",
        "After how long the client is asked about a session moved in a calendar, if the practitioner says nothing.",
    )
    delete_answer: timedelta = _setting(
        _duration,
        "24h",
        "After how long a session deleted in a calendar is put back, if the practitioner says nothing.",
    )
    clash_on_accept: str = _setting(
        _one_of("warn", "refuse"),
        "warn",
        "What happens when a client accepts a time at which something stands in another calendar of the practitioner: "
        "`warn` accepts and warns, `refuse` has the client choose another time.",
    )
    answer_policy: str = _setting(
        _one_of(*AnswerPolicy),
        "link",
        "What proves that it is the client who answers an offer: `link` (whoever has the link), `code` (and types a "
        "code that is sent by the other medium, or by the same one where there is no other), or `host` (and is signed "
        "in at the booking platform, which says so).",
    )
    host_sign_in_url: str = _setting(
        _maybe_url("http", "https"),
        "",
        "Where the booking platform signs clients in who are to answer an offer; `offer=` and its id is added. For "
        "`CONNECTOR_ANSWER_POLICY=host` where the platform runs in a process of its own.",
    )
    assertion_keys: tuple[str, ...] = _setting(
        _keys,
        "",
        "Keys shared with that platform, with which it signs who is signed in there, separated by commas: several "
        "while they are changed.",
    )
    operator_mail: str = _setting(
        _maybe_address,
        "",
        "Who is mailed when a calendar is stopped because it looks wrong, a service refuses this installation, or the "
        "database was restored; empty: only logged.",
    )
    operator_locale: str = _setting(
        _locale, "en", "In which language they are mailed, and how dates are written: en, de, en_GB, …"
    )
    mailbox_url: str = _setting(
        _maybe_url("imaps", "imap+starttls", "imap"),
        "",
        "The mailbox to which what is written to `CONNECTOR_MAIL_FROM` is delivered, and that nobody else uses: "
        "`imaps://user:password@host/INBOX`, or `imap+starttls://` or `imap://`; empty: none is read.",
    )
    mail_server_id: str = _setting(
        _server_id,
        "",
        "How the mail server of that mailbox calls itself in Authentication-Results; its word then proves who wrote an "
        "answer. It must remove such headers of others under its name. Empty: signatures alone prove it.",
    )
    mail_secret: str = _setting(
        _maybe_token,
        "",
        "With what a mail gateway signs the raw mails it posts to `/hooks/mail`, as Standard Webhooks says; empty: "
        "none is taken in so.",
    )
    mail_gateway_id: str = _setting(
        _server_id,
        "",
        "How that gateway calls itself in Authentication-Results, if it writes them and removes those of others under "
        "its name; empty: signatures alone prove who wrote what it posts.",
    )
    mailgun_key: str = _setting(
        _maybe_token,
        "",
        "The signing key of the Mailgun account whose route posts raw mails to `/hooks/mail`; or empty.",
    )
    sign_in: timedelta = _setting(
        _duration,
        "15m",
        "How long a mailed sign-in link can be used; the last of five within an hour until the next can be mailed.",
    )
    providers: tuple[str, ...] = _setting(_names, "", "Calendar services in use, separated by commas.")
    registrations: Mapping[str, Registered] = field(default_factory=dict)
    inner_hosts: tuple[str, ...] = _setting(
        _names, "", "Calendar hosts inside your own network that may be reached, separated by commas."
    )
    return_origins: tuple[str, ...] = _setting(
        _origins,
        "",
        "Origins to which practitioners may be sent back once they have gone through a connect link of the API, such "
        "as `https://app.example.org`, separated by commas; empty: there are no connect links.",
    )
    worker_threads: int = _setting(_count, "8", "Threads that carry out due work, in each process that does.")
    lane_limit: int = _setting(
        _count,
        "4",
        "How many of those may wait for one calendar server or account at the same time, in all processes together.",
    )
    api_rate: int = _setting(
        _count, "600", "How many requests a minute each key of the API may make; beyond that it is answered 429."
    )
    metrics_token: str = _setting(
        _maybe_token,
        "",
        "Who shows it as a bearer token may read `/metrics`. Left empty, they can be read on the machine itself alone, "
        "and only while `CONNECTOR_PUBLIC_URL` leads to it and no proxy is trusted.",
    )
    log_level: str = _setting(_one_of("debug", "info", "warning", "error"), "info", "How much is logged.")
    log_format: str = _setting(_one_of("console", "json"), "console", "Lines for people, or JSON for machines.")

    def __post_init__(self) -> None:
        """Fill in the public address where none is set."""
        if not self.public_url:
            object.__setattr__(self, "public_url", address_of(self.listen))  # the class is frozen for everybody else

    @classmethod
    def from_env(cls, environ: Mapping[str, str], declared: Sequence[Declaration]) -> Self:
        """Read the settings from `CONNECTOR_*`; a name ending in `_FILE` names a file that holds the value.

        Args:
            environ: The environment.
            declared: What the providers there are say of themselves.
        Raises: SettingsError naming every unknown name and unusable value.
        """
        by_name = {PREFIX + variable.name: variable for variable in variables(declared)}
        values = {name: variable.read(variable.default) for name, variable in by_name.items()}
        values |= _values(environ, by_name)
        plain = {f.name: values[PREFIX + f.name.upper()] for f in fields(cls) if f.metadata}
        settings = cls(**plain, registrations=dict(_registrations(values, declared)))
        faults = _contradictions(settings, declared)
        if faults:
            raise SettingsError(faults)
        return settings

    @property
    def embedded(self) -> bool:
        """Whether everything is on one machine, on SQLite."""
        return self.database_url.startswith("sqlite")

    @property
    def answers_read(self) -> bool:
        """Whether somebody reads what clients' mail programs send back."""
        return bool(self.mailbox_url or self.mail_secret or self.mailgun_key)

    @property
    def for_this_machine(self) -> bool:
        """Whether the public address leads nowhere but to the machine of whoever opens it."""
        host = urlsplit(self.public_url).hostname
        try:
            return ip_address(host or "").is_loopback
        except ValueError:  # a name
            return host == "localhost"


def _values(environ: Mapping[str, str], by_name: Mapping[str, Variable]) -> Mapping[str, Any]:
    """Return what the environment sets, by full name.

    Raises: SettingsError naming every fault at once.
    """
    faults, values = [], dict[str, Any]()
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(PREFIX + "TEST_"):
            continue
        base = name if name in by_name else name.removesuffix("_FILE")
        try:
            text = _raw_text(name, base, environ, by_name)
            values[base] = by_name[base].read(text)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise SettingsError(faults)
    return values


def _raw_text(name: str, base: str, environ: Mapping[str, str], by_name: Mapping[str, Variable]) -> str:
    """Return the text that a name sets for the variable `base`, from a file where the two differ.

    Raises: ValueError saying what is wrong.
    """
    if base not in by_name:
        raise ValueError("there is no such setting")
    if base == name:
        return environ[name]
    if base in environ:
        raise ValueError(f"{base} is set as well; keep one of them")
    try:
        return Path(environ[name]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from error


def variables(declared: Sequence[Declaration]) -> tuple[Variable, ...]:
    """Return every variable there is, in the order of the README; those of registrations by provider."""
    listing: list[Variable] = []
    for f in fields(Settings):
        if f.name == "registrations":
            listing += [item for declaration in declared for item in _variables_of(declaration.registration)]
            continue
        variable = Variable(name=f.name.upper(), **f.metadata)
        by_default = ",".join(declaration.slug for declaration in declared if declaration.by_default)
        listing.append(replace(variable, default=by_default) if f.name == "providers" else variable)
    return tuple(listing)


def address_of(listen: str) -> str:
    """Return the address under which a browser on this machine reaches what listens on `host:port`.

    Listening on every address (0.0.0.0, [::]) is reached on the loopback of the same family.
    """
    name, _, port = listen.rpartition(":")
    host = _loopback_for(name.strip("[]"))
    place = f"[{host}]" if ":" in host else host
    return f"http://{place}" if int(port) == HTTP_PORT else f"http://{place}:{int(port)}"


def _loopback_for(host: str) -> str:
    if host == "*":
        return "127.0.0.1"
    try:
        ip = ip_address(host)
    except ValueError:  # a name
        return host
    if not ip.is_unspecified:
        return host
    return "::1" if ip.version == 6 else "127.0.0.1"  # noqa: PLR2004 - the version of the protocol


def table(declared: Sequence[Declaration]) -> str:
    """Return the settings as the Markdown table of the README."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for variable in variables(declared):
        default = f"`{variable.default}`" if variable.default else "(empty)"
        rows.append(f"| `{PREFIX}{variable.name}` | {default} | {variable.meaning} |")
    return "\n".join(rows)


def _variables_of(registration: Registration | None) -> tuple[Variable, ...]:
    if registration is None:
        return ()
    prefix, service = registration.prefix, registration.service
    urls = f"Other addresses for {service}, as `name=url` pairs separated by commas; for tests and gateways."
    return (
        Variable(name=f"{prefix}_CLIENT_ID", read=_text, default="", meaning=registration.client_id),
        Variable(name=f"{prefix}_CLIENT_SECRET", read=_text, default="", meaning="Its client secret."),
        Variable(name=f"{prefix}_URLS", read=_pairs, default="", meaning=urls),
    )


def _registrations(values: Mapping[str, Any], declared: Sequence[Declaration]) -> Iterator[tuple[str, Registered]]:
    """Yield what is set for each provider with a registration, by slug."""
    for declaration in declared:
        if declaration.registration is not None:
            start = f"{PREFIX}{declaration.registration.prefix}_"
            registered = Registered(
                client_id=values[f"{start}CLIENT_ID"],
                client_secret=values[f"{start}CLIENT_SECRET"],
                urls=values[f"{start}URLS"],
            )
            yield declaration.slug, registered


def _mail_contradictions(settings: Settings) -> Iterator[str]:
    """Say which server is named of a door that nothing comes in by: its word counts at no other."""
    if settings.mail_server_id and not settings.mailbox_url:
        yield (
            "CONNECTOR_MAIL_SERVER_ID: it is about CONNECTOR_MAILBOX_URL, so set that, too; of a gateway "
            "that posts mail, set CONNECTOR_MAIL_GATEWAY_ID"
        )
    if settings.mail_gateway_id and not settings.mail_secret:
        yield "CONNECTOR_MAIL_GATEWAY_ID: it is about mail signed with CONNECTOR_MAIL_SECRET, so set that, too"


def _answer_contradictions(settings: Settings) -> Iterator[str]:
    """Say what is missing for a host to say who is present."""
    if settings.host_sign_in_url and not settings.assertion_keys:
        yield "CONNECTOR_ASSERTION_KEYS: needed with CONNECTOR_HOST_SIGN_IN_URL, since sign-ins are signed"
    if settings.assertion_keys and not settings.host_sign_in_url:
        yield "CONNECTOR_HOST_SIGN_IN_URL: needed with CONNECTOR_ASSERTION_KEYS, since clients have to be sent there"


def _contradictions(settings: Settings, declared: Sequence[Declaration]) -> list[str]:
    """Say which settings do not go together, or leave out what others need."""
    faults = []
    if not settings.embedded and not settings.secret_keys:
        faults.append("CONNECTOR_SECRET_KEYS: needed with PostgreSQL, since several processes share it")
    if settings.embedded and settings.broker_url != "memory://":
        faults.append("CONNECTOR_BROKER_URL: SQLite needs no broker, so leave this at memory://")
    if not settings.embedded and settings.broker_url == "memory://":
        faults.append("CONNECTOR_BROKER_URL: with PostgreSQL, name a Redis server: redis://host:6379/0")
    first = urlsplit(settings.public_url).path.removeprefix("/").partition("/")[0]
    if first in paths.OWN:
        faults.append(
            f"CONNECTOR_PUBLIC_URL: pages of ours begin with /{first}, so nothing can be served under it; use another "
            "path, such as /pencilled, or none"
        )
    if settings.worker_threads < 1 or settings.lane_limit < 1:
        faults.append("CONNECTOR_WORKER_THREADS, CONNECTOR_LANE_LIMIT: at least 1")
    faults += _mail_contradictions(settings)
    faults += _answer_contradictions(settings)
    for declaration in declared:
        if declaration.registration is not None:
            faults += declaration.registration.faults(settings.registrations[declaration.slug])
    if not settings.providers:
        example = next(declaration.slug for declaration in declared if declaration.by_default)
        faults.append(f"CONNECTOR_PROVIDERS: name at least one, such as {example}")
    return faults
