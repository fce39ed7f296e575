"""What a server is given, as far as it matters to what it could do with it."""

from __future__ import annotations

import msgspec


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """``way_out``: it reaches a network; ``files``: it sees files of a person; ``secrets``: it is given keys."""

    way_out: bool = False
    files: bool = False
    secrets: bool = False
