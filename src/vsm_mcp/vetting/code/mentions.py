"""The mail addresses and hosts that a source names: what an update may bring anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# each begins with what is rare in a source, and looks back from there: a search for words at every letter takes seconds
_AT: Final = re.compile(r"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_WHO: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}\Z")
_HOST: Final = re.compile(r"://([\w.-]{1,253})")
_SCHEME: Final = re.compile(r"\b(?:https?|wss?)\Z")
_LONGEST_NAME: Final = 65
_LONGEST_SCHEME: Final = 6


def mentions(text: str) -> Iterator[str]:
    """Yield every mail address and every host of an address of the web in ``text``, in lower case."""
    for found in _AT.finditer(text):
        who = _WHO.search(text, max(0, found.start() - _LONGEST_NAME), found.start())
        if who is not None:
            yield f"{who[0]}{found[0]}".lower()
    for found in _HOST.finditer(text):
        if _SCHEME.search(text, max(0, found.start() - _LONGEST_SCHEME), found.start()):
            yield found[1].lower().rstrip(".")
