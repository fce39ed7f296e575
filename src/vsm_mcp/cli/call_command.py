"""``vsm-mcp call TOOL key=value …``: one call of one tool."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.errors import BadArgument


@click.command("call")
@click.argument("tool")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]…")
@click.option("--args", "arguments", default="", metavar="JSON", help="The arguments as one JSON object.")
@common
def command(session: Session, tool: str, pairs: tuple[str, ...], arguments: str) -> None:
    """Call TOOL (server__tool).

    VALUE is sent as the type that the tool's schema names; key:=JSON sends JSON.
    """
    parsed = _object(arguments)
    typed: dict[str, str] = {}
    for pair in pairs:
        key, sep, value = pair.partition("=")
        if not sep or not key:
            raise BadArgument(f"{pair!r} is not KEY=VALUE", "write key=value, key:=JSON, or --args JSON")
        if key.endswith(":"):
            parsed[key[:-1]] = _json(value, key[:-1])
        else:
            typed[key] = value
    document = session.run("call", tool=tool, arguments=parsed, typed=typed)
    session.show(document, _human)
    sys.exit(1 if document["isError"] else 0)


def _object(text: str) -> dict[str, Any]:
    value = _json(text, "--args") if text else {}
    if not isinstance(value, dict):
        raise BadArgument("--args is not a JSON object", """write --args '{"key": "value"}'""")
    return value


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadArgument(f"{name} is not valid JSON: {error}", """write --args '{"key": "value"}'""") from error


def _human(document: dict[str, Any]) -> None:
    for block in document["content"]:
        if block.get("type") == "text":
            output.line(block["text"], style="red" if document["isError"] else "")
        else:
            kind = block.get("mimeType") or block.get("uri") or ""
            output.line(f"[{block.get('type', 'content')} {kind}]".replace(" ]", "]"))
    if not document["content"] and document.get("structuredContent") is not None:
        output.line(output.json_text(document["structuredContent"]))
