"""Needs as they were seen, and what is remembered of them, of servers that came for them, and of what waits."""

from __future__ import annotations

from typing import Final

import msgspec

SOURCES: Final = ("declared", "agent", "person", "call")
"""Where a need comes from: the settings; an agent that looked for tools, or asked for a capability; a person who did so
with a command; the call of a tool that does not exist."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One need from one source: ``count`` times, ``met`` of them by a tool at once; first and last seen."""

    need: str
    source: str
    count: int
    met: int
    first: float
    last: float


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The best candidate for a need when it was looked for last (``at``); ``ref`` is empty where nothing was found."""

    at: float
    ref: str = ""
    score: float = 0.0
    reason: str = ""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one need so far; times in seconds since the epoch, 0 is never.

    ``failures`` in a row, the last at ``failed_at``. ``denied_by`` names who said no, until somebody takes it back;
    ``policy`` is the mark of the policy that said no. ``server`` came for it, at ``served_at``, and was retired for
    want of use at ``retired_at``, when the need had been seen ``seen_then`` times. ``best`` is what was found for it.
    """

    need: str = ""
    failures: int = 0
    failed_at: float = 0.0
    reason: str = ""
    denied_by: str = ""
    denied_at: float = 0.0
    policy: str = ""
    server: str = ""
    served_at: float = 0.0
    retired_at: float = 0.0
    seen_then: int = 0
    best: Best | None = None


class Tenure(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a server; times in seconds since the epoch, 0 is never.

    ``noticed_at``: it was said that it would be retired. ``failing_at``: since when it keeps failing. ``replacing_at``:
    when a replacement was last tried, in vain ``replacements`` times. ``rested_at``: when it was stopped for want of
    use. ``kept_by`` names who said that it stays; ``policy`` is the mark of the policy that would not let it be taken
    out.
    """

    noticed_at: float = 0.0
    failing_at: float = 0.0
    replacing_at: float = 0.0
    replacements: int = 0
    rested_at: float = 0.0
    kept_by: str = ""
    policy: str = ""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a person, under its id: ``acquire`` a need by ``ref``, ``retire`` or ``replace`` a server.

    ``key`` is the need's key or the server's name, ``risks`` what speaks against it, in words.
    """

    id: str
    kind: str
    key: str
    need: str = ""
    server: str = ""
    ref: str = ""
    reason: str = ""
    risks: tuple[str, ...] = ()
    at: float = 0.0
