"""Numbers with what they count, in English. Pure."""

from __future__ import annotations

import re
from typing import Final

_PLURAL: Final = re.compile(r"\b(\w+?)(ies|(?<=ss|ch|sh)es|(?<=x)es|(?<![su])s)\b")


def counted(number: float, things: str) -> str:
    """Return ``2 tools``, and ``1 tool`` for one; ``things`` is in the plural (``packages of the tree``)."""
    shown = str(number) if isinstance(number, int) else f"{number:g}"
    return f"{shown} {_PLURAL.sub(_one, things) if number == 1 else things}"


def _one(found: re.Match[str]) -> str:
    return found[1] + ("y" if found[2] == "ies" else "")
