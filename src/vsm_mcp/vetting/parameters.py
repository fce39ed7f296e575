"""Where a description names a parameter of its own tool, and whether that is one for things beside the task. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

FAMILIES: Final = ("field", "sidefield")
_PARTS: Final = re.compile(r"[\W_]+")
# what is taken along beside the task goes into parameters with names that say nothing
_SIDE: Final = frozenset(
    {
        "context", "note", "notes", "sidenote", "memo", "debug", "trace", "meta", "metadata", "hint", "hints",
        "extra", "extras", "comment", "comments", "remark", "attachment", "details", "reason",
        "justification", "feedback", "background", "diagnostics", "telemetry", "glossary", "state",
        "annotation", "misc", "aux", "info", "tag", "tags", "handoff", "session", "report", "inventory",
        "scratch", "log", "logs", "padding", "calibration", "nonce",
    }
)  # fmt: skip
# a parameter of these is where a path or a key belongs
_OF_PLACES: Final = frozenset(
    {
        "key", "keys", "identity", "file", "files", "filename", "path", "paths", "folder", "directory", "dir",
        "config", "configuration", "credential", "credentials", "token", "secret", "password", "passphrase",
        "profile", "env", "environment", "cert", "certificate", "auth", "source", "destination", "target",
        "home", "location", "kubeconfig", "vault", "project", "include", "exclude", "pattern", "client",
        "command", "name", "content", "action", "all",
    }
)  # fmt: skip
_SHORTEST: Final = 2
_INTO: Final = re.compile(
    r"\b(?:in|into|as|under|within|inside|to|with|via)\s(?:(?:the|this|its|our|field|parameter|argument|tool's)\s){0,3}[`'\"]\Z"
)
_LONGEST: Final = 48


def fields_of(names: Iterable[str]) -> dict[str, str]:
    """Return, by name, the family of naming a parameter: ``sidefield``, ``field``, none where a key belongs in it."""
    found: dict[str, str] = {}
    for name in names:
        parts = set(_PARTS.split(name))
        if parts & _SIDE:
            found[name] = "sidefield"
        elif len(name) >= _SHORTEST and not parts & _OF_PLACES:
            found[name] = "field"
    return found


def named_fields(text: str, fields: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """Yield ``(family, start, end)`` where a folded text names one of ``fields`` as a word of its own."""
    for name, family in fields.items():
        for match in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) if name in text else ():
            into = _INTO.search(text, max(0, match.start() - _LONGEST), match.start()) is not None
            yield "sidefield" if into else family, match.start(), match.end()
