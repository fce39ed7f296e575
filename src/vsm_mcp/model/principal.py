"""Who a request comes from, and what it may do."""

from __future__ import annotations

from typing import Final

import msgspec


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a principal may do; patterns hold ``*`` and ``?`` as file names do.

    ``profiles`` are patterns over the profiles it may use, the endpoint without a profile being ``""``.
    ``allow_tools`` and ``deny_tools`` are patterns over tools as ``SERVER__TOOL``, whatever name a profile gives them;
    deny wins. ``rate`` is requests a minute, of which ``burst`` may come at once (0: a minute's worth);
    ``concurrency`` is requests at a time, and as many streams; ``max_body_bytes`` the size of one request. ``expires``
    is in seconds since the epoch. 0 means no limit of its own, or never. ``watch`` lets it read metrics and events,
    which tell of everything that is served.
    """

    profiles: tuple[str, ...] = ("*",)
    allow_tools: tuple[str, ...] = ("*",)
    deny_tools: tuple[str, ...] = ()
    rate: float = 0.0
    burst: int = 0
    concurrency: int = 0
    max_body_bytes: int = 0
    expires: float = 0.0
    watch: bool = False


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who a request comes from. ``name`` tells principals apart: ``key:NAME``, or who a token was issued to."""

    name: str
    grant: Grant = Grant()


LOCAL: Final = Principal(name="local")
"""Whoever reaches the home's own sockets, standard input, or loopback where no key is asked for."""
