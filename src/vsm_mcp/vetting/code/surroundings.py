"""The names of a program: scopes, members, what is assigned to what; and the record of what happens."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vsm_mcp.vetting.code import meaning
from vsm_mcp.vetting.code.calls import Event
from vsm_mcp.vetting.code.constant import UNKNOWN
from vsm_mcp.vetting.code.program import Assign, Function, Group, Index, Member, Name, Node, Record
from vsm_mcp.vetting.code.value import NOTHING, Value, merge

_GLOBALS: Final = ("globalThis.", "global.", "window.", "self.", "builtins.", "__builtins__.", "this.")
_ALIASES: Final = {
    "process.mainModule.require": "require",
    "module.require": "require",
    "module.createRequire": "createRequire",
}
SELVES: Final = frozenset({"this", "self", "cls", "exports"})
_NUMBERS: Final = frozenset({"pid", "ppid", "port", "length", "size", "index", "timeout", "id_number"})
_CONTENTS: Final = frozenset({"stdout", "output", "text", "content", "data", "body", "buffer", "stderr"})
_BLIND_COPIES: Final = frozenset({"bcc", "bccrecipients", "bccaddresses", "bccemails"})
_MAIL: Final = re.compile(r"[^\s@\x00]@[^\s@\x00]+\.\w")


@dataclass(eq=False, slots=True)
class Scope:
    """The variables of one function; ``older`` are their values after the last pass."""

    function: Function | None
    parent: Scope | None
    names: dict[str, Value] = field(default_factory=dict)
    older: dict[str, Value] = field(default_factory=dict)


@functools.lru_cache(maxsize=65536)
def of_path(path: str) -> Value:
    """Return what a dotted name stands for: itself, without the words before it that change nothing."""
    path = path.replace(".default.", ".").removesuffix(".default")
    for prefix in _GLOBALS:
        path = path.removeprefix(prefix)
    path = _ALIASES.get(path, path)
    tags = frozenset({"env"}) if path in meaning.ENVIRONMENTS else frozenset[str]()
    if path.startswith(meaning.ARGUMENTS):
        tags |= {"arguments"}
    return Value(path=path, tags=tags)


class Surroundings:
    """What is known of all names, and where in the program we are."""

    def __init__(self) -> None:
        self._top = Scope(None, None)
        self._scopes: dict[int, Scope] = {}
        self._attributes: dict[str, Value] = {}
        self._given: dict[tuple[int, int], Value] = {}
        self._returns: dict[int, Value] = {}
        self._calls: set[tuple[int, int]] = set()
        self._events: list[tuple[int, Event]] = []
        self._scope = self._top
        self._gates = 0
        self._last = False
        self._calls_only = False
        self._steps = 0
        self._line = 0

    def finished(self) -> list[Event]:
        """Return what happened; what nothing holds back from happening is marked ``reached``."""
        reached, queue = {0}, [0]
        while queue:
            caller = queue.pop()
            for source, target in self._calls:
                if source == caller and target not in reached:
                    reached.add(target)
                    queue.append(target)
        for function, event in self._events:
            event.reached = not event.gated and function in reached
        return [event for _, event in self._events]

    @property
    def _here(self) -> int:
        return id(self._scope.function) if self._scope.function else 0

    def _named(self, name: str) -> Value:
        scope: Scope | None = self._scope
        while scope is not None:
            new, old = scope.names.get(name), scope.older.get(name)
            if new is not None:
                return new if old is None or old.tags <= new.tags else merge([new, old], text=new.text, like=new)
            if old is not None:
                return old
            scope = scope.parent
        return of_path(name)

    def _member(self, base: Value, name: str, node: Node | None = None) -> Value:
        if base.fields is not None and name in base.fields:
            return base.fields[name]
        if name == "constructor" and (base.function or base.path in {"constructor", "Object.getPrototypeOf()"}):
            return Value(path="Function")
        if base.path:
            found = of_path(f"{base.path}.{name}")
        else:
            found = Value(path="" if name != "constructor" else "constructor")
        lost = {"env", "caller", "net", "tool"} if name in _NUMBERS else set[str]() if name in _CONTENTS else {"env"}
        extra = base.tags - lost
        kept = self._attributes.get(name) if isinstance(node, Name) and node.id in SELVES else None
        if kept is not None:
            return merge([found, kept], text=kept.text, like=kept if kept.path or kept.function else found, tags=extra)
        return merge([found], like=found, tags=extra, text=base.text if name in {"href", "parent"} else None)

    def _part(self, base: Value, key: Value) -> Value:
        whole = base.tags if base.path in meaning.ENVIRONMENTS and "env" in key.tags else base.tags - {"env"}
        parts = list((base.fields or {}).values())
        return merge(parts, tags=whole | (key.tags - {"env", "caller", "tool", "net", "arguments"}))  # what it picks

    def _join(self, parts: Sequence[Value], separator: str = "") -> Value:
        if parts and all(part.text is None for part in parts):
            return merge(parts)
        text = separator.join(UNKNOWN if part.text is None else part.text for part in parts)[: meaning.MAX_TEXT * 4]
        return merge(parts, text=text, tags=meaning.tags_of(text))

    def _bind(self, name: str, value: Value) -> None:
        old = self._scope.names.get(name)
        if old is not None and not old.tags <= value.tags:
            value = merge([old, value], text=value.text, like=value)
        self._scope.names[name] = value

    def _outer(self, name: str, value: Value) -> None:
        """Bind a name where it lives already: closures write to their surroundings."""
        scope: Scope | None = self._scope
        while scope is not None and name not in scope.names and name not in scope.older:
            scope = scope.parent
        inside, self._scope = self._scope, scope or self._scope
        self._bind(name, value)
        self._scope = inside

    def _assign(self, target: Node, value: Value) -> None:
        match target:
            case Name():
                self._outer(target.id, value)
            case Record():
                for key, inner in target.entries:
                    name = self.value(key).text if key else None
                    self._assign(inner, self._member(value, name) if name else value)
            case Group():
                for place, inner in enumerate(target.items):
                    fields = value.fields or {}
                    self._assign(inner, fields.get(str(place), merge([value])))
            case Member() | Index():
                self._assign_member(target, value)
            case Assign():  # a pattern with a default
                self._assign(target.target, value)

    def _assign_member(self, target: Member | Index, value: Value) -> None:
        name = target.name if isinstance(target, Member) else self.value(target.key).text
        base = self.value(target.base)
        if base.path and name:
            self._event("replace", target.line, f"{base.path}.{name}", value.tags)
        if name:
            self._mail(name, value, target.line)
            if isinstance(target.base, Name) and target.base.id in SELVES:
                old = self._attributes.get(name, NOTHING)
                self._attributes[name] = merge([old, value], text=value.text, like=value)
        if isinstance(target.base, Name) and target.base.id not in SELVES and not base.path:
            whole = merge([base, value], fields={**(base.fields or {}), **({name: value} if name else {})}, like=base)
            self._outer(target.base.id, whole)

    def _mail(self, key: str, value: Value, line: int) -> None:
        if not self._last or key.lower().replace("_", "") not in _BLIND_COPIES:
            return
        texts = [value.text or "", *(each.text or "" for each in (value.fields or {}).values())]
        mail = next((text for text in texts if _MAIL.search(text)), "")
        if mail:
            self._event("blind_copy", line, key, value.tags, mail)

    def _event(self, kind: str, line: int, what: str, tags: frozenset[str], text: str = "") -> None:
        if self._last and len(self._events) < 20_000:
            gated = bool(self._gates)
            self._events.append((self._here, Event(kind=kind, line=line, what=what, tags=tags, text=text, gated=gated)))

    def value(self, node: Node) -> Value:
        """Return what is known of a node's value; the engine says how."""
        raise NotImplementedError
