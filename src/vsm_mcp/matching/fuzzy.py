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
    if len(word) < LEAST_LENGTH or not word.isalpha():
        return {}
    # Imported here: a search whose words are all known does not pay for it.
    from rapidfuzz import process  # noqa: PLC0415
    from rapidfuzz.distance import DamerauLevenshtein  # noqa: PLC0415

    near = [other for other in known if other[0] == word[0] and abs(len(other) - len(word)) <= 2]
    found = process.extract(
        word, near, scorer=DamerauLevenshtein.normalized_similarity, limit=_MOST, score_cutoff=LEAST_LIKENESS
    )
    return {other: DISCOUNT * likeness for other, likeness, _ in found}
