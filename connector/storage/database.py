"""The one database: SQLite for one machine, PostgreSQL for many. Transactions are short and never nested."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError

from connector.errors import SettingsError
from connector.failures import tell
from connector.storage.due import Key, Turn
from connector.storage.locks import FileBaton
from connector.storage.rewriting import rewrite_file, rewrite_tables

BUSY_TIMEOUT_MS = 5000
IDLE_TRANSACTION_MS = 10_000  # a frozen process gives its locks back: its transaction is ended by the server
_WRITER_TIMEOUT_SECONDS = 30  # as long as a pool waits for a connection
_TRY_AGAIN_SECONDS = 0.01
_WRITING = "BEGIN IMMEDIATE"
_STEP_MS = 8  # in which SQLite looks three times whether it can begin
_PRIMARY = 0xFF  # the part of an error code that says what, without why
_POOL = 16
_NAME, _NAME_LENGTH = "pencilled", 63  # of our connections, as the server shows them
_CHUNK = 500  # values in one statement
T = TypeVar("T")
_AT_END = "at_end"
_SERIALIZATION, _DEADLOCK, _LOCK_TIMEOUT = "40001", "40P01", "55P03"


def read_url(url: str) -> URL:
    """Return the URL with the driver we ship filled in.

    Raises: SettingsError if it is neither a SQLite file nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(["CONNECTOR_DATABASE_URL: this is no database URL"]) from None
    match parsed.get_backend_name():
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise SettingsError(["CONNECTOR_DATABASE_URL: SQLite needs a file, such as sqlite:///pencilled.sqlite3"])
        case other:
            raise SettingsError([f"CONNECTOR_DATABASE_URL: {other} is not supported; use sqlite or postgresql"])


def open_engine(
    url: URL, *, begin: str, pragmas: tuple[str, ...] = (), idle_ms: int = 0, busy_ms: int = BUSY_TIMEOUT_MS
) -> Engine:
    """Open an engine; `begin`, `pragmas` and `busy_ms`, how long to wait for others, are for SQLite.

    Bound values never show up in its errors.

    PostgreSQL ends a transaction in which nothing is asked for `idle_ms`; 0 for never.
    """
    if url.get_backend_name() == "postgresql":
        options = (
            f"-c timezone=utc -c lock_timeout={BUSY_TIMEOUT_MS} -c idle_in_transaction_session_timeout={idle_ms:d}"
        )
        arguments = {"options": options, "application_name": _NAME}
        engine = create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=_POOL, max_overflow=_POOL, connect_args=arguments
        )
        event.listen(engine, "do_executemany", _one_by_one)
        return engine
    _keep_private(url)
    engine = create_engine(url, hide_parameters=True, pool_size=_POOL, max_overflow=_POOL)

    @event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: object) -> None:
        dbapi.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in (f"busy_timeout={busy_ms}", *pragmas):
            dbapi.execute(f"PRAGMA {pragma}")
        _keep_log(dbapi)
        if begin == _WRITING:
            dbapi.execute(f"PRAGMA busy_timeout={_STEP_MS}")

    def _begin(dbapi: Any) -> None:
        if begin == _WRITING:
            _begin_writing(dbapi, busy_ms)
        else:
            dbapi.execute(begin)

    engine.dialect.do_begin = _begin  # type: ignore[assignment, method-assign]  # a listener would take as long as a statement does
    return engine


def _begin_writing(dbapi: sqlite3.Connection, busy_ms: int) -> None:
    """Begin to write in a SQLite file, once nobody else does.

    SQLite itself looks more and more rarely, ten times a second at last: processes that write much would keep others
    waiting for seconds, who then give up.
    """
    deadline = time.monotonic() + busy_ms / 1000
    while True:
        try:
            dbapi.execute(_WRITING)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            return


def _keep_log(dbapi: sqlite3.Connection) -> None:
    """Have a SQLite file keep a write-ahead log, waiting for others as any statement does.

    SQLite itself does not wait there: who finds a new file in use, because somebody else does the same, fails at once.
    """
    limit_ms: int = dbapi.execute("PRAGMA busy_timeout").fetchone()[0]
    deadline = time.monotonic() + limit_ms / 1000
    while True:
        try:
            dbapi.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_TRY_AGAIN_SECONDS)  # nothing tells when the file is free
        else:
            return


def _one_by_one(cursor: Any, statement: str, rows: Iterable[Any], _context: object) -> bool:
    """Send one row after another, where the driver would begin a pipeline.

    In the middle of one the server waits without a limit: a process that is frozen there would keep its locks.
    """
    for row in rows:
        cursor.execute(statement, row)
    return True


