"""The items of one server in the form in which they are listed; made once for each offer."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.gateway.messages import decode_object, encode
from vsm_mcp.gateway.param_headers import Rules, rules_of
from vsm_mcp.gateway.tasks.support import Tasking, listed, support_of
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.routing.table import Naming

_OBJECT: Final = Raw(b'"object"')


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One listed item: its exposed name, and its JSON for modern and for legacy clients (mostly the same bytes)."""

    key: str
    modern: bytes
    legacy: bytes


class Omitted(msgspec.Struct, frozen=True):
    """An item that is not listed, and why."""

    server: str
    item: str
    reason: str


class Shelf:
    """What one server offers, ready to be listed under exposed names.

    Every member of a definition passes byte for byte, unknown ones too; only ``name`` is replaced, and what it says of
    tasks where the gateway drives them. A tool without a usable ``inputSchema`` would cost a client the whole list
    (both SDKs refuse it), so an empty one is completed and an impossible one leaves its tool out.
    """

    def __init__(self, server: str, offer: Offer, name: Naming) -> None:
        self.server = server
        self.offer = offer
        self._name = name
        self.tools: list[Entry] = []
        self.prompts: list[Entry] = []
        self.rules: dict[str, Rules] = {}
        self.omitted: list[Omitted] = []
        self.subscribable = _declares_subscriptions(offer)
        self._support = support_of(offer)
        self._required: set[str] = set()
        for item in offer.of(ItemKind.TOOL):
            self._add_tool(item, name(server, item.name))
        for item in offer.of(ItemKind.PROMPT):
            self._add_prompt(item, name(server, item.name))
        self.tasking = Tasking(self._support, frozenset(self._required))

    def named_by(self, name: Naming) -> bool:
        """Say whether the items have the names that ``name`` gives them."""
        return name is self._name or all(
            name(self.server, item.name) == self._name(self.server, item.name)
            for item in self.offer.items
            if item.kind in (ItemKind.TOOL, ItemKind.PROMPT)
        )

    def located(self, kind: ItemKind, shown: dict[str, str]) -> list[Entry]:
        """Return resources or templates; ``shown`` maps those own URIs to the exposed ones that differ from them."""
        member = "uri" if kind is ItemKind.RESOURCE else "uriTemplate"
        entries = []
        for item in self.offer.of(kind):
            uri = shown.get(item.name, item.name)
            raw = item.raw
            if uri != item.name:
                fields = self._open(item)
                if fields is None:
                    continue
                fields[member] = Raw(encode(uri))
                raw = encode(fields)
            entries.append(Entry(uri, raw, raw))
        return entries

    def _add_tool(self, item: Definition, key: str) -> None:
        fields = self._open(item)
        if fields is None:
            return None
        fields["name"] = Raw(encode(key))
        schema = _object_schema(fields.get("inputSchema"))
        if schema is None:
            return self._omit(item, "its inputSchema describes no object")
        fields["inputSchema"] = schema
        modern, legacy = self._in_both_eras(item, fields)
        self.tools.append(Entry(key, modern, legacy))
        rules = rules_of(schema)
        if rules:
            self.rules[key] = rules
        return None

    def _in_both_eras(self, item: Definition, fields: dict[str, Raw]) -> tuple[bytes, bytes]:
        """Return a tool's JSON for modern and for legacy clients."""
        execution, output = fields.get("execution"), fields.get("outputSchema")
        for_modern, for_legacy, is_required = listed(execution, self._support)
        if is_required:
            self._required.add(item.name)
        modern = encode(_with(fields, "execution", for_modern))
        if for_legacy is for_modern and (output is None or _type_of(output) == _OBJECT):
            return modern, modern
        shown = output if output is None or _type_of(output) == _OBJECT else None
        return modern, encode(_with(_with(fields, "execution", for_legacy), "outputSchema", shown))

    def _add_prompt(self, item: Definition, key: str) -> None:
        fields = self._open(item)
        if fields is not None:
            fields["name"] = Raw(encode(key))
            raw = encode(fields)
            self.prompts.append(Entry(key, raw, raw))

    def _open(self, item: Definition) -> dict[str, Raw] | None:
        try:
            return decode_object(item.raw)
        except UNREADABLE:
            self._omit(item, "its definition is no JSON object")
            return None

    def _omit(self, item: Definition, reason: str) -> None:
        self.omitted.append(Omitted(self.server, item.name, reason))


def _with(fields: dict[str, Raw], member: str, value: Raw | None) -> dict[str, Raw]:
    """Return the fields with one of them changed, in its place, or left out."""
    if fields.get(member) is value:
        return fields
    changed = {name: value if name == member else raw for name, raw in fields.items()}
    return {name: raw for name, raw in changed.items() if raw is not None}


class _Resources(msgspec.Struct, frozen=True):
    subscribe: bool = False


class _Declared(msgspec.Struct, frozen=True):
    resources: _Resources = _Resources()


def _declares_subscriptions(offer: Offer) -> bool:
    try:
        return msgspec.json.decode(offer.capabilities, type=_Declared).resources.subscribe
    except UNREADABLE:
        return False


def _object_schema(schema: Raw | None) -> Raw | None:
    """Return an input schema whose type is ``object`` (specification, "Tool": it has to be), or ``None``."""
    if schema is None:
        return Raw(b'{"type":"object"}')
    kind = _type_of(schema)
    if kind == _OBJECT:
        return schema
    try:
        fields = decode_object(schema)
        if kind is None or "object" in msgspec.json.decode(kind, type=list[str]):
            return Raw(encode({**fields, "type": _OBJECT}))
    except UNREADABLE:
        pass
    return None


def _type_of(schema: Raw) -> Raw | None:
    try:
        return decode_object(schema).get("type")
    except UNREADABLE:
        return None
