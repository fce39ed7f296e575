"""What a server may see and reach, said before it is started for the first time."""

from __future__ import annotations

import msgspec


class SandboxPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one server is let do, and what holds it to that; no value of a variable is in it.

    ``home`` is the folder that is its home where that is kept; it is private, and goes with it, where this is empty.
    ``permissions`` is the permission profile. ``own`` are the read-only paths that are its program, known once it is
    installed; ``reads`` and ``writes`` are what was granted. ``network`` is ``off``, ``hosts``, ``machine`` (all that
    this machine reaches) or ``remote`` (it runs elsewhere, at ``hosts``, and nothing here holds it). ``variables`` and
    ``secrets`` are names, less those that every server gets. ``limits`` go by the names of ``[sandbox]``.
    ``properties`` say how far ``tier`` holds what.
    """

    permissions: str
    tier: str
    properties: dict[str, str] = {}
    own: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    home: str = ""
    network: str = "off"
    hosts: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    limits: dict[str, float] = {}
    allow_scripts: bool = False
