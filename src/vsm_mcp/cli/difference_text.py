"""What differs between two versions, or from what was approved, in lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vsm_mcp.cli import output

_SHOWN: Final = 12


def change_lines(change: Mapping[str, Any]) -> Iterator[str]:
    """Yield one item that differs, with the lines of its difference."""
    yield f"{change['kind']} {change['item']}{' (denied)' if change.get('denied') else ''}"
    for line in change["diff"]:
        yield f"    {line}"


def difference_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the difference of two versions."""
    yield f"version: {_pair(found['version'])}"
    items = found["items"]
    yield f"tools, prompts, resources, instructions: {_count(items) if items else 'the same'}"
    for item in items:
        yield from (f"  {line}" for line in change_lines(item))
    yield f"permissions: {'' if found['permissions'] else 'the same'}".rstrip()
    for name, pair in found["permissions"].items():
        yield f"  {name}: {_value(pair[0])} -> {_value(pair[1])}"
    yield from _dependencies(found["dependencies"])
    yield f"size: {' -> '.join(output.size(each) for each in found['size'])}"
    yield f"licence: {_pair([each or 'not named' for each in found['licence']])}"
    yield f"new findings of vetting: {'none' if not found['findings'] else ''}".rstrip()
    yield from (f"  {finding}" for finding in found["findings"])


def _dependencies(pairs: Mapping[str, Any]) -> Iterator[str]:
    added = [f"{name} {new}" for name, (old, new) in pairs.items() if not old]
    removed = [f"{name} {old}" for name, (old, new) in pairs.items() if not new]
    changed = [f"{name} {old} -> {new}" for name, (old, new) in pairs.items() if old and new]
    yield (
        f"dependencies: {len(added)} added, {len(removed)} removed, {len(changed)} changed"
        if pairs
        else ("dependencies: the same")
    )
    for word, names in (("added", added), ("removed", removed), ("changed", changed)):
        if names:
            yield f"  {word}: {output.some(names, _SHOWN)}"


def _count(items: list[dict[str, Any]]) -> str:
    kinds = [item["kind"] for item in items]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _pair(pair: list[Any]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} -> {pair[1]}"


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
