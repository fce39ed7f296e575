"""The names under which tools and prompts of many servers are served side by side.

``server__tool``: the server's part has only ``[a-z0-9-]``, so the first ``__`` always ends it; the whole has only
``[A-Za-z0-9_-]`` and at most 64 characters, which is what the model APIs behind MCP clients accept (the protocol
itself allows ``[A-Za-z0-9_.-]{1,128}``, specification 2025-11-25, "Tools: Tool Names"). A name that had to be changed
or shortened ends in a hash of what it stood for. The way back is the table's, never the spelling's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

SEPARATOR: Final = "__"
MAX_LENGTH: Final = 64
_SERVER_LENGTH: Final = 28
_HASH_LENGTH: Final = 8

_NOT_SERVER: Final = re.compile(r"[^a-z0-9-]+")
_NOT_ITEM: Final = re.compile(r"[^A-Za-z0-9_-]")
_LEAST_LIKENESS: Final = 60.0


def server_part(server: str) -> str:
    """Return the part of a name that stands for the server: ``[a-z0-9-]``, not empty.

    A name that is already in that form stays as it is; any other one gets a hash, so that ``Files`` and ``files`` do
    not meet.
    """
    plain = _NOT_SERVER.sub("-", server.lower()).strip("-")
    return plain if plain and plain == server else f"{plain or 'server'}-{_digest(server)}"


def exposed(server: str, item: str) -> str:
    """Return the name under which ``item`` (a tool or a prompt) of ``server`` is served.

    Depends on nothing else. At most :data:`MAX_LENGTH` characters of ``[A-Za-z0-9_-]``.
    """
    part, plain = server_part(server), _NOT_ITEM.sub("_", item)
    whole = f"{part}{SEPARATOR}{plain}"
    if plain == item and item and len(whole) <= MAX_LENGTH:
        return whole
    digest = _digest(f"{server}\0{item}")
    if len(part) > _SERVER_LENGTH:
        part = part[:_SERVER_LENGTH].rstrip("-")
    room = MAX_LENGTH - len(part) - len(SEPARATOR) - len(digest) - 1
    return f"{part}{SEPARATOR}{plain[:room]}_{digest}"


def closest(name: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return up to ``limit`` of ``names`` that look most like ``name``, best first; may be empty.

    The part after the server's counts as well by itself: a caller who knows only ``echo`` is led to ``demo__echo``.
    """
    # Imported here: a call of a known tool does not pay for it.
    from rapidfuzz import fuzz, process, utils  # noqa: PLC0415

    whole = list(names)
    tails = [other.partition(SEPARATOR)[2] or other for other in whole]
    wanted = name[: 4 * MAX_LENGTH]
    best: dict[int, float] = {}
    for choices, query in ((whole, wanted), (tails, wanted.partition(SEPARATOR)[2] or wanted)):
        found = process.extract(
            query,
            choices,
            scorer=fuzz.ratio,
            processor=utils.default_process,
            limit=limit,
            score_cutoff=_LEAST_LIKENESS,
        )
        for _, likeness, place in found:
            best[place] = max(best.get(place, 0.0), likeness)
    ranked = sorted(best.items(), key=lambda entry: (-entry[1], whole[entry[0]]))
    return tuple(whole[place] for place, _ in ranked[:limit])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
