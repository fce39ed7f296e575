"""What nobody needs any more goes: old versions, and caches that have grown too large.

Of each server these versions stay: the current one, those that somebody names (the catalogue, the way back of
``vsm-mcp rollback``, an upgrade that waits), and every one of which a process runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from vsm_mcp.install.files import home_errors, remove_tree, tree_size
from vsm_mcp.install.transaction import Installations


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed: ``versions`` as ``server/version``, and how many ``size`` bytes that gave back."""

    versions: tuple[str, ...] = ()
    size: int = 0


def superfluous(versions: Iterable[str], kept: Collection[str]) -> tuple[str, ...]:
    """Return the versions of one server that may go. Pure."""
    return tuple(version for version in versions if version not in kept)


async def collect(
    installations: Installations, servers: Iterable[str], named: Collection[str], used: Collection[str]
) -> Collected:
    """Remove what is superfluous of ``servers``; those being installed must not be among them.

    ``named`` and ``used`` are paths of installations: those that somebody may want, and those of which something runs.
    Raises :class:`HomeError`.
    """
    removed, size = [], 0
    for server in servers:
        at = {version: str(installations.path(server, version)) for version in installations.versions(server)}
        kept = {version for version, path in at.items() if path in named or path in used}
        for version in superfluous(at, {installations.current(server), *kept}):
            size += await installations.size(server, version)
            await installations.discard(server, version)
            removed.append(f"{server}/{version}")
    return Collected(versions=tuple(removed), size=size)


async def empty_caches(home: Path, limit: int) -> int:
    """Remove the caches below the home if they hold more than ``limit`` bytes; return how many they held then.

    They are removed whole: tools do not expect parts of theirs to be gone. Nothing may be installing. The caches of the
    user, which npm and uv share with other programs, are not ours to remove. Raises :class:`HomeError`.
    """
    folder = home / "cache"
    size = await asyncio.to_thread(tree_size, folder)
    if size <= limit:
        return 0
    with home_errors(folder):
        await asyncio.to_thread(remove_tree, folder)
    return size
