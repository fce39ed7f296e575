"""JavaScript and TypeScript → the small language, by tree-sitter, which reads whatever it is given."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript

from vsm_mcp.vetting.code.program import (
    MAX_DEPTH,
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
    TooDeep,
)  # fmt: skip

Syntax: TypeAlias = tree_sitter.Node
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r?\n)|(.))", re.DOTALL)
_PLAIN_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_FUNCTIONS: Final = frozenset(
    {"function_declaration", "function_expression", "arrow_function", "method_definition", "function",
     "generator_function", "generator_function_declaration"}
)  # fmt: skip


@functools.cache
def _parser(*, typed: bool) -> tree_sitter.Parser:
    language = tree_sitter_typescript.language_tsx() if typed else tree_sitter_javascript.language()
    return tree_sitter.Parser(tree_sitter.Language(language))


def parse(source: bytes, *, typed: bool) -> Syntax:
    """Return the root of the syntax tree; ``typed`` for TypeScript."""
    return _parser(typed=typed).parse(source).root_node


def read_javascript(root: Syntax) -> list[Node]:
    """Return the program of a tree. Raises :class:`TooDeep`."""
    return _Reader().block(root)


def read_part(part: Syntax) -> Node:
    """Return the program of one part of a tree."""
    return _Reader().read(part)


def text_of(node: Syntax) -> str:
    """Return the source of a node."""
    return (node.text or b"").decode("utf-8", "replace")


class _Reader:
    def __init__(self) -> None:
        self._depth = 0

    def block(self, node: Syntax) -> list[Node]:
        return [self.read(child) for child in node.named_children if child.type != "comment"]

    def read(self, node: Syntax | None) -> Node:
        if node is None:
            return Mix(0, [])
        if self._depth > MAX_DEPTH:
            raise TooDeep("it is nested deeper than anybody writes")
        self._depth += 1
        try:
            reader = _READERS.get(node.type)
            return reader(self, node) if reader else Mix(_line(node), self.block(node))
        finally:
            self._depth -= 1

    def name(self, node: Syntax) -> Node:
        return Name(_line(node), text_of(node))

    def string(self, node: Syntax) -> Node:
        return Text(_line(node), unescape(text_of(node)[1:-1]))

    def number(self, node: Syntax) -> Node:
        raw = text_of(node).replace("_", "").rstrip("n")
        try:
            return Text(_line(node), str(int(raw, 0)) if len(raw) < 30 else raw)
        except ValueError:
            return Text(_line(node), raw)

    def regex(self, node: Syntax) -> Node:
        return Text(_line(node), text_of(node))

    def kind(self, node: Syntax) -> Node:
        """A class: calling its name is calling its constructor."""
        line, name, body = _line(node), node.child_by_field_name("name"), node.child_by_field_name("body")
        members = self.block(body) if body is not None else []
        made = [each for each in members if isinstance(each, Function) and each.name == "constructor"]
        if name is None or not made:
            return Mix(line, members)
        return Mix(line, [*members, Assign(line, Name(line, text_of(name)), made[0])])

    def template(self, node: Syntax) -> Node:
        parts: list[Node] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts += self.block(child)
            else:
                parts.append(Text(_line(child), unescape(text_of(child))))
        return Join(_line(node), parts) if len(parts) != 1 or not isinstance(parts[0], Text) else parts[0]

    def member(self, node: Syntax) -> Node:
        prop = node.child_by_field_name("property")
        return Member(_line(node), self.read(node.child_by_field_name("object")), text_of(prop) if prop else "")

    def index(self, node: Syntax) -> Node:
        base, key = node.child_by_field_name("object"), node.child_by_field_name("index")
        return Index(_line(node), self.read(base), self.read(key))

    def call(self, node: Syntax) -> Node:
        callee = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        given = node.child_by_field_name("arguments")
        if given is not None and given.type == "template_string":
            args = [self.read(given)]
        else:
            args = self.block(given) if given else []
        return Call(_line(node), self.read(callee), args)

    def binary(self, node: Syntax) -> Node:
        operator = node.child_by_field_name("operator")
        sign = operator.type if operator else ""
        parts: list[Syntax | None] = []
        left: Syntax | None = node
        while left is not None and left.type == "binary_expression" and _sign(left) == sign:
            parts.append(left.child_by_field_name("right"))
            left = left.child_by_field_name("left")
        values = [self.read(each) for each in (left, *reversed(parts))]
        if sign == "^":
            return Call(_line(node), Name(_line(node), "#xor"), values)
        return Join(_line(node), values) if sign == "+" else Mix(_line(node), values)

    def ternary(self, node: Syntax) -> Node:
        fields = ("consequence", "alternative", "condition")
        return Mix(_line(node), [self.read(node.child_by_field_name(each)) for each in fields])

    def record(self, node: Syntax) -> Node:
        entries: list[tuple[Node | None, Node]] = []
        for child in node.named_children:
            entries += self._entry(child)
        return Record(_line(node), entries)

    def _entry(self, child: Syntax) -> Iterator[tuple[Node | None, Node]]:
        line = _line(child)
        key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
        match child.type:
            case "pair" | "pair_pattern":
                yield self._key(key), self.read(value)
            case "shorthand_property_identifier" | "shorthand_property_identifier_pattern":
                yield Text(line, text_of(child)), Name(line, text_of(child))
            case "object_assignment_pattern":
                left = child.child_by_field_name("left")
                if left is not None:
                    yield Text(line, text_of(left)), Name(line, text_of(left))
            case "method_definition":
                yield self._key(child.child_by_field_name("name")), self.function(child)
            case "spread_element" | "rest_pattern":
                inner = child.named_children
                yield None, self.read(inner[0]) if inner else Mix(line, [])

    def _key(self, node: Syntax | None) -> Node:
        if node is None:
            return Mix(0, [])
        if node.type == "property_identifier":
            return Text(_line(node), text_of(node))
        if node.type == "computed_property_name":
            inner = node.named_children
            return self.read(inner[0]) if inner else Mix(_line(node), [])
        return self.read(node)

    def group(self, node: Syntax) -> Node:
        return Group(_line(node), self.block(node))

    def inner(self, node: Syntax) -> Node:
        children = [child for child in node.named_children if child.type != "comment"]
        return self.read(children[0]) if children else Mix(_line(node), [])

    def last(self, node: Syntax) -> Node:
        """``(0, f)``: the value of a sequence is its last."""
        parts = self.block(node)
        return parts[-1] if parts and all(isinstance(part, Text) for part in parts[:-1]) else Mix(_line(node), parts)

    def assign(self, node: Syntax) -> Node:
        left = self.read(node.child_by_field_name("left"))
        right = self.read(node.child_by_field_name("right"))
        joined = node.type == "augmented_assignment_expression"
        return Assign(_line(node), left, Join(_line(node), [left, right]) if joined else right)

    def declare(self, node: Syntax) -> Node:
        value = node.child_by_field_name("value")
        target = self.read(node.child_by_field_name("name") or node.child_by_field_name("property"))
        return Assign(_line(node), target, self.read(value)) if value is not None else Mix(_line(node), [])

    def function(self, node: Syntax) -> Node:
        name = node.child_by_field_name("name")
        several, single = node.child_by_field_name("parameters"), node.child_by_field_name("parameter")
        params = self.block(several) if several else [self.read(single)] if single else []
        body = node.child_by_field_name("body")
        if body is None:
            inside: list[Node] = []
        elif body.type == "statement_block":
            inside = self.block(body)
        else:
            inside = [Return(_line(body), self.read(body))]
        return Function(_line(node), text_of(name) if name else "", params, inside)

    def default(self, node: Syntax) -> Node:
        """A parameter with a default, or one with a type."""
        return self.read(node.child_by_field_name("pattern") or node.child_by_field_name("left"))

    def branch(self, node: Syntax) -> Node:
        line, arms = _line(node), list[Node]()
        rest: Syntax | None = node
        while rest is not None:  # a chain of else-if nests in the tree, not in the text
            test = self.read(rest.child_by_field_name("condition"))
            arms.append(Branch(line, test, [self.read(rest.child_by_field_name("consequence"))]))
            other = rest.child_by_field_name("alternative")
            inner = other.named_children[0] if other is not None and other.named_children else None
            rest = inner if inner is not None and inner.type == "if_statement" else None
            if rest is None and inner is not None:
                arms.append(Branch(line, test, [self.read(inner)]))
        return Mix(line, arms)

    def switch(self, node: Syntax) -> Node:
        line, body = _line(node), node.child_by_field_name("body")
        return Branch(line, self.read(node.child_by_field_name("value")), self.block(body) if body else [])

    def give(self, node: Syntax) -> Node:
        return Return(_line(node), self.inner(node))

    def loop(self, node: Syntax) -> Node:
        line, left, right = _line(node), node.child_by_field_name("left"), node.child_by_field_name("right")
        each = Assign(line, self.read(left), Mix(line, [self.read(right)]))
        return Mix(line, [each, self.read(node.child_by_field_name("body"))])

    def imported(self, node: Syntax) -> Node:
        source = node.child_by_field_name("source")
        names: list[tuple[str, str]] = []
        for clause in (child for child in node.named_children if child.type == "import_clause"):
            for part in clause.named_children:
                names += _bound(part)
        return Import(_line(node), text_of(source)[1:-1] if source else "", names)


def _bound(part: Syntax) -> Iterator[tuple[str, str]]:
    match part.type:
        case "identifier":
            yield text_of(part), ""
        case "namespace_import":
            yield text_of(part.named_children[0]) if part.named_children else "", ""
        case "named_imports":
            for each in part.named_children:
                name, alias = each.child_by_field_name("name"), each.child_by_field_name("alias")
                if name is not None:
                    original = text_of(name).strip("'\"")
                    yield text_of(alias) if alias else original, "" if original == "default" else original


def _line(node: Syntax) -> int:
    return int(node.start_point[0]) + 1


def _sign(node: Syntax) -> str:
    operator = node.child_by_field_name("operator")
    return operator.type if operator else ""


def unescape(raw: str) -> str:
    """Return the value of a JavaScript string literal's inside."""
    if "\\" not in raw:
        return raw

    def one(found: re.Match[str]) -> str:
        braced, four, two, newline, plain = found.groups()
        digits = braced or four or two
        if digits:
            point = int(digits, 16)
            return chr(point) if point < 0x110000 else ""
        return "" if newline else _PLAIN_ESCAPES.get(plain, plain)

    return _ESCAPE.sub(one, raw)


