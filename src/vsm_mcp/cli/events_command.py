"""``vsm-mcp events``: what the daemon publishes, as it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import SCHEMA, Session, common, daemon
from vsm_mcp.errors import TransportError


@click.command("events")
@click.option("--follow", is_flag=True, help="Go on with what happens from now on, until interrupted.")
@click.option(
    "--type", "types", multiple=True, metavar="NAME", help="Only events of this type; docs/reference/events.md."
)
@click.option("--server", "servers", multiple=True, metavar="NAME", help="Only events about this server.")
@click.option("--since", default="", metavar="ID", help="What came after the event with this id.")
@common
def command(session: Session, follow: bool, types: tuple[str, ...], servers: tuple[str, ...], since: str) -> None:
    """Show the last events that the daemon published. With --json and --follow, one JSON object a line."""
    query = {"types": ",".join(types), "server": ",".join(servers), "last": since, "kept": "1"}
    if not follow:
        query["once"] = "1"
    rows = _read(session, urlencode({name: value for name, value in query.items() if value}))
    if follow:
        for row in rows:
            _line(session, row)
        raise TransportError("the daemon has ended the stream", "it was stopped, or this was read too slowly")
    session.show({"events": list(rows)}, _human)


def _read(session: Session, query: str) -> Iterator[dict[str, Any]]:
    """Yield events from the control socket. Raises :class:`TransportError`, also where no daemon runs."""
    connection = daemon(session.config.home)
    if connection is None:
        raise TransportError("no daemon runs here, so nothing is published", "vsm-mcp serve starts one")
    try:
        connection.request("GET", f"/v1/events?{query}", headers={"Accept": "text/event-stream"})
        response = connection.getresponse()
        if response.status != 200:
            raise TransportError(f"the daemon said: {response.read(200).decode('utf-8', 'replace').strip()}")
        yield from _events(response)
    except OSError as error:
        raise TransportError(f"the daemon broke off: {error}", "look at its log, then try again") from error
    finally:
        connection.close()


def _events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    for raw in response:
        if raw.startswith(b"data: "):
            row: dict[str, Any] = json.loads(raw[6:])
            yield row


def _human(document: dict[str, Any]) -> None:
    for row in document["events"]:
        _said(row)


def _line(session: Session, row: dict[str, Any]) -> None:
    if session.json:
        click.echo(output.json_text({"schema": SCHEMA, **row}))
    else:
        _said(row)


def _said(row: dict[str, Any]) -> None:
    fields = {name: value for name, value in row.items() if name not in {"id", "at", "event"} and value not in ("", [])}
    words = " ".join(f"{name}={output.json_text(value)}" for name, value in fields.items())
    moment = output.when(row["at"]) if "at" in row else "-"
    output.one_line(f"{moment}  {row['event']}  {words}")
