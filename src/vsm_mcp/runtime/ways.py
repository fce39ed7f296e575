"""Other ways of starting a program that its own words name: a command, a switch, where it listens. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from vsm_mcp.model.retry import Retry

SERVES: Final = ("stdio", "serve", "server", "mcp", "start", "run")
"""Commands that serve MCP over the standard streams where a program has one of them, the likeliest first."""
_MOST: Final = 2

_STDIO: Final = re.compile(r"(?<![\w-])--stdio\b")
_CHOICE: Final = re.compile(
    r"(?<![\w-])(?P<flag>--(?:mcp-)?(?:transport-type|transport|mode|protocol|server-type))(?![\w-])[ =]?"
    r"[^\n]{0,120}(?:\n[^\n]{0,160})?\bstdio\b",
    re.IGNORECASE,
)
_URL: Final = re.compile(
    r"\b(?P<scheme>http|ws)://(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]|\*):(?P<port>\d{2,5})(?P<path>/[\w./-]*)?"
)
_PORT: Final = re.compile(
    r"\b(?:port:?|0\.0\.0\.0:|127\.0\.0\.1:|localhost:|(?:listening|running|started|serving) (?:on|at):? :?)\s?"
    r"(?P<port>\d{2,5})\b",
    re.IGNORECASE,
)
_EXTRA: Final = re.compile(
    r"(?<![\w-])(?:install|add|uvx|--from)\b[^\n\[]{0,40}?(?<![\w.-])(?!mcp\[|fastmcp\[)(?P<name>[A-Za-z0-9][\w.-]{0,80})\[(?P<extra>[A-Za-z][\w-]{0,40})\]"
)
_OF_MCP: Final = re.compile(r"\b(?:mcp|sse|messages?|ws|rpc|stream\w*)\b", re.IGNORECASE)
_SSE: Final = re.compile(r"\bsse\b", re.IGNORECASE)
_PORTS: Final = 65536
_PATHS: Final = ("/mcp", "/sse")


def by_command(names: Iterable[str]) -> tuple[Retry, ...]:
    """Return the commands among ``names`` that are likely to serve."""
    known = set(names)
    return tuple(Retry(arguments=(name,)) for name in SERVES if name in known)[:_MOST]


def by_switch(text: str) -> tuple[Retry, ...]:
    """Return the options of a help that make a program speak over its standard streams."""
    ways = [Retry(arguments=("--stdio",))] if _STDIO.search(text) else []
    chosen = _CHOICE.search(text)
    if chosen:
        ways.append(Retry(arguments=(chosen["flag"], "stdio")))
    return tuple(ways)


def by_extra(text: str) -> tuple[Retry, ...]:
    """Return the extras of packages that a text says to install: ``pip install 'demo[mcp]'``."""
    named = (f"{found['name']}[{found['extra']}]" for found in _EXTRA.finditer(text))
    return tuple(Retry(constraints=(each,)) for each in dict.fromkeys(named))[:_MOST]


def by_address(text: str) -> tuple[Retry, ...]:
    """Return where a program says it listens; where it names no path, the usual ones of MCP. A dashboard is none."""
    said = [url for url in _URL.finditer(text) if not url["path"] or _OF_MCP.search(url["path"]) or url["path"] == "/"]
    for url in said:
        path = (url["path"] or "").rstrip("/.")
        if path:
            return _at(url["scheme"], url["port"], path)
    port = said[0]["port"] if said else "" if _URL.search(text) else _port(text)
    if not port:
        return ()
    paths = _PATHS[::-1] if _SSE.search(text) else _PATHS
    return _at("http", port, *paths)


def _port(text: str) -> str:
    found = _PORT.search(text)
    return found["port"] if found else ""


def _at(scheme: str, port: str, *paths: str) -> tuple[Retry, ...]:
    """Return addresses inside the sandbox, where all ports are the program's own; none for what is no port."""
    if not 0 < int(port) < _PORTS:
        return ()
    return tuple(Retry(listens=f"{scheme}://127.0.0.1:{port}{path}") for path in paths)
