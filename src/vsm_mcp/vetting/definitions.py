"""Judging tool definitions alone, without a server: what ``vsm-mcp vet --definitions FILE`` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.errors import BadArgument
from vsm_mcp.model.definition import Definition, ItemKind
from vsm_mcp.model.finding import Finding, Severity
from vsm_mcp.vetting.tool_text import examine_item

MAX_BYTES: Final = 64 << 20
_MAX_ITEMS: Final = 100_000
_MAX_SHORT: Final = 1_000_000
_NAME: Final = re.compile(r"[\w$.\[\]-]{1,80}")


class ItemVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One definition's ``verdict``: ``pass``, ``review`` or ``block``, with what was found."""

    name: str
    verdict: str
    findings: tuple[Finding, ...] = ()


def read_definitions(text: str) -> list[dict[str, Any]]:
    """Read JSON lines, a list of definitions, or a ``tools/list`` result (bare or in its envelope).

    Raises :class:`BadArgument` naming the line that is no JSON object.
    """
    try:
        whole = json.loads(text)
    except ValueError:
        return [_line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if isinstance(whole, dict) and isinstance(whole.get("result"), dict):
        whole = whole["result"]
    if isinstance(whole, dict) and isinstance(whole.get("tools"), list):
        whole = whole["tools"]
    rows = whole if isinstance(whole, list) else [whole]
    if not all(isinstance(row, dict) for row in rows) or len(rows) > _MAX_ITEMS:
        raise BadArgument("the definitions are not a list of JSON objects", _HINT)
    return rows


_HINT: Final = "give a tools/list result, or one tool definition a line"


def _line(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadArgument(f"line {number} of the definitions is not JSON", _HINT) from error
    if not isinstance(row, dict):
        raise BadArgument(f"line {number} of the definitions is not a JSON object", _HINT)
    return row


def judge_definitions(rows: Iterable[Mapping[str, Any]]) -> list[ItemVerdict]:
    """Return a verdict for each definition, in order. Pure."""
    return [_judged(row) for row in rows]


def _judged(row: Mapping[str, Any]) -> ItemVerdict:
    definition = _as_definition(row)
    name = str(definition.get("name") or "")
    raw = json.dumps(definition, ensure_ascii=False).encode("utf-8", "surrogatepass")
    _, findings = examine_item(Definition(kind=ItemKind.TOOL, name=name, raw=raw))
    severities = {finding.severity for finding in findings}
    verdict = "block" if Severity.BLOCK in severities else "review" if Severity.REVIEW in severities else "pass"
    return ItemVerdict(name=name, verdict=verdict, findings=tuple(findings))


def _as_definition(row: Mapping[str, Any]) -> dict[str, Any]:
    """Accept the short form too: ``tool`` for the name, ``params`` as ``name: description; name: description``."""
    definition = {name: value for name, value in row.items() if name not in {"tool", "params"}}
    if "name" not in definition and "tool" in row:
        definition = {key: definition[key] for key in ("title", "description", "annotations") if key in definition}
        definition["name"] = row["tool"]
    params = row.get("params")
    if isinstance(params, str) and "inputSchema" not in definition:
        definition["inputSchema"] = {"type": "object", "properties": dict(_parameters(params))}
    return definition


def _parameters(params: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each parameter of the short form; a part that is no name belongs to the description before it."""
    name, said = "", ""
    for part in params[:_MAX_SHORT].split(";"):
        head, colon, rest = part.partition(":")
        if _NAME.fullmatch(head.strip()) and (colon or not rest):
            if name:
                yield name, {"type": "string", "description": said.strip()}
            name, said = head.strip(), rest
        else:
            said += f";{part}" if name else ""
            name = name or part.strip()[:60]
    if name:
        yield name, {"type": "string", "description": said.strip()}