def _keep_private(url: URL) -> None:
    """Create the file so that only its owner may read it: it holds names and addresses."""
    if url.database and not url.query:
        with suppress(OSError):  # there already, or in a folder that connecting will complain about
            os.close(os.open(url.database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class Database:
    """Transactions on one database; `on_touched` is told after each commit which keys became due, and when.

    Args:
        url: `sqlite:///file` or `postgresql://...`.
        careful: On SQLite, keep the last commits even through a power cut, at the price of an fsync each.
    """

    def __init__(self, url: str, *, careful: bool = False) -> None:
        parsed = read_url(url)
        self._url = url
        self.embedded = parsed.get_backend_name() == "sqlite"
        self.on_touched: Callable[[Mapping[Key, Turn]], None] | None = None
        pragmas = ("foreign_keys=ON", f"synchronous={'FULL' if careful else 'NORMAL'}")
        self._writers = open_engine(parsed, begin=_WRITING, pragmas=pragmas, idle_ms=IDLE_TRANSACTION_MS)
        if self.embedded:
            self._readers = open_engine(parsed, begin="BEGIN", pragmas=("query_only=ON",))
        else:
            self._readers = self._writers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # SQLite has one writer. Its own waiting polls and is unfair; a lock wakes the next thread at once.
        self._writer_lock = threading.Lock() if self.embedded else None
        self._thread_local = threading.local()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Write in one transaction: committed at the end of the block, rolled back if it raises.

        Raises: RuntimeError if this thread already writes.
        """
        if getattr(self._thread_local, "writing", False):
            raise RuntimeError("a write transaction is open in this thread: pass its connection on")
        touched: dict[Key, Turn] = {}
        with self._writer() if self._writer_lock else nullcontext():
            self._thread_local.writing = True
            try:
                with self._writers.begin() as db:
                    db.info["touched"], db.info[_AT_END] = touched, []
                    yield db
                    for act in db.info[_AT_END]:
                        act(db)
            finally:
                self._thread_local.writing = False
        if touched and self.on_touched:
            try:
                self.on_touched(touched)
            except Exception as error:  # noqa: BLE001 - committed all the same; the pump wakes in our place
                tell("wake_failed", error, keys=len(touched))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read from one snapshot; writing through it fails."""
        with self._readers.connect() as db:
            db.begin()
            yield db  # closing rolls back

    def try_writing(self) -> None:
        """Commit a write that changes nothing and grows nothing; while somebody else writes, it can be written.

        Raises: DBAPIError if the database takes no writes: its disk is full, its file or its server read-only.
        """
        if self._writer_lock is None:
            with self._writers.begin() as db:  # a replica refuses the first; the commit of the second is written out
                db.exec_driver_sql("UPDATE due SET attempts = attempts WHERE false")
                db.exec_driver_sql("SELECT pg_current_xact_id()")
        elif self._writer_lock.acquire(blocking=False):
            try:
                self._rewrite_header()
            finally:
                self._writer_lock.release()

    def _rewrite_header(self) -> None:
        try:
            with self._writers.begin() as db:
                number = db.exec_driver_sql("PRAGMA user_version").scalar_one()
                db.exec_driver_sql(f"PRAGMA user_version = {number:d}")
        except DBAPIError as error:
            if not is_busy(error):  # another process may be writing
                raise

    def rewrite_files(self, names: Iterable[str]) -> str:
        """Write the database's files anew, so that they hold nothing of what was deleted or overwritten before.

        Of a server, the tables of these names; others wait for each of them meanwhile.

        Returns: Empty once it is done; else why it could not be, for now.
        """
        try:
            with self._writer() if self._writer_lock else nullcontext():
                return rewrite_file(self._writers) if self.embedded else rewrite_tables(self._writers, names)
        except DBAPIError as error:
            if not is_busy(error):
                raise
            return "somebody else was at work in it"

    def baton(self, number: int, *, silence: timedelta) -> Baton:
        """Return what one process at a time holds, and in it one of these.

        Of a server, a process that has not confirmed it for `silence` loses it; on SQLite, only one that ends.
        """
        return FileBaton(self._url, number) if self.embedded else ServerBaton(self._writers, number, silence)

    def baton_holder(self, number: int) -> str | None:
        """Return which process has a baton of a server, as its number and machine; None for nobody, or on SQLite."""
        if self.embedded:
            return None
        query = (
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
            "AND granted AND objsubid = 1 AND datname = current_database() AND database = datid "
            "AND (classid::bigint << 32 | objid::bigint) = :number"
        )
        with self.read() as db:
            name = db.execute(text(query), {"number": number}).scalar_one_or_none()
        return str(name).removeprefix(_NAME).strip() if name is not None else None

    def commits(self) -> Commits | None:
        """Return what notices that somebody has committed; None of a server, which would have to be asked."""
        return Commits(self._readers) if self.embedded else None

    def dispose(self) -> None:
        """Close all idle connections."""
        self._readers.dispose()
        self._writers.dispose()

    @contextmanager
    def _writer(self) -> Iterator[None]:
        assert self._writer_lock  # noqa: S101 - for the type checker: only SQLite comes here
        if not self._writer_lock.acquire(timeout=_WRITER_TIMEOUT_SECONDS):
            raise WaitedTooLongError(f"another thread has been writing for {_WRITER_TIMEOUT_SECONDS} s")
        try:
            yield
        finally:
            self._writer_lock.release()


def at_end(db: Connection, act: Callable[[Connection], None]) -> None:
    """Do something last of all before the transaction is committed: whatever it locks, nothing is waited for with it.

    What is registered within is done, too.
    """
    waiting_acts(db).append(act)


def waiting_acts(db: Connection) -> list[Callable[[Connection], None]]:
    """Return what is to be done last of all in this transaction."""
    acts: list[Callable[[Connection], None]] = db.info.setdefault(_AT_END, [])
    return acts


class Commits:
    """Notices commits to a SQLite file, whichever process makes them, by a number that costs no query."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._db: sqlite3.Connection | None = None
        self._number: int | None = None

    def happened(self) -> bool:
        """Whether there was one since this was asked before; the first time that is not known.

        Raises: sqlite3.Error.
        """
        if self._db is None:
            pooled = self._engine.raw_connection()
            self._db = pooled.driver_connection
            pooled.detach()
        assert self._db is not None  # noqa: S101 - for the type checker
        former, self._number = self._number, self._db.execute("PRAGMA data_version").fetchone()[0]
        return former is not None and self._number != former

    def close(self) -> None:
        """Notice nothing more."""
        db, self._db = self._db, None
        if db is not None:
            db.close()


class Baton(Protocol):
    """What one process at a time holds."""

    def held(self) -> bool:
        """Take it if it is free, confirm it if we have it.

        Raises: DBAPIError if the database cannot be reached; then we do not have it.
        """
        ...

    def close(self) -> None:
        """Give it back; `held` may take it again."""
        ...


class ServerBaton:
    """A PostgreSQL session lock on a connection of its own: it ends with the process, or with the connection.

    A frozen process keeps its connection, so the server is asked to end one that falls silent.
    """

    def __init__(self, engine: Engine, number: int, silence: timedelta) -> None:
        self._engine = engine
        self._number = number
        self._silence_ms = round(silence / timedelta(milliseconds=1))
        self._db: Connection | None = None
        self._locked = False

    def held(self) -> bool:
        """Take it if it is free, confirm it if we have it.

        Raises: DBAPIError if the database cannot be reached; then we do not have it.
        """
        try:
            if self._db is None:
                self._db = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._db.detach()
                self._db.execute(text(f"SET idle_session_timeout = {self._silence_ms:d}"))
                name = f"{_NAME} {os.getpid()}@{socket.gethostname()}"[:_NAME_LENGTH]
                self._db.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name})
            query = "SELECT true" if self._locked else f"SELECT pg_try_advisory_lock({self._number:d})"
            self._locked = bool(self._db.execute(text(query)).scalar_one())
        except DBAPIError:
            self.close()
            raise
        return self._locked

    def close(self) -> None:
        """Give it back; `held` may take it again."""
        db, self._db, locked, self._locked = self._db, None, self._locked, False
        if db is None:
            return
        try:
            if locked and not db.invalidated:  # else the next would have to wait for the server to notice
                db.execute(text(f"SELECT pg_advisory_unlock({self._number:d})"))
        except DBAPIError as error:
            tell("baton_lost", error)  # with its connection
        finally:
            db.close()


def is_time_taken(error: IntegrityError) -> bool:
    """Whether the overlap guard refused the row."""
    cause: Any = error.orig
    if getattr(cause, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_TRIGGER":
        return str(cause) == "time_taken"
    return getattr(cause, "sqlstate", None) == "23P01" and cause.diag.constraint_name == "no_overlap"


def is_written_already(error: IntegrityError) -> bool:
    """Whether the row was refused because another connection has its entries go to the same calendar."""
    cause: Any = error.orig
    if getattr(cause, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_UNIQUE":
        return "calendars.identity" in str(cause)
    return getattr(cause, "sqlstate", None) == "23505" and cause.diag.constraint_name == "uq_calendars_written"


def is_busy(error: DBAPIError) -> bool:
    """Whether the transaction lost to others at work at the same time, so that doing it again may succeed."""
    cause: Any = error.orig
    if getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return True
    return getattr(cause, "sqlstate", None) in {_SERIALIZATION, _DEADLOCK, _LOCK_TIMEOUT}


def chunks(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """Yield values, so many at once as a statement can name."""
    every = list(values)
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]
