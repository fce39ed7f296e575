"""An answer as it is kept on disk, with what is needed to ask whether it still holds (RFC 9110, 13.1)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a source said: its ``body`` (as it was read: perhaps only the part that counts), and its validators.

    ``gone`` is the answer that there is nothing.
    """

    body: bytes
    etag: str = ""
    modified: str = ""
    gone: bool = False

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for the answer only if it has changed."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in given.items() if value}


def of(body: bytes, headers: Mapping[str, str]) -> Kept:
    """Return an answer with the validators of its headers (names in lower case)."""
    return Kept(body, headers.get("etag", "")[:500], headers.get("last-modified", "")[:100])


def pack(kept: Kept) -> bytes:
    """Return the bytes for the disk."""
    return msgspec.msgpack.encode(kept)


def unpack(raw: bytes) -> Kept | None:
    """Read them again; ``None`` when another version of the program wrote them, or the disk lost them."""
    try:
        return msgspec.msgpack.decode(raw, type=Kept)
    except (msgspec.DecodeError, ValueError):
        return None
