"""Runs one operation, through the daemon where one runs, else in this process; shows progress; maps errors."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import click

from vsm_mcp import config as configuration
from vsm_mcp import errors, events
from vsm_mcp.app.sockets import CONTROL, connect
from vsm_mcp.cli import output
from vsm_mcp.cli.brevity import be_brief
from vsm_mcp.cli.progress import Progress
from vsm_mcp.deferred import deferred

if TYPE_CHECKING:
    import asyncio
    import http.client

    from vsm_mcp.app import App
    from vsm_mcp.app.looking import Looking
else:
    asyncio = deferred("asyncio")  # a daemon that runs is asked without it

SCHEMA: Final = 1
_PATIENCE_SECONDS: Final = 300.0
"""So long other commands on the same home are waited for: five installations, one after the other."""
F = TypeVar("F", bound=Callable[..., Any])


class OperationFailed(Exception):
    """An operation ended in an error; ``document`` is its JSON form."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document.get("message", ""))
        self.document = document


def common(function: F) -> F:
    """Give a command ``--json`` and ``--home``, a :class:`Session` as first argument, and the mapping of errors."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("--home", type=click.Path(path_type=Path), default=None, help="Use this home, not $VSM_MCP_HOME.")
    @functools.wraps(function)
    def wrapper(*args: Any, as_json: bool, home: Path | None, **kwargs: Any) -> Any:
        session = Session(home, as_json=as_json)
        try:
            return function(session, *args, **kwargs)
        except OperationFailed as failure:
            session.fail(failure.document)
        except errors.VsmError as error:
            session.fail(document_of(error))
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(130)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    return cast("F", wrapper)


def document_of(error: errors.VsmError) -> dict[str, Any]:
    """Return the JSON form of an error."""
    from vsm_mcp.web.control import error_document  # noqa: PLC0415 - asyncio is not loaded for --help

    return error_document(error)


class Session:
    """One invocation of the command line."""

    def __init__(self, home: Path | None, *, as_json: bool) -> None:
        self.json = as_json
        self.browse = False
        self.stdout_is_taken = False
        self._home = home
        self._config: configuration.Config | None = None
        # A stream that was closed for us is None.
        self.interactive = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
        self.interactive = self.interactive and not as_json

    @property
    def config(self) -> configuration.Config:
        """The settings of the home; read once."""
        if self._config is None:
            self._config = configuration.load(self._home)
        return self._config

    def run(self, operation: str, **params: Any) -> dict[str, Any]:
        """Run an operation and return its document. Raises :class:`OperationFailed`.

        Without a daemon commands that change a home run one after the other: the others are waited for.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        with Progress(quiet=self.json, browse=self.browse) as progress:
            while True:
                connection = daemon(self.config.home)
                if connection is not None:
                    return _remote(connection, operation, params, progress)
                try:
                    return _local(self.config, operation, params, progress)
                except errors.HomeBusy as busy:
                    if time.monotonic() > until:
                        raise
                    progress.waits(busy.message)
                except errors.VsmError as error:
                    raise OperationFailed(document_of(error)) from error

    def show(self, document: dict[str, Any], human: Callable[[dict[str, Any]], None]) -> None:
        """Print a document: as JSON, or as ``human`` does it."""
        if self.json:
            self._write(document)
        else:
            human(document)

    def fail(self, document: dict[str, Any]) -> NoReturn:
        """Print an error and leave with its exit code."""
        if self.json:
            self._write({"error": document})
        else:
            output.error(document)
        sys.exit(exit_code(str(document.get("code", ""))))

    def _write(self, document: dict[str, Any]) -> None:
        click.echo(output.json_text({"schema": SCHEMA, **document}), err=self.stdout_is_taken)


def exit_code(code: str) -> int:
    """Return the exit code that belongs to an error's code (see :mod:`vsm_mcp.errors`)."""
    return _exit_codes().get(code, 1)


@functools.cache
def _exit_codes() -> dict[str, int]:
    def walk(kind: type[errors.VsmError]) -> Iterator[tuple[str, int]]:
        yield kind.code, kind.exit_code
        for child in kind.__subclasses__():
            yield from walk(child)

    return dict(walk(errors.VsmError))


def daemon(home: Path) -> http.client.HTTPConnection | None:
    """Return a connection to the daemon of a home, or ``None`` when none is running."""
    try:
        connected = connect(home, CONTROL)
    except OSError:
        return None
    import http.client  # noqa: PLC0415 - not needed where none runs

    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected
    return connection


def _remote(
    connection: http.client.HTTPConnection, operation: str, params: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    import http.client  # noqa: PLC0415 - as above

    try:
        connection.request(
            "POST", f"/v1/{operation}", json.dumps(params).encode(), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        for raw in response:
            line = json.loads(raw)
            if "event" in line:
                progress.show(line["event"])
            elif "error" in line:
                raise OperationFailed(line["error"])
            else:
                return cast("dict[str, Any]", line["result"])
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise errors.TransportError(f"the daemon broke off: {error}", "look at its log, then try again") from error
    finally:
        connection.close()
    raise errors.TransportError("the daemon ended without an answer", "look at its log, then try again")


def _local(config: configuration.Config, operation: str, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    def show(event: events.Event) -> None:
        progress.show(event.to_dict())

    async def work() -> dict[str, Any]:
        task = asyncio.current_task()
        if task is not None:
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with _opened(config, operation) as app:
            result: dict[str, Any] = await app.operate(operation, json.dumps(params).encode(), show)
            return result

    try:
        return asyncio.run(work())
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error


def _opened(config: configuration.Config, operation: str) -> App | Looking:
    """Return the home, to be entered: as much of it as the operation needs. Not loaded when a daemon runs."""
    if operation == "search":
        be_brief(config.environ)
        from vsm_mcp.app.looking import Looking  # noqa: PLC0415

        return Looking(config)
    from vsm_mcp.app import App  # noqa: PLC0415

    return App.open(config, for_operation=operation)
