"""``vsm-mcp capabilities [QUERY]``: what the served servers can do, and who can stand in for whom."""

from __future__ import annotations

import json
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("capabilities")
@click.argument("query", nargs=-1)
@click.option("--server", default="", metavar="NAME", help="Only what one server can do.")
@click.option("--stand-ins", is_flag=True, help="Show which tools can stand in for which, and why others cannot.")
@click.option("--limit", type=click.IntRange(1, 5000), default=200, show_default=True, help="How many tools and so on.")
@common
def command(session: Session, query: tuple[str, ...], server: str, stand_ins: bool, limit: int) -> None:
    """Show what the served servers can do, by capability; with QUERY (words or a tag), what fits it."""
    document = session.run("capabilities", query=" ".join(query), server=server, stand_ins=stand_ins, limit=limit)
    session.show(document, _stand_ins if stand_ins else _capabilities)


def _capabilities(document: dict[str, Any]) -> None:
    rows = [(group["tag"] or "-", item) for group in document["capabilities"] for item in group["items"]]
    output.table(
        ("CAPABILITY", "CONF", "SERVER", "ITEM", "EFFECTS", "PLACE"),
        [
            (tag, f"{item['confidence']:.2f}", item["server"], _named(item), effects(item["effects"]), item["system"])
            for tag, item in rows
        ],
        wide=3,
    )
    _left_out(document)


def _stand_ins(document: dict[str, Any]) -> None:
    rows: list[tuple[str, str, str, str]] = []
    for row in document["stand_ins"]:
        own = f"{row['server']}: {row['tool']}"
        rows += [
            (own, f"{one['server']}: {one['tool']}", f"{one['likeness']:.2f}", arguments(one))
            for one in row["stand_ins"]
        ]
        rows += [
            (own, f"not {one['server']}: {one['tool']}", f"{one['likeness']:.2f}", "; ".join(one["reasons"]))
            for one in row["near"]
        ]
    output.table(("TOOL", "STANDS IN", "LIKENESS", "ARGUMENTS, OR WHY NOT"), rows, wide=3)
    if not rows:
        output.note("no tool of one server is near to one of another")
    _left_out(document)


def effects(found: dict[str, dict[str, Any]]) -> str:
    """Return in words what is known of effects; what the trial saw is marked."""
    parts: list[tuple[str, dict[str, Any]]] = []
    read_only, destructive = found["read_only"], found["destructive"]
    if read_only["value"]:
        parts.append(("reads", read_only))
    elif destructive["known"] != "nothing":
        parts.append(("destroys" if destructive["value"] else "adds", destructive))
    elif read_only["known"] != "nothing":
        parts.append(("changes", read_only))
    if found["idempotent"]["value"] and not read_only["value"]:
        parts.append(("repeatable", found["idempotent"]))
    if found["open_world"]["known"] != "nothing":
        parts.append(("outside" if found["open_world"]["value"] else "inside", found["open_world"]))
    return ", ".join(f"{word} (seen)" if effect["known"] == "trial" else word for word, effect in parts) or "not said"


def arguments(stand_in: dict[str, Any]) -> str:
    """Return in words how the arguments of a call become those of a stand-in."""
    same = [own for own, other in stand_in["arguments"].items() if own == other]
    parts = [f"{own} → {other}" for own, other in stand_in["arguments"].items() if own != other]
    parts = [*([f"{', '.join(same)} as they are"] if same else []), *parts]
    parts += [
        f"{name} = {json.dumps(value, ensure_ascii=False)} if not given" for name, value in stand_in["fixed"].items()
    ]
    parts += [f"{', '.join(stand_in['absolute'])} only where absolute"] if stand_in["absolute"] else []
    parts += [f"no call that uses {', '.join(stand_in['unmapped'])}"] if stand_in["unmapped"] else []
    return "; ".join(parts) or "none"


def _named(item: dict[str, Any]) -> str:
    return str(item["name"]) if item["kind"] == "tool" else f"{item['name']} ({item['kind']})"


def _left_out(document: dict[str, Any]) -> None:
    if document["left_out"]:
        output.note(f"{document['left_out']} more are left out; --limit shows more of them, QUERY and --server fewer")
