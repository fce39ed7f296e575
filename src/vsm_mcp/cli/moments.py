"""Moments in the past as people write them, and the units of time that they write. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from vsm_mcp.errors import BadArgument

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def since(text: str, now: float) -> float:
    """Return the moment that ``text`` names, in seconds since the epoch: ``2h`` ago, or a date with or without time.

    A date without a zone is of this machine's. Raises :class:`BadArgument`.
    """
    ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip())
    if ago:
        return now - int(ago[1]) * SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadArgument(f"{text!r} is no moment", "write 30m, 2h, 7d, or 2026-11-29 or 2026-11-29T12:00") from error
