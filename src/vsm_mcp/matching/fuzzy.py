"""The nearest known words of one that nobody knows: misspelt names, other endings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LEAST_LENGTH: Final = 5
LEAST_LIKENESS: Final = 0.82
DISCOUNT: Final = 0.7
_MOST: Final = 3


def nearest(word: str, known: Iterable[str]) -> dict[str, float]:
    """Return up to three known words that ``word`` may be a misspelling of, each with a weight below 1.

    Words of fewer than five letters have none: too many others are near. The first letter is taken as right.
    """
    if not may_be_misspelt(word):
        return {}
    # Imported here: a search whose words are all known does not pay for it.
    from rapidfuzz import process  # noqa: PLC0415
    from rapidfuzz.distance import DamerauLevenshtein  # noqa: PLC0415

    near = [other for other in known if other[0] == word[0] and abs(len(other) - len(word)) <= 2]
    found = process.extract(
        word, near, scorer=DamerauLevenshtein.normalized_similarity, limit=_MOST, score_cutoff=LEAST_LIKENESS
    )
    return {other: DISCOUNT * likeness for other, likeness, _ in found}


def may_be_misspelt(word: str) -> bool:
    """Return whether a word that nobody knows is looked for at all: five letters and more, nothing but letters."""
    return len(word) >= LEAST_LENGTH and word.isalpha()


class Beginnings:
    """Known words by their first letter, for many looks at the same ones."""

    def __init__(self, known: Iterable[str]) -> None:
        self._by_letter: dict[str, list[str]] = {}
        for word in known:
            self._by_letter.setdefault(word[:1], []).append(word)

    def nearest(self, word: str) -> dict[str, float]:
        """Return what :func:`nearest` does over all of them."""
        return nearest(word, self._by_letter.get(word[:1], ())) if may_be_misspelt(word) else {}
