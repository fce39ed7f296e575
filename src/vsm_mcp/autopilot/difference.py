"""What a new version of a server would change: what a person reads before saying yes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from vsm_mcp.model.definition import Definition, Offer
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.model.server import Server
from vsm_mcp.vetting.pins import compare, keyed, pins_of
from vsm_mcp.vetting.shown import changed_lines

_OF_A_VERSION: Final = ("own",)  # where its own files lie: another place for every version


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One version: the server, what it offers, what it may see and reach, its bytes on disk, what vetting said."""

    server: Server
    offer: Offer
    plan: SandboxPlan
    size: int = 0
    findings: tuple[str, ...] = ()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One tool, prompt, resource or template, or the instructions: ``added``, ``removed`` or ``changed``.

    ``diff`` are the lines of a unified difference.
    """

    item: str
    kind: str
    diff: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two versions; of a pair, the first is the version in service.

    ``dependencies`` maps each package to its two versions, empty where it is not there; ``permissions`` maps what the
    sandbox lets the server do to both values; ``findings`` are those of vetting that the version in service had not.
    """

    version: tuple[str, str]
    items: tuple[Item, ...] = ()
    permissions: dict[str, tuple[Any, Any]] = {}
    dependencies: dict[str, tuple[str, str]] = {}
    size: tuple[int, int] = (0, 0)
    licence: tuple[str, str] = ("", "")
    findings: tuple[str, ...] = ()


def difference(before: Side, after: Side) -> Difference:
    """Return what differs."""
    old, new = before.server.installation, after.server.installation
    return Difference(
        version=(before.server.version, after.server.version),
        items=tuple(_items(before.offer, after.offer)),
        permissions=_permissions(before.plan, after.plan),
        dependencies=_pairs(old.packages, new.packages),
        size=(before.size, after.size),
        licence=(old.licence, new.licence),
        findings=tuple(finding for finding in after.findings if finding not in before.findings),
    )


def findings_of(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what vetting found, from the evidence of an acquisition; places are left out: they move with a version."""
    judged = [record["body"] for record in records if record.get("kind") == "judged"]
    checks = judged[-1].get("checks", ()) if judged else ()
    found = [finding for check in checks for finding in check.get("findings", ())]
    return tuple(dict.fromkeys(f"{each['rule']} ({each['severity']}): {each['text']}" for each in found))


def _items(old: Offer, new: Offer) -> list[Item]:
    before, after = keyed(old), keyed(new)
    found = compare(pins_of(old), new, old)
    fresh = [*found.new, *(key for key in found.changed if key not in before)]
    return [
        *(_item(key, "added", None, after[key]) for key in sorted(fresh)),
        *(_item(key, "removed", before[key], None) for key in found.missing),
        *(_item(key, "changed", before[key], after[key]) for key in found.changed if key in before),
    ]


def _item(key: str, kind: str, before: Definition | None, after: Definition | None) -> Item:
    return Item(item=key, kind=kind, diff=tuple(changed_lines(before, after)))


def _permissions(before: SandboxPlan, after: SandboxPlan) -> dict[str, tuple[Any, Any]]:
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name] and name not in _OF_A_VERSION}


def _pairs(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = sorted(old.keys() | new.keys())
    return {name: (old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)}
