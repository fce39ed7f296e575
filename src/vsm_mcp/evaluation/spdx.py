"""Whether the terms of a licence are among those that a user accepts. Pure.

Reads SPDX licence expressions (SPDX specification 2.3, annex D: ``OR``, ``AND``, ``WITH``, parentheses) and the
spellings that registries hold instead of them (trove classifiers, "MIT License").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

_TOKEN: Final = re.compile(r"[()]|[^\s()]+")
_LENGTH: Final = 400
_DEPTH: Final = 16
_WORDS: Final = frozenset({"or", "and", "with"})
_ALIASES: Final = {
    "mit license": "mit",
    "the mit license": "mit",
    "apache 2.0": "apache-2.0",
    "apache 2": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "apache license, version 2.0": "apache-2.0",
    "apache software license": "apache-2.0",
    "apache software license 2.0": "apache-2.0",
    "bsd license": "bsd-3-clause",
    "isc license": "isc",
    "isc license (iscl)": "isc",
    "mozilla public license 2.0 (mpl 2.0)": "mpl-2.0",
    "the unlicense (unlicense)": "unlicense",
    "gnu general public license v3 (gplv3)": "gpl-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "gpl-3.0-or-later",
    "gnu affero general public license v3": "agpl-3.0-only",
    "gnu affero general public license v3 or later (agplv3+)": "agpl-3.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "lgpl-3.0-only",
}
_OLD: Final = re.compile(r"((?:a|l)?gpl-\d\.\d)(\+)?\Z")


def accepts(given: str, accepted: Sequence[str]) -> bool | None:
    """Return whether one of the choices that ``given`` leaves is wholly accepted; ``None`` where it cannot be read.

    ``accepted`` are identifiers, with ``*`` and ``?`` as file names have; letters count alike in either case.
    """
    patterns = [_current(each.strip().lower()) for each in accepted]
    text = " ".join(given.lower().split())
    if not text or len(text) > _LENGTH:
        return None
    if text in _ALIASES:
        return _is_one(_ALIASES[text], patterns)
    try:
        tokens = _TOKEN.findall(text)
        reader = _Reader(tokens, patterns)
        answer = reader.choice(0)
    except (ValueError, IndexError):
        return None
    return answer if reader.at == len(tokens) else None


class _Reader:
    """Reads an expression and judges it on the way; raises :class:`ValueError` or :class:`IndexError` for none."""

    def __init__(self, tokens: Sequence[str], patterns: Sequence[str]) -> None:
        self._tokens = tokens
        self._patterns = patterns
        self.at = 0

    def choice(self, depth: int) -> bool:
        """Read ``a OR b``: one that is accepted will do."""
        return any(list(self._joined("or", depth)))

    def _joined(self, word: str, depth: int) -> Iterator[bool]:
        if depth > _DEPTH:
            raise ValueError
        while True:
            yield all(list(self._joined("and", depth))) if word == "or" else self._one(depth)
            if self.at >= len(self._tokens) or self._tokens[self.at] != word:
                return
            self.at += 1

    def _one(self, depth: int) -> bool:
        token = self._tokens[self.at]
        self.at += 1
        if token == "(":
            answer = self.choice(depth + 1)
            if self._tokens[self.at] != ")":
                raise ValueError
            self.at += 1
            return answer
        if token == ")" or token in _WORDS:
            raise ValueError
        if self._tokens[self.at : self.at + 1] == ["with"]:
            self.at += 2  # an exception only allows more
        return _is_one(_current(token), self._patterns)


def _current(identifier: str) -> str:
    """Return the identifier that stands for a deprecated one: ``GPL-3.0+`` is ``GPL-3.0-or-later``."""
    old = _OLD.match(identifier)
    if old is None:
        return identifier
    return f"{old[1]}-or-later" if old[2] else f"{old[1]}-only"


def _is_one(identifier: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(identifier, pattern) for pattern in patterns)
