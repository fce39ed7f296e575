"""The lasting name of a server, derived from its reference. Pure."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final
from urllib.parse import urlsplit

from vsm_mcp.errors import BadArgument
from vsm_mcp.model.ref import Ref, RefKind

MAX_LENGTH: Final = 32
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_GENERIC: Final = frozenset(
    {"mcp", "server", "servers", "modelcontextprotocol", "stdio", "official", "js", "py", "api", "www"}
)


def check_name(name: str) -> str:
    """Return a name given by a person when it can be used. Raises :class:`BadArgument`."""
    if len(name) > MAX_LENGTH or not _NAME.match(name) or "--" in name:
        raise BadArgument(
            f"{name!r} cannot be a server's name", f"use a-z, 0-9 and single dashes, at most {MAX_LENGTH} characters"
        )
    return name


def server_name(ref: Ref, taken: Container[str]) -> str:
    """Derive a short name from a reference and make it differ from those that are ``taken``."""
    base = _meaningful(_source_text(ref)) or "server"
    name, number = base, 1
    while name in taken:
        number += 1
        suffix = f"-{number}"
        name = base[: MAX_LENGTH - len(suffix)].rstrip("-") + suffix
    return name


def _source_text(ref: Ref) -> str:
    match ref.kind:
        case RefKind.REMOTE:
            host = urlsplit(ref.name).hostname or ""
            return ".".join(host.split(".")[:-1]) or host
        case RefKind.CMD:
            return ref.name.split()[0].rsplit("/", 1)[-1]
        case RefKind.OCI:
            return ref.name.split("@")[0].rsplit(":", 1)[0]
        case RefKind.GIT | RefKind.DIR | RefKind.MCPB:
            return ref.name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git").removesuffix(".mcpb")
        case _:
            return ref.name


def _meaningful(text: str) -> str:
    """Drop the words that every server carries; fall back to the scope when nothing else is left."""
    *scopes, last = text.lower().lstrip("@").split("/")
    for part in (last, *reversed(scopes)):
        words = [word for word in re.split(r"[^a-z0-9]+", part) if word]
        kept = [word for word in words if word not in _GENERIC]
        if kept:
            return "-".join(kept)[:MAX_LENGTH].strip("-")
    return "-".join(re.split(r"[^a-z0-9]+", last))[:MAX_LENGTH].strip("-")
