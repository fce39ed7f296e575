"""Follows values through a program and records what happens to them.

Not an interpreter: branches are all taken, order is the order of the text, and after three passes what may flow where
is known well enough. A value has *tags*: where it comes from (the environment, a secret file, the network, a caller),
and what it is about (a place, a host). An event is a capability at work, with the tags of what it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from vsm_mcp.vetting.code import meaning
from vsm_mcp.vetting.code.calls import Event, Seen, judge_call
from vsm_mcp.vetting.code.constant import UNKNOWN, decoded, method_result
from vsm_mcp.vetting.code.program import (
    Assign,
    Branch,
    Call,
    Function,
    Group,
    Import,
    Index,
    Join,
    Member,
    Mix,
    Name,
    Node,
    Record,
    Return,
    Text,
)  # fmt: skip
from vsm_mcp.vetting.code.schemas import closed_choices
from vsm_mcp.vetting.code.surroundings import SELVES, Scope, Surroundings, of_path
from vsm_mcp.vetting.code.value import NOTHING, Value, merge

_PASSES: Final = 3
_WRAPPERS: Final = frozenset({"promisify", "partial", "bind", "wraps", "callbackify", "cache"})
_JOINERS: Final = frozenset(
    {"path.join", "path.resolve", "os.path.join", "path.posix.join", "path.win32.join", "pathlib.Path", "URL", "file",
     "pathlib.PurePath", "os.path.expanduser", "pathlib.PosixPath", "os.path.abspath", "os.path.normpath"}
)  # fmt: skip
_COMMON_METHODS: Final = frozenset(
    {"get", "set", "add", "then", "catch", "map", "push", "call", "send", "write", "read", "open", "close", "end", "on"}
)
_HOLE: Final = re.compile(r"\{[^{}]{0,40}\}")
_NO_TEXT: Final = frozenset({"pid", "ppid", "port"})  # that a shell could misread
_MOST_NODES: Final = 1_500_000


class TooMuch(Exception):
    """A program is larger than can be followed."""


def follow(program: Sequence[Node], passes: int = _PASSES) -> list[Event]:
    """Return the events of a program; those that happen by themselves when it is loaded are marked ``reached``."""
    flow = _Flow()
    for number in range(passes):
        flow.run(program, calls_only=number == 0 and passes > 2, last=number == passes - 1)
    return flow.finished()


class _Flow(Surroundings):
    """The engine: what each kind of node and each call means."""

    def run(self, program: Sequence[Node], *, calls_only: bool, last: bool) -> None:
        """Go through a program once; ``calls_only``: who calls whom is not known yet, so nobody is a stranger."""
        self._last, self._steps, self._calls_only, self._gates = last, 0, calls_only, 0
        for scope in (self._top, *self._scopes.values()):
            scope.older, scope.names = scope.names, {}
        self._hoist(program)
        for node in program:
            self.value(node)

    def _hoist(self, body: Iterable[Node]) -> None:
        for node in body:
            if isinstance(node, Function) and node.name:
                self._bind(node.name, Value(function=node))

    def value(self, node: Node) -> Value:  # noqa: C901 - one case a kind of node
        self._steps += 1
        if self._steps > _MOST_NODES:
            raise TooMuch("it is too large to be followed")
        match node:
            case Text():
                tags = meaning.tags_of(node.value)
                if tags & {"wallet", "wallet_pattern"}:
                    self._event("wallet", node.line, "wallet", tags)
                return Value(text=node.value, tags=tags)
            case Name():
                return self._named(node.id)
            case Member():
                return self._member(self.value(node.base), node.name, node.base)
            case Index():
                return self._index(node)
            case Call():
                return self._call(node)
            case Join():
                return self._join([self.value(part) for part in node.parts], node.separator)
            case Record():
                return self._record(node)
            case Group():
                items = [self.value(item) for item in node.items]
                return merge(items, fields={str(place): item for place, item in enumerate(items)})
            case _:
                return self._statement(node)

    def _statement(self, node: Node) -> Value:
        match node:
            case Mix():
                return self._mix(node)
            case Assign():
                value = self.value(node.value)
                self._assign(node.target, value)
                return value
            case Function():
                return self._function(node)
            case Branch():
                asked = self.value(node.test).tags
                gated = bool(asked & {"arguments", "caller"})
                self._gates += gated
                for each in node.body:
                    self.value(each)
                self._gates -= gated and not ("arguments" in asked and _ends(node.body))  # else the rest is behind it
            case Return():
                value, here = self.value(node.value), self._here
                self._returns[here] = merge([self._returns.get(here, NOTHING), value], text=value.text, like=value)
                return value
            case Import():
                self._imported(node)
        return NOTHING

    def _index(self, node: Index) -> Value:
        base, key = self.value(node.base), self.value(node.key)
        if key.text is not None and UNKNOWN not in key.text:
            return self._member(base, key.text, node.base)
        return self._part(base, key)

    def _record(self, node: Record) -> Value:
        fields: dict[str, Value] = {}
        every: list[Value] = []
        for key, node_value in node.entries:
            name, value = (self.value(key) if key else NOTHING), self.value(node_value)
            every += [value, name]
            if key is None and value.fields:
                fields |= value.fields
            elif name.text is not None:
                fields[name.text] = value
                self._mail(name.text, value, node.line)
        return merge(every, fields=fields)

    def _mix(self, node: Mix) -> Value:
        values = [self.value(part) for part in node.parts]
        kept = [value for value in values if value.function or value.path or value.text]
        return merge(values, text=kept[0].text if kept else None, like=kept[0] if kept else None)

    def _function(self, node: Function) -> Value:
        if node.name:
            self._bind(node.name, Value(function=node))
        scope = self._scopes.get(id(node))
        if scope is None:
            scope = self._scopes[id(node)] = Scope(node, self._scope)
        outer, self._scope = self._scope, scope
        gates, self._gates = self._gates, 0
        for place, param in enumerate(node.params):
            given = self._given.get((id(node), place))
            closed = (isinstance(param, Name) and (param.id in _NO_TEXT or param.id in node.closed)) or self._calls_only
            told = set[str]() if closed else {"caller", "tool"} if node.registered else {"caller"}
            self._assign(param, Value(tags=frozenset(told)) if given is None else given)
        self._hoist(node.body)
        for each in node.body:
            self.value(each)
        self._scope, self._gates = outer, gates
        return Value(function=node)

    def _imported(self, node: Import) -> None:
        module = _module(node.module)
        for local, original in node.names:
            self._bind(local, of_path(f"{module}.{original}" if original else module))

    def _call(self, node: Call) -> Value:
        receiver, method, self._line = NOTHING, "", node.line
        if isinstance(node.callee, Member | Index):  # each part once: chains of calls are long
            receiver = self.value(node.callee.base)
            key = Value(text=node.callee.name) if isinstance(node.callee, Member) else self.value(node.callee.key)
            method = key.text or ""
            callee = self._member(receiver, method, node.callee.base) if method else self._part(receiver, key)
        else:
            callee = self.value(node.callee)
        args = [self.value(arg) for arg in node.args]
        named = {name: self.value(value) for name, value in node.named}
        if method in {"call", "apply"} and (receiver.path or receiver.function) and not meaning.call_kind(callee.path):
            callee, args = receiver, args[1:]
            if method == "apply" and args:
                args = list((args[0].fields or {"0": args[0]}).values())
        special = self._special(callee, method, receiver, args)
        if special is not None:
            return special
        method = method or callee.path.rpartition(".")[2]
        self._callbacks(callee, receiver, [*args, *named.values()], method)
        function = callee.function or self._method(node.callee, callee, method)
        if function is not None:
            return self._local(function, args, named)
        for name, value in named.items():
            self._mail(name, value, node.line)
        if len(args) > 1 and args[0].text:
            self._mail(args[0].text, args[1], node.line)
        seen = Seen(node.line, callee.path, method, receiver, tuple(args), named)
        for event in judge_call(seen):
            self._event(event.kind, node.line, event.what, event.tags, event.text)
        self._absorb(node.callee, method, args)
        return self._result(seen)

    def _method(self, node: Node, callee: Value, method: str) -> Function | None:
        """A method of a class of this file, on itself or on an object of which nothing else is known."""
        own = isinstance(node, Member) and isinstance(node.base, Name) and node.base.id in SELVES
        unknown = not callee.path and len(method) > 2 and method not in _COMMON_METHODS
        return self._named(method).function if method and (own or unknown) else None

    def _special(self, callee: Value, method: str, receiver: Value, args: list[Value]) -> Value | None:  # noqa: C901 - one line a call
        path, first = callee.path, (args[0] if args else NOTHING)
        if path.removesuffix("()").endswith("createRequire") and not path.endswith(")"):
            return Value(path="require")
        if path in {"require", "import", "__import__", "importlib.import_module", "process.getBuiltinModule"} and args:
            return self._loaded(first)
        if path in {"getattr", "Reflect.get"} and len(args) > 1 and args[1].text is not None:
            return self._member(first, args[1].text)
        if path in {"globals", "locals", "vars"} and not args:
            return Value(path="globalThis")
        if path == "" and receiver.path == "" and method == "get" and args and first.text:
            return self._member(receiver, first.text) if receiver.fields else None
        name = method or path.rpartition(".")[2]
        if name in _WRAPPERS and (first.path or first.function or receiver.path):
            return first if first.path or first.function else receiver
        if name == "__getattribute__" and first.text:
            return self._member(receiver, first.text)
        if name == "format" and receiver.text is not None:
            shape = self._join([Value(text=UNKNOWN.join(_HOLE.split(receiver.text))), *args])
            known = self._join([Value(text=_filled(receiver.text, args))])
            return merge([shape, known], text=known.text)
        if name in {"object", "strictObject"} and first.fields is not None and "zod" in path:
            return merge([first], like=first)
        if path in _JOINERS and args:
            return self._join(args, "/")
        if name == "join" and (args or receiver.fields is not None):
            return self._joined(receiver, args)
        return None

    def _loaded(self, first: Value) -> Value:
        """``require(…)``: a module by its name, or code that came as a text or lies in a file."""
        if not first.text:
            return merge([first], path="required")
        if first.text.startswith(("data:", "blob:")):
            self._event("evaluate", self._line, "import", first.tags | {"decoded"}, first.text)
        elif first.text.startswith((".", "/", UNKNOWN)):
            self._event("load", self._line, "import", first.tags, first.text)
        return of_path(_module(first.text))

    def _joined(self, receiver: Value, args: list[Value]) -> Value:
        """``[…].join(s)`` and ``s.join([…])``."""
        items, separator = (receiver, args[0] if args else Value(text=",")), None
        if receiver.fields is None and args and args[0].fields is not None:
            items = (args[0], receiver)
        separator = items[1].text or ""
        if items[0].fields is None:
            return merge([*items, *args], text=items[0].text)
        joined = self._join([*items[0].fields.values()], separator)
        return merge([joined, *items], text=joined.text)

    def _local(self, function: Function, args: list[Value], named: dict[str, Value]) -> Value:
        names = [param.id if isinstance(param, Name) else "" for param in function.params]
        shift = 1 if names[:1] in (["self"], ["cls"]) else 0
        pairs = [(place + shift, value) for place, value in enumerate(args)]
        pairs += [(names.index(name), value) for name, value in named.items() if name in names]
        for place, value in pairs:
            old = self._given.get((id(function), place), NOTHING)
            self._given[id(function), place] = merge([old, value], text=value.text, like=value)
        if not self._gates:
            self._calls.add((self._here, id(function)))
        return self._returns.get(id(function), NOTHING)

    def _callbacks(self, callee: Value, receiver: Value, args: list[Value], method: str) -> None:
        """Functions given to a call: what they get, and whether they run at once."""
        flows = merge([receiver, *args])
        kind = meaning.call_kind(callee.path) if flows.tags or receiver.path else ""
        tags = flows.tags | ({"net"} if kind == "network" or "conn" in flows.tags else set())
        if method in meaning.names("read") and "secret" in tags:
            tags |= {"secret_read", *(["hard"] if "hard_secret" in tags else [])}
        for arg in args:
            if arg.function is None:
                continue
            fresh = tags or (frozenset({"caller", "tool"}) if method in meaning.names("later") else frozenset[str]())
            fields = closed_choices(args) if fresh else None
            for place in range(len(arg.function.params)):
                key = (id(arg.function), place)
                self._given[key] = merge([self._given.get(key, NOTHING)], tags=frozenset(fresh), fields=fields or None)
            if method not in meaning.names("later") and not self._gates:
                self._calls.add((self._here, id(arg.function)))

    def _absorb(self, callee: Node, method: str, args: list[Value]) -> None:
        """``list.append(secret)``: the list is secret from then on."""
        tags = merge(args).tags & {"env", "secret_read", "hard", "decoded", "spelled", "net"}
        if tags and method in meaning.names("carry") and isinstance(callee, Member) and isinstance(callee.base, Name):
            base = self._named(callee.base.id)
            if not base.path:
                self._outer(callee.base.id, merge([base], tags=tags, like=base, text=base.text))

    def _result(self, seen: Seen) -> Value:
        given = [arg.text for arg in seen.args]
        text = decoded(seen.path, seen.method, seen.receiver.text, given)
        opened = text is not None
        if text is None:
            text = method_result(seen.method, seen.receiver.text, given)
            opened = seen.method in {"reverse", "reversed"}
        if (
            text is None
            and seen.method in {"str", "bytes", "String", "encode", "Path", "Buffer", "bytearray", "URL", "open"}
            and given
        ):
            text = given[0]
        parts = [seen.receiver, *seen.args, *seen.named.values()]
        returned = [self._returns.get(id(arg.function), NOTHING) for arg in seen.args if arg.function]
        tags = merge([*parts, *returned]).tags
        if seen.method not in meaning.names("carry"):
            tags -= {"env"}
        if seen.path in meaning.ENVIRONMENT_CALLS:
            tags |= {"env"}
        if seen.method in meaning.names("plain"):
            tags -= {"conn"}
        if seen.method in meaning.names("quote"):
            tags -= {"caller", "tool", "net", "arguments"}
        tags |= seen.gained
        if text is not None:
            tags |= meaning.tags_of(text) | ({"spelled"} if opened else set())
        return Value(text=text, path=f"{seen.path}()" if seen.path else "", tags=frozenset(tags))


def _ends(body: Sequence[Node]) -> bool:
    """Whether a branch leaves the function, or the program."""
    last = body[-1] if body else None
    if isinstance(last, Mix) and last.parts:
        last = last.parts[-1]
    if not isinstance(last, Call):
        return isinstance(last, Return)
    name = last.callee.name if isinstance(last.callee, Member) else getattr(last.callee, "id", "")
    return name in {"exit", "quit", "_exit"}


def _filled(shape: str, args: Sequence[Value]) -> str:
    """Return ``shape.format(*args)`` with NUL for what is not known."""
    given = iter([UNKNOWN if arg.text is None else arg.text for arg in args])
    return _HOLE.sub(lambda _found: next(given, UNKNOWN), shape)


def _module(name: str) -> str:
    return name.removeprefix("node:").replace("/promises", ".promises") if "fs" in name else name.removeprefix("node:")
