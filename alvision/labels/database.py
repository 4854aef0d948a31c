"""The database under a label store: a SQLite file, or PostgreSQL for a team."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from alvision.core.errors import UserError
from alvision.labels.schema import ADDED, METADATA

_TROUBLE = {
    "SQLITE_NOTADB": "is not a label store (no SQLite database): name another file in labels.url",
    "SQLITE_CORRUPT": "is damaged: restore it from a copy, or import an export into a new store",
    "SQLITE_BUSY": "stayed locked by another process: end that process, then run again",
    "SQLITE_LOCKED": "stayed locked by another process: end that process, then run again",
    "SQLITE_FULL": "cannot grow, the disk is full: free some space, then run the command again",
    "SQLITE_READONLY": "cannot be written: allow writing to it and its folder, or set labels.url",
    "SQLITE_CANTOPEN": "cannot be opened: check the path and its permissions, or set labels.url",
    "SQLITE_PERM": "cannot be opened: check the path and its permissions, or set labels.url",
    "SQLITE_IOERR": "cannot be read or written (input/output error): check the disk",
    # PostgreSQL's, by the first characters of its SQLSTATE
    "08": "lost its server: check that it runs, then run again",
    "42501": "may not be used by this user: grant the rights, or check labels.url",
    "53": "is out of connections or disk: look after the server, then run again",
    "55P03": "stayed locked by another process: end that process, then run again",
    "57P": "shut down: start the server, then run again",
}
# "alvi": writers of one PostgreSQL database take this advisory lock in turn, so that event numbers
# have no gaps and are in commit order; a sequence would leave gaps after a rollback.
_LOCK = 0x616C7669
_LACKING = "alvision_lacking"


class Database:
    """Open transactions on a label store's database.

    A SQLite file is made at the first writing transaction, and every transaction opens a
    connection of its own, so it may be used from several threads and survives a fork.

    Args:
        url: A file, a `sqlite:///` URL, or a `postgresql+psycopg://` URL.
        shared: Several processes use a file at once: write-ahead log instead of a rollback
            journal.
        timeout: Seconds to wait for another process's lock.

    Attributes:
        path: The file; None with PostgreSQL.

    Raises:
        UserError: The URL is of another kind, PostgreSQL's driver is not installed, or the
            database is not a label store.
    """

    def __init__(self, url: str | Path, *, shared: bool = False, timeout: float = 30.0) -> None:
        parsed = _parse(url)
        file = parsed.get_backend_name() == "sqlite"
        self.path = Path(str(parsed.database)) if file else None
        self._shared = shared
        self._timeout = timeout
        self._name = str(self.path or parsed)
        self._engine = self._connected(parsed)
        self._ready = False
        if self.exists():
            try:
                with self.reading():
                    pass
            except UserError:
                self.close()
                raise

    def __str__(self) -> str:
        return self._name

    @property
    def dialect(self) -> str:
        """Return `sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Release all connections; the database may be used again."""
        self._engine.dispose()

    def exists(self) -> bool:
        """Tell whether there is a database to read; a file is made when it is written to."""
        return self.path is None or self.path.exists()

    @contextmanager
    def reading(self) -> Iterator[sql.Connection | None]:
        """Open a transaction that reads; None if nothing has been written yet."""
        if not self.exists():
            self._ready = False
            yield None
            return
        with self._transaction(write=False) as connection:
            yield connection if self._has_schema(connection) else None

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sql.Connection]:
        """Open a transaction that writes; writers take turns.

        Args:
            durable: Force it to disk before it counts as done. Without, a power cut may lose the
                last moments, and nothing else.
        """
        self._make_folder()
        with self._transaction(write=True, durable=durable) as connection:
            if not self._has_schema(connection):
                METADATA.create_all(connection, checkfirst=False)
            _add_columns(connection)
            yield connection

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a connection open: SQLite cleans up its log whenever the last connection ends.

        The store is made if it does not exist yet, because only then is there a log to keep.
        """
        with self.writing(durable=False):
            pass
        with self._engine.connect():
            yield

    @contextmanager
    def _transaction(self, write: bool, durable: bool = True) -> Iterator[sql.Connection]:
        try:
            options = {"alvision_write": write, "alvision_durable": durable}
            connection = self._engine.connect().execution_options(**options)
            with connection, connection.begin():
                yield connection
        except sql.exc.DBAPIError as error:
            raise self._explained(error.orig) from error
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: BaseException | None) -> UserError:
        name = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
        if self.path is None and not name:  # no server answered, so there is no SQLSTATE
            reason = str(error).strip().rpartition("failed: ")[2] or "no answer"
            return UserError(
                f"{self} cannot be reached ({reason}): check labels.url, that the server runs and"
                " that the database is there (createdb)"
            )
        for start, trouble in _TROUBLE.items():
            if name.startswith(start):
                return UserError(f"{self} {trouble}")
        return UserError(f"{self} cannot be used as label store: {error}")

    def _connected(self, url: sql.URL) -> sql.Engine:
        if self.path is None:
            try:
                # Connecting to a server takes long, so connections are kept, and tried before use.
                engine = sql.create_engine(
                    url,
                    pool_pre_ping=True,
                    pool_size=8,
                    max_overflow=24,
                    connect_args={"connect_timeout": 10},
                )
            except ImportError as error:
                raise UserError(
                    f"labels.url={self} needs PostgreSQL's driver: pip install 'alvision[postgres]'"
                ) from error
            sql.event.listen(engine, "begin", self._begin_postgresql)
            return engine
        engine = sql.create_engine(
            sql.URL.create("sqlite", database=str(self.path)),
            poolclass=sql.NullPool,
            connect_args={"timeout": self._timeout},
        )
        sql.event.listen(engine, "connect", self._prepare_sqlite)
        sql.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _prepare_sqlite(self, connection: Any, _: object) -> None:
        try:
            connection.isolation_level = None  # transactions begin in `_begin_sqlite`
            if self._shared:
                _write_ahead(connection, self._timeout)
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise

    def _begin_postgresql(self, connection: sql.Connection) -> None:
        options, statements = connection.get_execution_options(), []
        if not options.get("alvision_durable", True):
            statements.append("SET LOCAL synchronous_commit = off")
        if options.get("alvision_write"):
            # Held to the end of the transaction; whoever waits reads what the other committed.
            statements.append(f"SET LOCAL lock_timeout = {int(self._timeout * 1000)}")
            statements.append(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if statements:
            connection.exec_driver_sql("; ".join(statements))  # one way to the server and back

    def _has_schema(self, connection: sql.Connection) -> bool:
        """Tell whether the tables exist; refuse a database that is not a label store."""
        connection.info[_LACKING] = lacking = {}
        if self._ready:
            return True
        inspector = sql.inspect(connection)
        tables = set(inspector.get_table_names())
        if not tables:
            return False
        for table in METADATA.sorted_tables:
            columns = (
                [column["name"] for column in inspector.get_columns(table.name)]
                if table.name in tables
                else []
            )
            new = [name for name in ADDED.get(table.name, ()) if name not in columns]
            if columns + new != table.columns.keys():
                raise UserError(
                    f"{self} is a database, but not a label store of this version:"
                    " name another in labels.url"
                )
            if new:
                lacking[table.name] = new
        # Another process may add what is lacking, so such a store is looked at again.
        self._ready = not lacking
        return True

    def _make_folder(self) -> None:
        if self.path is None:
            return
        if not self.path.exists():
            self._ready = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path.parent} cannot be made ({error.strerror}): set labels.url"
            ) from error


def columns(connection: sql.Connection, table: sql.Table) -> list[sql.Column]:
    """Return the columns that a table has in this transaction; see `schema.ADDED`."""
    lacking = connection.info.get(_LACKING, {}).get(table.name, ())
    return [column for column in table.columns if column.name not in lacking]


def _add_columns(connection: sql.Connection) -> None:
    for table, names in connection.info.pop(_LACKING, {}).items():
        for name in names:
            kind = METADATA.tables[table].columns[name].type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def _parse(url: str | Path) -> sql.URL:
    if isinstance(url, Path) or "://" not in url:
        return sql.URL.create("sqlite", database=str(url))
    ways = "give a file, sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
    try:
        parsed = sql.make_url(url)
    except sql.exc.ArgumentError as error:
        raise UserError(f"labels.url={url} is not a URL: {ways}") from error
    if parsed.password:
        raise UserError(
            "labels.url holds a password, which a run would write into its files: leave it out, and"
            " put it into PGPASSWORD or the file .pgpass"
        )
    if parsed.drivername == "postgresql+psycopg" and parsed.database:
        return parsed
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise UserError(f"labels.url={url} is not supported: {ways}")
    return parsed


def _write_ahead(connection: sqlite3.Connection, timeout: float) -> None:
    """Switch a file to the write-ahead log; two who do so at once fail without waiting."""
    end = time.monotonic() + timeout
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: sql.Connection) -> None:
    # IMMEDIATE takes the write lock before the highest number is read, so two writers never
    # give the same one.
    options = connection.get_execution_options()
    write = options.get("alvision_write")
    if not options.get("alvision_durable", True):
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
