"""``vsm-mcp key create | list | revoke``: who may call the endpoint from elsewhere, and what."""

from __future__ import annotations

import re
import time
from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.moments import SECONDS
from vsm_mcp.cli.session import Session, common
from vsm_mcp.errors import BadArgument

_MINUTES: Final = {"s": 1 / 60, "min": 1, "m": 1, "h": 60}


@click.group("key")
def command() -> None:
    """Make, list and revoke the keys that open the endpoint to other machines."""


@command.command("create")
@click.argument("name")
@click.option("--profile", "profiles", multiple=True, metavar="P", help="A profile it may use; / is /mcp itself.")
@click.option("--allow-tool", "allowed", multiple=True, metavar="PATTERN", help="Tools it may use (SERVER__TOOL).")
@click.option("--deny-tool", "denied", multiple=True, metavar="PATTERN", help="Tools it may not use; deny wins.")
@click.option("--rate", default="", metavar="N/min", help="Requests in a while: 60/min, 5/s, 1000/h.")
@click.option("--burst", type=click.IntRange(0), default=0, help="Requests at once (default: a minute's worth).")
@click.option("--concurrency", type=click.IntRange(0), default=0, help="Requests that may be open at a time.")
@click.option("--max-body", type=click.IntRange(0), default=0, metavar="BYTES", help="The largest request.")
@click.option("--may-consent", "consents", is_flag=True, help="Its client may ask its person whether to install.")
@click.option("--expires", default="", metavar="DURATION", help="How long it holds: 90m, 12h, 30d, 8w.")
@click.option("--watch", is_flag=True, help="It may read metrics and events (GET /metrics, /v1/events) as well.")
@common
def create(session: Session, name: str, expires: str, rate: str, **given: Any) -> None:
    """Make a key and print it, once: only a hash of it is kept.

    Without options it opens everything that is served. Clients send it as Authorization: Bearer KEY.
    """
    grant = {
        "profiles": ["" if profile == "/" else profile for profile in given["profiles"]] or ["*"],
        "allow_tools": given["allowed"] or ["*"],
        "deny_tools": given["denied"],
        "rate": _rate(rate) if rate else 0.0,
        "burst": given["burst"],
        "concurrency": given["concurrency"],
        "max_body_bytes": given["max_body"],
        "watch": given["watch"],
        "consents": given["consents"],
        "expires": time.time() + _duration(expires) if expires else 0.0,
    }
    session.show(session.run("key_create", name=name, grant=grant), _created)


@command.command("list")
@common
def list_keys(session: Session) -> None:
    """Show the keys: what each opens, and until when."""
    session.show(session.run("key_list"), _listed)


@command.command("revoke")
@click.argument("name")
@common
def revoke(session: Session, name: str) -> None:
    """Revoke a key: whoever uses it is cut off at once."""
    session.show(session.run("key_revoke", name=name), lambda document: output.line(f"{document['name']}: revoked"))


def _created(document: dict[str, Any]) -> None:
    output.line(document["key"])
    output.note(f"this is {document['name']}; it is shown this once. Clients send: Authorization: Bearer KEY")
    output.note('keys are asked for where other machines reach the gateway; on loopback with [auth] mode = "keys"')


def _listed(document: dict[str, Any]) -> None:
    output.table(
        ("NAME", "ID", "PROFILES", "TOOLS", "LIMITS", "CREATED", "EXPIRES"),
        [
            (
                row["name"],
                row["id"],
                _words("/" if profile == "" else profile for profile in row["profiles"]),
                _words([*row["allow_tools"], *(f"not {pattern}" for pattern in row["deny_tools"])]),
                _limits(row),
                output.when(row["created"]),
                _expiry(row),
            )
            for row in document["keys"]
        ],
    )
    if not document["keys"]:
        output.note("there are no keys: vsm-mcp key create NAME")


def _words(items: Any) -> str:
    return output.some(list(items))


def _limits(row: dict[str, Any]) -> str:
    burst = f", {row['burst']} at once" if row["burst"] else ""
    shown = (
        (row["rate"], f"{row['rate']:g}/min{burst}"),
        (row["concurrency"], f"{row['concurrency']} open"),
        (row["max_body_bytes"], f"{row['max_body_bytes']} bytes"),
    )
    return ", ".join(text for limit, text in shown if limit) or "-"


def _expiry(row: dict[str, Any]) -> str:
    if not row["expires"]:
        return "never"
    return "expired" if row["expired"] else output.when(row["expires"])


def _rate(text: str) -> float:
    """Return requests a minute."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(?:/(s|min|m|h))?", text)
    rate = float(found[1]) / _MINUTES[found[2] or "min"] if found else 0.0
    if not rate:
        raise BadArgument(f"--rate {text!r} is no rate", "write 60/min, 5/s or 1000/h")
    return rate


def _duration(text: str) -> float:
    """Return seconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", text)
    if not found:
        raise BadArgument(f"--expires {text!r} is no duration", "write 90m, 12h, 30d or 8w")
    return float(int(found[1]) * SECONDS[found[2]])
