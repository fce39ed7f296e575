"""Python of a later version than ours, written so that ours reads it: by tree-sitter, which knows what came since.

What is written is only ever read again: types are left out, and a text with values in it becomes a sum of its parts.
Lines keep their numbers.
"""

from __future__ import annotations

import functools
from typing import Final

import tree_sitter
import tree_sitter_python

from vsm_mcp.vetting.code.read_javascript import Syntax, unescape

_DEFINITIONS: Final = frozenset({"function_definition", "class_definition"})


def earlier(source: str) -> str:
    """Return ``source`` without what Python 3.12 and later brought (PEP 695, 701, 750, 758)."""
    data = source.encode("utf-8", "replace")
    root = _parser().parse(data).root_node
    return (data[: root.start_byte] + _Writer(data).node(root)).decode("utf-8", "replace")


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


class _Writer:
    def __init__(self, source: bytes) -> None:
        self._source = source

    def node(self, node: Syntax) -> bytes:
        match node.type:
            case "type_alias_statement":
                return b"pass" + self._lines(node)
            case "except_clause":
                return self._except(node)
            case "string" if _holds_values(node):
                return self._sum(node, [node])
            case "concatenated_string" if any(map(_holds_values, node.children)):
                return self._sum(node, node.children)
            case _:
                return self._plain(node)

    def _plain(self, node: Syntax) -> bytes:
        """Copy a node, and write what is in it."""
        written, place = [], node.start_byte
        for child in node.children:
            left_out = child.type == "type_parameter" and node.type in _DEFINITIONS
            written += [self._source[place : child.start_byte], self._lines(child) if left_out else self.node(child)]
            place = child.end_byte
        return b"".join([*written, self._source[place : node.end_byte]])

    def _lines(self, node: Syntax) -> bytes:
        """The line ends of a node: what stands in the place of what is left out."""
        return b"\n" * self._source.count(b"\n", node.start_byte, node.end_byte)

    def _except(self, node: Syntax) -> bytes:
        """``except A, B:`` needs brackets before Python 3.14."""
        caught = [child for child in node.named_children if child.type not in {"block", "comment"}]
        written = self._plain(node)
        if len(caught) < 2:
            return written
        start, end = caught[0].start_byte - node.start_byte, caught[-1].end_byte - node.start_byte
        return b"%b(%b)%b" % (written[:start], written[start:end], written[end:])

    def _sum(self, node: Syntax, strings: list[Syntax]) -> bytes:
        parts: list[bytes] = []
        for string in strings:
            if string.type == "string":
                parts += self._parts(string) if _holds_values(string) else [self.node(string)]
        written = b" + ".join(parts)
        missing = self._lines(node).count(b"\n") - written.count(b"\n")
        return b"(%b%b)" % (written, b"\n" * missing)

    def _parts(self, string: Syntax) -> list[bytes]:
        parts = [b"''"]
        raw = b"r" in (string.children[0].text or b"").lower()
        for child in string.named_children:
            if child.type == "string_content":
                text = (child.text or b"").decode("utf-8", "replace").replace("{{", "{").replace("}}", "}")
                parts.append(repr(text if raw else unescape(text)).encode())
            elif child.type == "interpolation":
                parts += [b"(%b)" % self.node(each) for each in _values(child)]
        return parts


def _holds_values(node: Syntax) -> bool:
    return node.type == "string" and any(child.type == "interpolation" for child in node.children)


def _values(interpolation: Syntax) -> list[Syntax]:
    """The expression of ``{expression!r:{width}}``, and those of its format."""
    found: list[Syntax] = []
    for child in interpolation.named_children:
        if child.type == "format_specifier":
            found += [inner for each in child.named_children for inner in each.named_children]
        elif child.type != "type_conversion":
            found.append(child)
    return found
