"""Words that look as if they held a secret. Pure.

For what is taken from the settings of other programs: people write keys into command lines and addresses. Rather one
word too many than one too few.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from vsm_mcp.model.launch import names_secret

# How the keys of well-known services begin, and those of JSON web tokens.
_BEGINS: Final = re.compile(
    r"(?:sk|pk|rk|tvly|lin|nvapi|glpat|gh[opsur]|github_pat|xox[abeoprs]|shpat|npm|pypi|hf|gsk|fc|ntn|secret|key)[-_]"
    r"[A-Za-z0-9_-]{8,}|eyJ[A-Za-z0-9_-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}"
)
_FLAG: Final = re.compile(r"--?([A-Za-z][\w.-]*)(?:=(.*))?\Z", re.DOTALL)
_PAIR: Final = re.compile(r"([A-Za-z_][\w.-]*)[=:](.+)", re.DOTALL)
_NAMES: Final = re.compile(
    r"(?:api|access|private|auth)?[-_]?(?:key|token)|secret|passw|bearer|authorization|credential", re.IGNORECASE
)
_LONG: Final = 20
_SHUFFLED: Final = 3.5


def holds_secret(words: Sequence[str]) -> bool:
    """Return whether one of the words of a command line looks as if it held a secret."""
    return any(_secretive(word, words[at - 1] if at else "") for at, word in enumerate(words))


def masked(words: Sequence[str]) -> list[str]:
    """Return a command line with ``***`` in the place of such words."""
    return ["***" if _secretive(word, words[at - 1] if at else "") else word for at, word in enumerate(words)]


def address_holds_secret(url: str) -> bool:
    """Return whether an address does: in its user part, its query, or as a part of its path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    if parts.username or parts.password:
        return True
    if any(_named(name) or _token(value) for name, value in parse_qsl(parts.query, keep_blank_values=True)):
        return True
    return any(_token(step) for step in parts.path.split("/")) or bool(_BEGINS.search(url))


def _secretive(word: str, before: str) -> bool:
    flag = _FLAG.match(before)
    if flag and flag[2] is None and _named(flag[1]) and not word.startswith("-"):
        return True
    pair = _FLAG.match(word) or _PAIR.match(word)
    if pair and pair[2] and _named(pair[1]) and "://" not in word:
        return True
    if "://" in word:
        return address_holds_secret(word[word.rfind("=", 0, word.index("://")) + 1 :])
    return bool(_BEGINS.search(word)) or _token(word.rpartition("=")[2])


def _named(name: str) -> bool:
    return names_secret(name) or _NAMES.search(name) is not None


def _token(text: str) -> bool:
    """Return whether a text is long and has no more order than a key has."""
    if len(text) < _LONG or not re.fullmatch(r"[A-Za-z0-9+_=-]+", text):
        return False
    kinds = (any(map(str.isdigit, text)), any(map(str.isupper, text)) or re.fullmatch("[0-9a-f-]+", text) is not None)
    counts = Counter(text).values()
    entropy = -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
    return all(kinds) and entropy >= min(_SHUFFLED, math.log2(len(text)) * 0.75)
