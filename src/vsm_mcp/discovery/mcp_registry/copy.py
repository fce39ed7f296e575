"""A registry's list as it is kept on this machine: whole, or as far as it was read so far. No I/O but the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from vsm_mcp.discovery.mcp_registry.server_json import Listed
from vsm_mcp.discovery.network.scan import best, spaced
from vsm_mcp.matching.tokens import stems
from vsm_mcp.model.candidate import Candidate

_LAYOUT: Final = 1
_WHOLE_AGAIN: Final = 7 * 86_400.0
_OVERLAP: Final = 300.0


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One server: its words as they are looked through, its candidates packed until one is wanted.

    ``walk`` is the number of the walk that met it.
    """

    changed: str
    words: str
    packed: msgspec.Raw
    walk: int = 0


def entry_of(found: Listed) -> Entry:
    """Return what is kept of a server. It takes its time: a page of them is made where nobody waits."""
    texts = {f"{each.name} {each.terms} {each.description} {each.ref.name}" for each in found.candidates}
    words = spaced(" ".join(sorted(set(stems(" ".join(texts))))))
    return Entry(found.changed, words, msgspec.Raw(msgspec.msgpack.encode(found.candidates)))


class Copy(msgspec.Struct, kw_only=True):
    """The list, and how far it was read.

    A walk reads the list page by page: all of it, or what changed since ``since`` (seconds). ``cursor`` is where an
    unfinished one goes on; ``began`` when it began. ``walked`` is when the last finished one began, ``whole`` when the
    last finished one of all of the list did; 0 is never.
    """

    layout: int = _LAYOUT
    entries: dict[str, Entry] = {}
    walk: int = 0
    cursor: str = ""
    began: float = 0.0
    since: float = 0.0
    walked: float = 0.0
    whole: float = 0.0

    def begin(self, now: float) -> None:
        """Go on with the walk that was left off, or begin one."""
        if self.cursor:
            return
        again = now - self.whole > _WHOLE_AGAIN
        self.walk += 1
        self.began = now
        self.since = 0.0 if again else max(0.0, self.walked - _OVERLAP)

    def take(self, found: Listed, entry: Entry) -> None:
        """Take one server that the walk met. Of several versions the newest counts; a deleted one is forgotten."""
        known = self.entries.get(found.name)
        if not found.latest or (known is not None and known.walk == self.walk and found.changed < known.changed):
            return
        if found.status == "deleted":
            self.entries.pop(found.name, None)
            return
        self.entries[found.name] = msgspec.structs.replace(entry, walk=self.walk)

    def finish(self) -> None:
        """End the walk: what a walk of all of the list did not meet is no longer on it."""
        if not self.since:
            self.entries = {name: entry for name, entry in self.entries.items() if entry.walk == self.walk}
            self.whole = self.began
        self.walked, self.cursor = self.began, ""

    def search(self, query: Mapping[str, float], limit: int) -> list[Candidate]:
        """Return the candidates of up to ``limit`` servers that share words with the query, best first."""
        entries = list(self.entries.values())
        places = best(query, [entry.words for entry in entries], limit)
        return [each for place in places for each in _unpacked(entries[place])]


def pack(copy: Copy) -> bytes:
    """Return the bytes for the disk."""
    return msgspec.msgpack.encode(copy)


def unpack(raw: bytes | None) -> Copy:
    """Read them again; an empty copy where there is none, or one of another version of the program."""
    try:
        found = msgspec.msgpack.decode(raw, type=Copy) if raw is not None else Copy()
    except (msgspec.DecodeError, ValueError):
        return Copy()
    return found if found.layout == _LAYOUT else Copy()


def _unpacked(entry: Entry) -> tuple[Candidate, ...]:
    try:
        return msgspec.msgpack.decode(entry.packed, type=tuple[Candidate, ...])
    except (msgspec.DecodeError, ValueError):
        return ()
