"""What a server did while it was watched."""

from __future__ import annotations

import msgspec


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one server, each thing once, in the order it was first seen.

    ``reads`` are files outside of the system and of its own program that it opened; ``writes`` what it made, changed or
    removed where it may, ``home`` what in its home, but for what it could make anew (caches); ``outside`` where it may
    not, whether it could or not. ``hosts`` are addresses that it tried to reach (``ADDRESS:PORT``, ``unix:PATH``),
    ``names`` those it asked an address for. ``commands`` are the programs that it started, ``decoys`` the planted files
    that it opened, ``sought`` where it looked for other people's secrets, whether they were there or not. ``calls``
    counts what was looked at.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    decoys: tuple[str, ...] = ()
    calls: int = 0
