"""URI templates (RFC 6570) read backwards: whether a URI comes from a template.

Only what a gateway needs: to find the server whose template a URI matches. An expression stands for any characters
its operator can produce; what exactly it expands to is the server's business.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MAX_LENGTH: Final = 2048
_MAX_EXPRESSIONS: Final = 16
_EXPRESSION: Final = re.compile(r"\{([+#./;?&]?)[^{}]*\}")
# What each operator's expansion may hold (RFC 6570, sections 3.2.2 to 3.2.9); as little as possible is taken first.
_PATTERNS: Final = {
    "": "[^/?#]*?",
    "+": ".*?",
    "#": "(?:#.*?)??",
    ".": r"(?:\.[^/?#]*?)??",
    "/": "(?:/[^?#]*?)??",
    ";": "(?:;[^/?#]*?)??",
    "?": r"(?:\?[^#]*?)??",
    "&": "(?:&[^#]*?)??",
}


@lru_cache(maxsize=4096)
def pattern_of(template: str) -> re.Pattern[str] | None:
    """Return an expression that expansions of ``template`` match whole, or ``None`` for a template beyond reading.

    Each expression ends at the first place where the literal after it follows, and that choice is final (an atomic
    group): a template of a hostile server cannot make matching take exponential time.
    """
    pieces = _pieces(template)
    if pieces is None:
        return None
    first, rest = pieces
    built = [re.escape(first)]
    for place, (pattern, literal) in enumerate(rest):
        part = pattern + re.escape(literal)
        built.append(part if place == len(rest) - 1 else f"(?>{part})")
    return re.compile("".join(built), re.DOTALL)


def _pieces(template: str) -> tuple[str, list[tuple[str, str]]] | None:
    """Split a template into its first literal and (pattern, literal after it); expressions side by side are one."""
    found = list(_EXPRESSION.finditer(template))
    if len(template) > MAX_LENGTH or len(found) > _MAX_EXPRESSIONS:
        return None
    rest: list[tuple[str, str]] = []
    for place, match in enumerate(found):
        end = found[place + 1].start() if place + 1 < len(found) else len(template)
        literal = template[match.end() : end]
        if rest and not rest[-1][1]:
            rest[-1] = (".*?", literal)
        else:
            rest.append((_PATTERNS[match[1]], literal))
    return template[: found[0].start()] if found else template, rest


def literal_length(template: str) -> int:
    """Return how many characters of a template are fixed: the more, the more specific it is."""
    return len(_EXPRESSION.sub("", template))


def matches(template: str, uri: str) -> bool:
    """Return whether ``uri`` can be an expansion of ``template``."""
    pattern = pattern_of(template)
    return pattern is not None and len(uri) <= 4 * MAX_LENGTH and pattern.fullmatch(uri) is not None