_READERS: Final[dict[str, Callable[[_Reader, Syntax], Node]]] = {
    **dict.fromkeys(_FUNCTIONS, _Reader.function),
    **dict.fromkeys(("identifier", "this", "super", "import", "property_identifier"), _Reader.name),
    **dict.fromkeys(("shorthand_property_identifier", "private_property_identifier"), _Reader.name),
    **dict.fromkeys(("member_expression", "nested_identifier"), _Reader.member),
    **dict.fromkeys(("call_expression", "new_expression"), _Reader.call),
    **dict.fromkeys(("object", "object_pattern"), _Reader.record),
    **dict.fromkeys(("array", "array_pattern"), _Reader.group),
    **dict.fromkeys(("parenthesized_expression", "await_expression", "expression_statement"), _Reader.inner),
    **dict.fromkeys(("as_expression", "satisfies_expression", "non_null_expression", "else_clause"), _Reader.inner),
    **dict.fromkeys(("spread_element", "rest_pattern"), _Reader.inner),
    **dict.fromkeys(("assignment_expression", "augmented_assignment_expression"), _Reader.assign),
    **dict.fromkeys(("variable_declarator", "field_definition", "public_field_definition"), _Reader.declare),
    **dict.fromkeys(("required_parameter", "optional_parameter", "assignment_pattern"), _Reader.default),
    "string": _Reader.string,
    "number": _Reader.number,
    "template_string": _Reader.template,
    "subscript_expression": _Reader.index,
    "binary_expression": _Reader.binary,
    "ternary_expression": _Reader.ternary,
    "sequence_expression": _Reader.last,
    "if_statement": _Reader.branch,
    "switch_statement": _Reader.switch,
    "return_statement": _Reader.give,
    "for_in_statement": _Reader.loop,
    "import_statement": _Reader.imported,
    "regex": _Reader.regex,
    **dict.fromkeys(("class_declaration", "class"), _Reader.kind),
}
