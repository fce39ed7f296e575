"""Check ``flows``: private data, text of strangers and a way out, together: what an injected instruction needs.

Judged per server at its admission, and over all servers that one endpoint serves (:func:`together`). A server is judged
by what its tools are called and say they do, by their annotations, and by what it was given: without a network there
is no way out and no text of strangers, without files or keys there is nothing private.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import CheckResult, Severity
from vsm_mcp.model.granted import Granted
from vsm_mcp.vetting.check import Rule, Stage, Subject, result

TRIFECTA: Final = Rule(
    "flows.trifecta", Severity.REVIEW, "it sees private data, reads text of strangers, and has a way out"
)
RULES: Final = (TRIFECTA,)
ASPECTS: Final = ("private", "untrusted", "way_out")
_NAME: Final = "flows"
_BEGINNING: Final = 300
_NAMED: Final = 3
_GRANT: Final = "(what it was given)"


class Flows(msgspec.Struct, frozen=True, kw_only=True):
    """Which tools of a server show what is private, bring in text of strangers, or let something out."""

    private: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    way_out: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all three are there."""
        return all(getattr(self, aspect) for aspect in ASPECTS)


class FlowsCheck:
    """Judges what a server offers together with what it was given."""

    name = _NAME
    stage = Stage.AFTER_TRIAL

    async def check(self, subject: Subject) -> CheckResult:
        """Look at the tools."""
        offer, granted = subject.offer or Offer(), subject.granted or Granted()
        flows = flows_of(offer, granted)
        findings = [TRIFECTA.found(subject.ref.identity, in_words({"": flows}))] if flows.whole else []
        return result(_NAME, len(offer.of(ItemKind.TOOL)), "tools", findings)


def build(_config: Config) -> FlowsCheck:
    """Make the check: the entry point."""
    return FlowsCheck()


def flows_of(offer: Offer, granted: Granted) -> Flows:
    """Return what a server that offers this, and was given that, lets in and out. Pure."""
    tools = [(tool.name, _aspects(tool)) for tool in offer.of(ItemKind.TOOL)]
    by_aspect = {aspect: tuple(name for name, has in tools if aspect in has) for aspect in ASPECTS}
    private = by_aspect["private"] if granted.files or granted.secrets else ()
    if not tools:
        return Flows()
    return Flows(
        private=private or ((_GRANT,) if granted.files or granted.secrets else ()),
        untrusted=by_aspect["untrusted"] if granted.way_out else (),
        way_out=(by_aspect["way_out"] or (_GRANT,)) if granted.way_out else (),
    )


def together(servers: Mapping[str, Flows]) -> dict[str, dict[str, list[str]]]:
    """Return, where all three come together, ``{aspect: {server: [tool, …]}}``; else nothing. Pure."""
    found = {
        aspect: {name: list(tools) for name, flows in servers.items() if (tools := getattr(flows, aspect))}
        for aspect in ASPECTS
    }
    return found if all(found.values()) else {}


def in_words(servers: Mapping[str, Flows]) -> str:
    """Return one line on who contributes what; a server without a name is the one that is spoken of."""
    said = {"private": "private data", "untrusted": "text of strangers", "way_out": "a way out"}
    parts = []
    for aspect, words in said.items():
        tools = [
            f"{name}: {tool}".removeprefix(": ")
            for name, flows in servers.items()
            for tool in getattr(flows, aspect)[:_NAMED]
        ]
        parts.append(f"{words} ({', '.join(tool[:60] for tool in tools[:_NAMED])})")
    return "; ".join(parts)


def _aspects(tool: Definition) -> frozenset[str]:
    table = _table()
    words = _words(tool.name)
    beginning = tool.description[:_BEGINNING].lower()
    found = set()
    for aspect in ASPECTS:
        row = table[aspect]
        named = bool(words & row["names"]) and (bool(words & row["verbs"]) or not words & table["any_verb"])
        if named or any(phrase in beginning for phrase in row["phrases"]):
            found.add(aspect)
    if _open_world(tool.raw):
        found.add("untrusted")
        if not _read_only(tool.raw):
            found.add("way_out")
    return frozenset(found)


def _words(name: str) -> frozenset[str]:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name[:200])
    return frozenset(word for word in re.split(r"[^a-z0-9]+", parted.lower()) if word)


def _open_world(raw: bytes) -> bool:
    return _annotation(raw, "openWorldHint") is True


def _read_only(raw: bytes) -> bool:
    return _annotation(raw, "readOnlyHint") is True


def _annotation(raw: bytes, name: str) -> Any:
    try:
        definition = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    annotations = definition.get("annotations") if isinstance(definition, dict) else None
    return annotations.get(name) if isinstance(annotations, dict) else None


@cache
def _table() -> Mapping[str, Any]:
    read = tomllib.loads(files("vsm_mcp.vetting").joinpath("data/flows.toml").read_text("utf-8"))
    table: dict[str, Any] = {
        aspect: {kind: _set(words) if kind != "phrases" else tuple(words) for kind, words in read[aspect].items()}
        for aspect in ASPECTS
    }
    table["any_verb"] = frozenset().union(*(table[aspect]["verbs"] for aspect in ASPECTS))
    return table


def _set(words: Iterable[str]) -> frozenset[str]:
    return frozenset(words)
