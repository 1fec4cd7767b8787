"""The composition root: settings become a runtime, and a runtime an application. Only here are adapters known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import providers
from connector import paths
from connector.counts import Counts, FileCounts, RedisCounts
from connector.domain.answering import AnswerPolicy
from connector.domain.people import Medium
from connector.errors import RuleError, SettingsError, TransientError
from connector.language.offered import Languages
from connector.outbox import http, smtp
from connector.outbox.keys import DnsKeys
from connector.outbox.media import MediaSender
from connector.outbox.outcomes import LARGEST, TIMEOUT, HttpPoster
from connector.outbox.sms.gateways import Gateway, open_gateway
from connector.outbox.sms.library import Library
from connector.outbox.smtp import SmtpSender
from connector.ports import Clock, Network, NotSentError, OAuthApp, Provider, ReplyMailbox, Sender, Witness
from connector.runtime import Runtime
from connector.sentence import Sentence
from connector.services import standstill, texts
from connector.services.policy import Policy
from connector.settings import Settings
from connector.storage import keys
from connector.storage.clock import DatabaseClock
from connector.storage.database import Database, read_url
from connector.storage.seal import Seal
from connector.witnesses import FileWitness, RedisWitness

if TYPE_CHECKING:
    from flask import Flask

    from connector.web.framing import Frame
    from connector.web.presence import Presence
    from connector.work.engine import Engine

CHECK_TIMEOUT = timedelta(seconds=5)
READY_TIMEOUT = timedelta(seconds=2)  # whoever asks for readiness waits no longer than a few seconds


def process_clock() -> datetime:
    """Return now by this machine's own clock, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251 - SQLite's clock is this one, and PostgreSQL's is compared with it


