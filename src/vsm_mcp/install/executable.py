"""Which program of a package is the server: read from the package's own metadata, never guessed."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsm_mcp.errors import InstallFailed
from vsm_mcp.model.ref import normalise_pypi


def choose(package: str, names: tuple[str, ...], wanted: str = "") -> str:
    """Return the program of ``package`` that is the server.

    The ``wanted`` one; else the only one; else the one that bears the package's name (``server`` in it does not
    count) if that speaks of mcp; else the only one that speaks of mcp, or of them the only one that is a server by its
    name, or whose words are all in the package's; else the one that bears the package's name. Raises
    :class:`InstallFailed` when there is none, or when it is not clear which.
    """
    if not names:
        raise InstallFailed(
            f"{package} is no MCP server: it has no executable",
            "it is a library, or its program is not declared in its metadata; look for another package",
        )
    if wanted:
        if wanted not in names:
            raise InstallFailed(f"{package} has no program {wanted!r}", f"it has: {', '.join(sorted(names))}")
        return wanted
    if len(names) == 1:
        return names[0]
    own = _bearing(package, names)
    speaking = [name for name in names if _speaks(name)]
    if own and _speaks(own):
        return own
    named = {word for word in re.split(r"\W|_", package.lower()) if word}
    within = [name for name in speaking if set(normalise_pypi(name).split("-")) <= named | {"server"}]
    for serving in (speaking, [name for name in speaking if "server" in name.lower()], within):
        if len(serving) == 1:
            return serving[0]
    if own:
        return own
    raise InstallFailed(
        f"{package} has several programs and none is named like it",
        f"say which one is the server, with --program: {', '.join(sorted(names))}",
    )


def npm_programs(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return ``{program: path within the package}`` of a package.json (``bin`` as text or object)."""
    name = str(manifest.get("name", ""))
    declared = manifest.get("bin")
    if isinstance(declared, str) and declared:
        return {name.rsplit("/", 1)[-1]: declared}
    if isinstance(declared, dict):
        return {str(key): value for key, value in declared.items() if isinstance(value, str) and value}
    return {}


def console_scripts(entry_points: str) -> dict[str, str]:
    """Return ``{script: module:function}`` of an ``entry_points.txt`` (entry points specification)."""
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    try:
        parser.read_string(entry_points)
    except configparser.Error:
        return {}
    return dict(parser.items("console_scripts")) if parser.has_section("console_scripts") else {}


def interpreter_of(program: Path) -> tuple[str, ...]:
    """Return the interpreter a program names in its first line, with arguments: ``("node",)``, ``("python3", "-u")``.

    Only the last part of the interpreter's path is kept; ``env`` and its ``-S`` are left out. Empty when there is no
    such line; ``("native",)`` for a binary of this machine (ELF).
    """
    with program.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"\x7fELF"):
        return ("native",)
    if not head.startswith(b"#!"):
        return ()
    words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    if words and words[0].rsplit("/", 1)[-1] == "env":
        words = [word for word in words[1:] if word not in {"-S", "--split-string"} and not re.match(r"\w+=", word)]
    return (words[0].rsplit("/", 1)[-1], *words[1:]) if words else ()


def _speaks(name: str) -> bool:
    return "mcp" in name.lower()


def _bearing(package: str, names: tuple[str, ...]) -> str:
    plain = normalise_pypi(package.rsplit("/", 1)[-1])
    scoped = normalise_pypi(package.removeprefix("@").replace("/", "-"))
    for same in (normalise_pypi, _without_server):
        for target in (plain, scoped):
            found = [name for name in names if same(name) == same(target)]
            if len(found) == 1:
                return found[0]
    return ""


def _without_server(name: str) -> str:
    """Return a name's words but ``server``: x-mcp-server, mcp-server-x and x-mcp are the same to their authors."""
    return "-".join(sorted(word for word in normalise_pypi(name).split("-") if word != "server"))
