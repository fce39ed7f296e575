"""The tools that the source of a server declares, read without running it: names, and what is said of each.

Python by its syntax tree: functions under a decorator ``tool``, functions handed to one, ``Tool(name=…)`` and mappings
with ``name``, ``description`` and ``inputSchema``. JavaScript by pattern, for most of it is bundled:
``tool("name", …)``, ``registerTool("name", {…})`` and objects with the same keys. What is put together at run time is
not seen.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

MOST: Final = 100
"""So many tools of one package are kept, of more every second, third, …: they are somebody's whole API, wrapped."""

_NAME: Final = re.compile(r"[A-Za-z][\w./:-]{1,63}")
_SKIPPED: Final = re.compile(
    r"(?:^|/)(?:tests?|__tests__|examples?|fixtures?|samples?|docs?|benchmarks?|node_modules|\.venv|site-packages)/"
    r"|(?:^|/)(?:test_[^/]*|conftest|setup)\.py$|\.(?:test|spec)\.[cm]?[jt]s$",
    re.IGNORECASE,
)
_REGISTERS: Final = re.compile(r"(?!call|list|get|handle|find|run|on_)\w*tool$|from_function$")
_SCHEMAS: Final = frozenset({"inputSchema", "input_schema", "parameters"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


class Declared(NamedTuple):
    """One tool: its name and what is said of it, "" where nothing is."""

    name: str
    description: str = ""


def declared(files: Mapping[str, bytes]) -> list[Declared]:
    """Return the tools that the files (path → content) of a package declare, by name, each once, the fullest one."""
    found: dict[str, Declared] = {}
    for tool in _all(files):
        known = found.get(tool.name)
        if _NAME.fullmatch(tool.name) and (known is None or len(tool.description) > len(known.description)):
            found[tool.name] = tool
    return fewer([found[name] for name in sorted(found)])


def fewer(tools: list[Declared]) -> list[Declared]:
    """Return as many as are kept, from all over the alphabet."""
    return tools[:: -(-len(tools) // MOST) or 1]


def kept(path: Path) -> dict[tuple[str, str], list[Declared]]:
    """Return the tools of each package by kind and name, from the file that ``read_tools.py`` writes."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return {(kind, name): [Declared(*tool) for tool in tools] for kind, name, _, tools in rows}


def _all(files: Mapping[str, bytes]) -> Iterator[Declared]:
    texts = {path: files[path].decode("utf-8", "replace") for path in sorted(files) if not _SKIPPED.search(path)}
    trees = [tree for path, text in texts.items() if path.endswith(".py") and (tree := _tree(text)) is not None]
    functions = {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)}
    for tree in trees:
        yield from _Module(tree, functions).tools()
    for path, text in texts.items():
        if not path.endswith(".py"):
            yield from _of_javascript(text)


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Module:
    """One module of a package: what names stand for in it."""

    def __init__(self, tree: ast.Module, functions: Mapping[str, _Function]) -> None:
        self._tree = tree
        self._functions = functions
        self._texts: dict[str, str] = {}
        self._imported: dict[str, str] = {}
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(names=names):
                    self._imported |= {each.asname or each.name: each.name for each in names}
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if text := self._text(value):
                    self._texts[name] = text

    def tools(self) -> Iterator[Declared]:
        for node in ast.walk(self._tree):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield from (tool for each in node.decorator_list for tool in self._decorated(node, each))
                case ast.Call():
                    yield from self._called(node)
                case ast.Dict():
                    keys = (str(key.value) if isinstance(key, ast.Constant) else "" for key in node.keys)
                    yield from self._written(dict(zip(keys, node.values, strict=True)))

    def _decorated(self, function: _Function, decorator: ast.expr) -> Iterator[Declared]:
        call = decorator if isinstance(decorator, ast.Call) else None
        if _REGISTERS.match(_last(call.func if call else decorator).lower()):
            yield self._of(function, call.args if call else [], call)

    def _called(self, call: ast.Call) -> Iterator[Declared]:
        last = _last(call.func).lower()
        given = {part.arg: part.value for part in call.keywords if part.arg}
        if last.endswith("tool") and "name" in given and ("description" in given or _SCHEMAS & given.keys()):
            yield Declared(self._text(given["name"]), self._text(given.get("description")))
        named = _last(call.args[0]) if call.args else ""
        function = self._functions.get(self._imported.get(named, named))
        if function is not None and _REGISTERS.match(last):
            yield self._of(function, call.args[1:], call)
        elif isinstance(call.func, ast.Call) and _REGISTERS.match(_last(call.func.func).lower()):
            if function is not None:
                yield self._of(function, call.func.args, call.func)
            elif named in self._imported:
                yield Declared(self._imported[named])

    def _written(self, keys: Mapping[str, ast.expr]) -> Iterator[Declared]:
        if "name" in keys and "description" in keys and _SCHEMAS & keys.keys():
            yield Declared(self._text(keys["name"]), self._text(keys["description"]))

    def _of(self, function: _Function, args: Sequence[ast.expr], call: ast.Call | None) -> Declared:
        """Return the tool that a function becomes: by what is given for it, else by its own name and docstring."""
        given = {part.arg: part.value for part in call.keywords} if call else {}
        name, said = (*map(self._text, args[:2]), "", "")[:2]
        name, said = self._text(given.get("name")) or name, self._text(given.get("description")) or said
        return Declared(name or function.name, said or ast.get_docstring(function) or "")

    def _text(self, node: ast.expr | None) -> str:
        """Return the text of an expression as far as it stands in the module."""
        match node:
            case ast.Constant(value=str(value)):
                return " ".join(value.split())
            case ast.JoinedStr(values=parts):
                return " ".join(filter(None, map(self._text, parts)))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return f"{self._text(left)} {self._text(right)}".strip()
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return self._texts.get(name, "")
            case ast.Call(func=ast.Attribute(value=inner, attr="strip" | "format" | "lstrip" | "rstrip")):
                return self._text(inner)
            case ast.Call(args=[inner], func=function) if _last(function) in {"dedent", "cleandoc"}:
                return self._text(inner)
        return ""


def _last(node: ast.expr) -> str:
    """Return the last part of a dotted name ("mcp.tool" → "tool"); "" for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


_STRING: Final = r"""(?:"((?:[^"\\\n]|\\.){0,9000})"|'((?:[^'\\\n]|\\.){0,9000})'|`((?:[^`\\]|\\.){0,9000})`)"""
_CALL: Final = re.compile(
    r"\b(?:(tool|\w*[a-z]Tool)\(\s*(?:(?:server|mcp)\s*,\s*)?|[\w$]+\(\s*server\s*,\s*)"
    r"(?:" + _STRING + r"|(?:[\w$]+\.)*([A-Za-z_]\w*))\s*,\s*(?:" + _STRING + r"|[\w$]*)"
)
_NAMED: Final = re.compile(r"""(?:[{,(]\s*|\b)["']?name["']?\s*:\s*""" + _STRING + r"\s*,")
_SAID: Final = re.compile(r"""["']?description["']?\s*:\s*""" + _STRING)
_SCHEMA: Final = re.compile(
    r"""["']?(?:inputSchema|input_schema|parameters|schema|annotations|handler|execute)["']?\s*[:,(]"""
)
_ESCAPE: Final = re.compile(r"\\(?:[nrt]|(.))", re.DOTALL)
_PLAINLY: Final = ("tool", "registerTool", "registerAppTool")
_BEFORE, _NEAR, _AFTER = 150, 300, 1_500


def _of_javascript(text: str) -> Iterator[Declared]:
    for call in _CALL.finditer(text):
        literal = _string(call, 2)
        name = literal or (call[5] if call[1] else "")
        description = _string(call, 6) or _string(_SAID.search(text, call.end(), call.end() + _NEAR), 1)
        if description or (literal and call[1] in _PLAINLY):
            yield Declared(name, description)
    for entry in _NAMED.finditer(text):
        said = _SAID.search(text, entry.end(), entry.end() + _NEAR)
        near = (entry.start() - _BEFORE, entry.end()), (entry.end(), said.end() + _AFTER if said else 0)
        if said and any(_SCHEMA.search(text, max(0, begin), end) for begin, end in near):
            yield Declared(_string(entry, 1), _string(said, 1))


def _string(match: re.Match[str] | None, group: int) -> str:
    """Return what one of three groups (one for each kind of quotes) holds, escapes read as blanks."""
    if match is None:
        return ""
    held = next((part for part in match.groups()[group - 1 : group + 2] if part is not None), "")
    return " ".join(_ESCAPE.sub(lambda found: found.group(1) or " ", held).split())