def system_clock() -> datetime:
    """Return now by this machine's own clock, aware UTC, whole seconds."""
    return process_clock().replace(microsecond=0)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings, those of every provider's registration among them.

    Raises: SettingsError.
    """
    return Settings.from_env(environ, providers.declared())


def typed_provider() -> str:
    """Return the slug of the provider that is meant where access is typed in and none is named."""
    return next(
        declaration.slug
        for declaration in providers.declared()
        if declaration.by_default and declaration.registration is None
    )


def build(settings: Settings, *, clock: Clock | None = None) -> Runtime:
    """Put an installation together; opens nothing but the database file, and migrates nothing.

    Its clock is the database's, whatever the clock of this machine shows, unless another is given.

    Raises: SettingsError; RuleError if the key of a database that needs it is missing.
    """
    database = Database(settings.database_url, careful=settings.database_careful)
    database_clock = None if database.embedded else DatabaseClock(database, process=process_clock)
    inner_hosts = frozenset(host.lower() for host in settings.inner_hosts)
    seal = Seal(_keys(settings, database))
    gateway = _gateway(settings, inner_hosts) if settings.sms_url else None
    network = Network(inner_hosts=inner_hosts, apps=dict(_apps(settings)), clock=database_clock)
    return Runtime(
        settings=settings,
        database=database,
        seal=seal,
        policy=_policy(settings),
        network=network,
        sender=_media(settings, gateway, seal),
        texts=gateway.signing if gateway else None,
        clock=clock or database_clock or system_clock,  # where the database is a file, its clock is this machine's
        load_provider=partial(_load_provider, settings),
        check_broker=None if database.embedded else partial(check_broker, settings, timeout=READY_TIMEOUT),
        witness=_witness(settings),
        keys=DnsKeys(),
        mailbox=_mailbox(settings) if settings.mailbox_url else None,
        counts=shared_counts(settings, seal),
        poster=HttpPoster(reach=http.Reach(inner_hosts=inner_hosts, timeout=TIMEOUT, largest=LARGEST, cuts=True)),
    )


def create_app(
    runtime: Runtime,
    *,
    presence: Presence | None = None,
    frame: Frame | None = None,
    overrides: Path | None = None,
) -> Flask:
    """Make the web application: the pages, the health checks, the API, and the door for push notifications.

    `presence` says who of a host's users makes a request, where a host runs in this process.

    Raises: SettingsError if a language cannot be spoken, or nobody can say which client is present.

    Args:
        runtime: The installation.
        presence: Says who of a host's users makes a request, where a host runs in this process.
        frame: The layout of that host, for our pages.
        overrides: A folder with templates that take the place of ours.
    Raises: SettingsError if a language cannot be spoken.
    """
    import webhooks  # noqa: PLC0415 - commands that serve nothing import no web framework
    from connector import api  # noqa: PLC0415 - as above
    from connector.web import pages  # noqa: PLC0415 - as above

    runtime.languages.check()
    faults = answer_faults(runtime.settings, names_clients=presence is not None and presence.names_clients)
    if faults:
        raise SettingsError(faults)
    application = pages.create(runtime, within=api.within(runtime), presence=presence, frame=frame, overrides=overrides)
    notifications = webhooks.blueprint(runtime)
    application.extensions["csrf"].exempt(notifications)
    application.register_blueprint(notifications)
    return application


def answer_faults(settings: Settings, *, names_clients: bool) -> list[str]:
    """Say what is missing for somebody to say which client is present, where an answer needs that.

    `names_clients`: a host in this process does.
    """
    if settings.answer_policy != AnswerPolicy.HOST or names_clients or settings.assertion_keys:
        return []
    fault = (
        "CONNECTOR_HOST_SIGN_IN_URL, CONNECTOR_ASSERTION_KEYS: needed with CONNECTOR_ANSWER_POLICY=host, unless the "
        "host runs in this process and says which client is present (client=... of its Pencilled)"
    )
    return [fault]


def create_engine(runtime: Runtime) -> Engine:
    """Make what carries out due work; the database wakes it after every commit once it is started.

    Raises: SettingsError if a language cannot be spoken.
    """
    from connector.work.dispatch import handler  # noqa: PLC0415 - as above
    from connector.work.engine import GLANCE, Engine  # noqa: PLC0415 - as above
    from connector.work.mailbox_watch import MailboxWatch  # noqa: PLC0415 - as above

    runtime.languages.check()
    settings, mailbox = runtime.settings, runtime.mailbox
    return Engine(
        runtime.database,
        handler(runtime),
        broker_url=settings.broker_url,
        clock=runtime.clock,
        threads=settings.worker_threads,
        lane_limit=settings.lane_limit,
        look=partial(standstill.look, runtime.database, runtime.policy, runtime.witness, clock=runtime.clock),
        begin=runtime.begin_work,
        companions=(MailboxWatch(runtime.database, mailbox, runtime.clock),) if mailbox else (),
        glance=GLANCE,
    )


def shared_counts(settings: Settings, seal: Seal) -> Counts:
    """Return what counts for all processes of an installation how often somebody has asked."""
    if settings.broker_url != "memory://":
        return RedisCounts(settings.broker_url)
    path = Path(f"{read_url(settings.database_url).database}.counts")
    return FileCounts(path, secret=seal.token("counts", UUID(int=0)).encode())


def check_mail(settings: Settings) -> None:
    """Connect to the mail server and log in as a letter would; sends nothing.

    Raises: TransientError with what to correct; SettingsError.
    """
    _sender(settings)
    try:
        smtp.check(settings.smtp_url, timeout=CHECK_TIMEOUT)
    except NotSentError as error:
        raise TransientError(error.sentence) from error


def check_texts(settings: Settings) -> bool:
    """Reach the gateway of texts and show it our credentials where that can be; sends nothing.

    Returns whether it is known what it answers to a text that it has taken.
    Raises: TransientError with what to correct; SettingsError.
    """
    inner_hosts = frozenset(host.lower() for host in settings.inner_hosts)
    try:
        gateway = _gateway(settings, inner_hosts, timeout=CHECK_TIMEOUT)
        gateway.check()
    except NotSentError as error:
        raise TransientError(error.sentence) from error
    return gateway.is_described


def check_mailbox(settings: Settings) -> bool:
    """Open the reply mailbox as when mail is fetched; read nothing. Returns whether it tells at once what comes in.

    Raises: InstallationError or TransientError with what to correct; SettingsError.
    """
    with _mailbox(settings, timeout=CHECK_TIMEOUT).open() as folder:
        return folder.tells


def check_broker(settings: Settings, *, timeout: timedelta = CHECK_TIMEOUT) -> None:
    """Ask the Redis server whether it is there.

    Raises: TransientError with what to correct; SettingsError.
    """
    import redis  # noqa: PLC0415 - as above

    seconds = timeout.total_seconds()
    try:
        with redis.Redis.from_url(settings.broker_url, socket_connect_timeout=seconds, socket_timeout=seconds) as api:
            api.ping()
    except ValueError as error:
        raise SettingsError([f"CONNECTOR_BROKER_URL: {error}"]) from error
    except redis.RedisError as error:
        raise TransientError(
            Sentence("Redis does not answer (%(kind)s); see CONNECTOR_BROKER_URL", kind=type(error).__name__)
        ) from error


def _policy(settings: Settings) -> Policy:
    return Policy(
        organizer=settings.mail_from,
        window=settings.offer_window,
        draft_reminder=settings.draft_reminder,
        poll_open=settings.poll_open,
        poll_idle=settings.poll_idle,
        sign_in=settings.sign_in,
        settling=settings.settling,
        move_answer=settings.move_answer,
        delete_answer=settings.delete_answer,
        refuse_conflicts=settings.clash_on_accept == "refuse",
        answers=AnswerPolicy(settings.answer_policy),
        cancel_before=settings.cancel_before,
        operator=settings.operator_mail,
        operator_locale=settings.operator_locale,
        languages=Languages(settings.languages),
        return_origins=settings.return_origins,
        public_url=settings.public_url,
        brand=settings.brand,
        media=frozenset({Medium.EMAIL, Medium.SMS} if settings.sms_url else {Medium.EMAIL}),
    )


def _load_provider(settings: Settings, slug: str) -> Provider:
    if slug not in settings.providers:
        raise RuleError(
            "The calendar service “%(slug)s” is not in use here. These are: %(services)s.",
            code="calendar_service_not_in_use",
            field="provider",
            slug=slug,
            services=tuple(settings.providers),
        )
    return providers.load(slug)


def _sender(settings: Settings) -> SmtpSender:
    try:
        return SmtpSender(
            settings.smtp_url,
            from_address=settings.mail_from,
            brand=settings.brand,
            languages=Languages(settings.languages),
            answers_read=settings.answers_read,
        )
    except ValueError as error:
        raise SettingsError([f"CONNECTOR_SMTP_URL: {error}"]) from error


def _mailbox(settings: Settings, *, timeout: timedelta | None = None) -> ReplyMailbox:
    from connector.mailbox import imap  # noqa: PLC0415 - only where there is one

    try:
        return imap.ImapMailbox(settings.mailbox_url, timeout=timeout or imap.TIMEOUT)
    except ValueError as error:
        raise SettingsError([f"CONNECTOR_MAILBOX_URL: {error}"]) from error


def _media(settings: Settings, gateway: Gateway | Library | None, seal: Seal) -> Sender:
    mail = _sender(settings)
    if gateway is None:
        return mail
    receipts = "" if settings.for_this_machine else settings.public_url + texts.path(seal)  # gateways refuse those
    return MediaSender(mail, gateway, languages=Languages(settings.languages), receipts=receipts)


def _gateway(
    settings: Settings, inner_hosts: frozenset[str], *, timeout: timedelta = http.TIMEOUT
) -> Gateway | Library:
    try:
        return open_gateway(settings.sms_url, reach=http.Reach(inner_hosts=inner_hosts, timeout=timeout))
    except ValueError as error:
        raise SettingsError([f"CONNECTOR_SMS_URL: {error}"]) from error


def _witness(settings: Settings) -> Witness:
    """Return what remembers, outside the database, how far that had come: a file, or the Redis of the broker."""
    if settings.witness_file:
        return FileWitness(Path(settings.witness_file))
    if settings.embedded:
        return FileWitness(Path(f"{read_url(settings.database_url).database}.witness"))
    return RedisWitness(settings.broker_url)


def _apps(settings: Settings) -> Iterator[tuple[str, OAuthApp]]:
    for slug, ours in settings.registrations.items():
        if ours.client_id:
            back = settings.public_url + paths.sign_in_answer(slug)
            app = OAuthApp(
                client_id=ours.client_id, client_secret=ours.client_secret, redirect_uri=back, urls=ours.urls
            )
            yield slug, app


def _keys(settings: Settings, database: Database) -> tuple[str, ...]:
    return settings.secret_keys or keys.of_file(database, settings.database_url)
