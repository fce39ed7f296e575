"""One SQLite connection in one thread: the only writer of this process."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, TypeVar

from vsm_mcp.errors import HomeError, StoreError, VsmError

T = TypeVar("T")
_BUSY_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02


class Database:
    """A database file; every piece of work runs as one transaction in the database's own thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file, creating and migrating it as needed. Raises :class:`HomeError` or :class:`StoreError`."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except VsmError:
            self._thread.shutdown(wait=True)
            raise

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` as one transaction: committed when it returns, rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    async def close(self) -> None:
        """Close the file; idempotent."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._connection = None
        self._thread.shutdown(wait=True)

    def _open(self) -> None:
        try:
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
            )
            self._path.chmod(0o600)
            write_ahead(connection)
            for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
                connection.execute(f"PRAGMA {pragma}")
            self._connection = connection
            migrate(connection)
        except (sqlite3.Error, OSError) as error:
            raise mapped(error, self._path) from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise StoreError("the database is closed")
        try:
            with transaction(self._connection):
                return work(self._connection)
        except sqlite3.Error as error:
            raise mapped(error, self._path) from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the file for writing: what is done meanwhile is committed at the end, rolled back when it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def write_ahead(connection: sqlite3.Connection) -> None:
    """Set the journal mode to WAL. While others open a new file, SQLite refuses that without waiting, so we wait."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the numbered migrations that this file has not seen; ``user_version`` counts them.

    All in one transaction that looks again once it holds the file: another process may be doing the same.
    """
    scripts = _scripts()
    if _seen(connection) == len(scripts):
        return
    with transaction(connection):
        seen = _seen(connection)
        if seen > len(scripts):
            raise StoreError(
                f"the database was written by a newer version (schema {seen}, this one knows {len(scripts)})",
                "upgrade vsm-mcp, or use another VSM_MCP_HOME",
            )
        for script in scripts[seen:]:
            for statement in statements(script.read_text("utf-8")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(scripts)}")


def statements(script: str) -> Iterator[str]:
    """Cut a script into statements; each ends with the line that completes it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _seen(connection: sqlite3.Connection) -> int:
    (seen,) = connection.execute("PRAGMA user_version").fetchone()
    return int(seen)


def _scripts() -> list[Traversable]:
    folder = resources.files("vsm_mcp.store").joinpath("migrations")
    return sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)


def mapped(error: Exception, path: Path) -> VsmError:
    """Return our error for one of SQLite's or the file system's."""
    text = str(error)
    if "disk is full" in text or "No space left" in text:
        return HomeError(f"the disk that holds {path.parent} is full", "free some space and try again")
    if isinstance(error, PermissionError) or "readonly" in text or "unable to open" in text:
        return HomeError(
            f"{path} cannot be written", "check the owner of the folder, or set VSM_MCP_HOME to another one"
        )
    if "not a database" in text or "malformed" in text:
        return StoreError(f"{path} is damaged: {text}", "move it away; servers must then be added again")
    return StoreError(f"{path}: {text}")
