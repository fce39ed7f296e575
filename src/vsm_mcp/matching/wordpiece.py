"""Text → numbers of word pieces, cut as the uncased BERT vocabulary has them.

Lower case, no accents, every sign of punctuation and every Chinese character for itself; a word that the vocabulary
does not hold is cut into its longest known beginnings (M. Schuster, K. Nakajima: *Japanese and Korean voice search*,
2012). Words are remembered, because few of them make most of any collection.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

MAX_TEXT: Final = 4_000
"""Characters of one text that are looked at."""

UNKNOWN: Final = "[UNK]"
_MOST_LETTERS: Final = 100
_MOST_KEPT: Final = 50_000
_CHINESE: Final = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPieces:
    """A vocabulary that cuts texts. ``pieces`` are in the order of their numbers; inner ones begin with ``##``.

    ``whole`` are words that are not cut, though the pieces do not hold them; their numbers follow.
    """

    def __init__(self, pieces: Sequence[str], whole: Sequence[str] = ()) -> None:
        self.numbers: Mapping[str, int] = {piece: number for number, piece in enumerate(pieces)}
        self.whole = {word: (number,) for number, word in enumerate(whole, len(pieces))}
        self._unknown = self.numbers[UNKNOWN]
        self._words: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.numbers) + len(self.whole)

    def cut(self, text: str, most: int) -> list[int]:
        """Return the numbers of at most ``most`` pieces of a text."""
        found: list[int] = []
        for word in split(text):
            found += self.of_word(word)
            if len(found) >= most:
                break
        return found[:most]

    def of_word(self, word: str) -> tuple[int, ...]:
        """Return the numbers of the pieces of one word as :func:`split` gives it."""
        known = self._words.get(word)
        if known is None:
            if len(self._words) >= _MOST_KEPT:
                self._words.clear()
            known = self._words[word] = self.whole.get(word) or self._pieces(word)
        return known

    def _pieces(self, word: str) -> tuple[int, ...]:
        if len(word) > _MOST_LETTERS:
            return (self._unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            before = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self.numbers.get(before + word[start:end])
                if number is not None:
                    break
            else:
                return (self._unknown,)
            found.append(number)
            start = end
        return tuple(found)


def split(text: str) -> list[str]:
    """Return the words and signs of a text: lower case, without accents."""
    text = text[:MAX_TEXT]
    if not text.isascii():
        text = unicodedata.normalize("NFD", text.lower())
    return "".join(map(_spaced, text.lower())).split()


@lru_cache(maxsize=4096)
def _spaced(char: str) -> str:
    """Return what a character becomes: itself, a space, nothing, or itself as a word of its own."""
    kind = unicodedata.category(char)
    if char.isspace():
        return " "
    if kind == "Mn" or kind.startswith("C") or char == "\ufffd":
        return ""
    apart = kind.startswith("P") or (kind.startswith("S") and char.isascii())
    return f" {char} " if apart or _is_chinese(ord(char)) else char


def _is_chinese(code: int) -> bool:
    return any(first <= code <= last for first, last in _CHINESE)
