"""What to look at in a bundle: the pieces of it that could matter, each as one place.

A bundle of 15 MB holds everything at once: that something in it reads a key and something else sends mail says
nothing. Each piece is the largest part of the syntax tree, up to 24 KB, around something that could matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vsm_mcp.vetting.code import anchors
from vsm_mcp.vetting.code.read_javascript import Syntax

WHOLE_BYTES: Final = 200_000
_PIECE_BYTES: Final = 24_000
_MOST_PIECES: Final = 600
_MOST_BYTES: Final = 6_000_000
_HOLDERS: Final = frozenset(
    {"variable_declaration", "lexical_declaration", "import_statement", "assignment_expression"}
)


def pieces(root: Syntax, source: bytes) -> tuple[list[Syntax], list[Syntax], int]:
    """Return the import statements, the pieces to read, and how many more there are that are too many."""
    found = anchors.find(source)
    imports = _distinct(_holder(root, start) for start in found.bound)
    chosen: dict[tuple[int, int], Syntax] = {}
    end, size, left_out = -1, 0, 0
    for start, stop in found.places:
        if start < end:
            continue
        piece = _around(root, start, stop)
        if piece is None or piece.type in {"comment", "program"}:
            continue
        end = piece.end_byte
        if len(chosen) >= _MOST_PIECES or size >= _MOST_BYTES:
            left_out += 1
            continue
        size += piece.end_byte - piece.start_byte
        chosen.setdefault((piece.start_byte, piece.end_byte), piece)
    return imports[:120], list(chosen.values()), left_out


def visible(imports: list[Syntax], piece: Syntax) -> list[Syntax]:
    """Return the imports whose names count where a piece is: the same letter means other things elsewhere."""
    found = []
    for each in imports:
        block = each.parent
        if block is not None and block.start_byte <= piece.start_byte and piece.end_byte <= block.end_byte:
            found.append(each)
    return found


def _around(root: Syntax, start: int, end: int) -> Syntax | None:
    node = root.descendant_for_byte_range(start, end)
    found: Syntax | None = None
    while node is not None and (found is None or node.end_byte - node.start_byte <= _PIECE_BYTES):
        found, node = node, node.parent
    return found


def _holder(root: Syntax, start: int) -> Syntax | None:
    node = root.descendant_for_byte_range(start, start + 1)
    while node is not None and node.type not in _HOLDERS and node.end_byte - node.start_byte < 2000:
        node = node.parent
    return node if node is not None and node.end_byte - node.start_byte < 2000 and node.type in _HOLDERS else None


def _distinct(nodes: Iterator[Syntax | None]) -> list[Syntax]:
    return list({(node.start_byte, node.end_byte): node for node in nodes if node is not None}.values())
