"""Where a program listens that does not speak over its pipes: a URL, in which ``{port}`` stands for its port. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.errors import BadArgument

PORT: Final = "{port}"
VARIABLE: Final = "PORT"
"""What a program is told its port by, unless ``{port}`` says otherwise."""

PRESETS: Final[Mapping[str, str]] = {
    "http": "http://127.0.0.1:{port}/mcp",
    "sse": "http://127.0.0.1:{port}/sse",
    "ws": "ws://127.0.0.1:{port}/ws",
    "tcp": "tcp://127.0.0.1:{port}",
}
_URL: Final = re.compile(
    r"(?P<scheme>http|ws|tcp)://(?P<host>127\.0\.0\.1|localhost|\[::1\]):(?P<port>\{port\}|\d{1,5})(?P<path>/[^\s{}]*)?"
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A URL with its port. ``managed`` says that we chose the port, so that another one can be had."""

    url: str
    host: str
    port: int
    managed: bool

    @property
    def origin(self) -> str:
        """Host and port as HTTP has them."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def template(listens: str) -> str:
    """Return the URL that a preset (``http``, ``ws``, …) stands for, or the URL that was given.

    Raises :class:`BadArgument`.
    """
    found = PRESETS.get(listens, listens)
    match = _URL.fullmatch(found)
    if match is None or (match["port"] != PORT and not 0 < int(match["port"]) < 65536):
        raise BadArgument(
            f"listens: {listens!r} is not where a program can listen",
            f"write {', '.join(PRESETS)}, or a URL on loopback: http://127.0.0.1:{PORT}/mcp (ws://, tcp://)",
        )
    return found


def place(url: str, port: int) -> Place:
    """Return where a program listens that was given ``port``; one that has a port of its own keeps that."""
    match = _URL.fullmatch(url)
    if match is None:
        raise BadArgument(f"listens: {url!r} is not where a program can listen")
    managed = match["port"] == PORT
    number = port if managed else int(match["port"])
    host = match["host"].strip("[]").replace("localhost", "127.0.0.1")
    shown = f"[{host}]" if ":" in host else host
    return Place(
        url=f"{match['scheme']}://{shown}:{number}{match['path'] or ''}", host=host, port=number, managed=managed
    )


def told(argv: tuple[str, ...], env: Mapping[str, str], port: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a program's arguments and variables with its port in them."""
    number = str(port)
    return tuple(arg.replace(PORT, number) for arg in argv), {
        name: value.replace(PORT, number) for name, value in env.items()
    }


def with_port(argv: tuple[str, ...], env: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the variables of a program: where nothing tells it its port, ``PORT`` does."""
    if PORT not in url or any(PORT in text for text in (*argv, *env.values())):
        return dict(env)
    return {VARIABLE: PORT, **env}
