"""What of a need goes to a source that searches for itself: its telling words, and as few of them as will do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vsm_mcp.matching.tokens import LIGHT, STOP, stem_of, words

_MOST_WORDS: Final = 6


def asked_words(need: str, most: int) -> str:
    """Return the telling words of a need, each once, in its order, in at most ``most`` characters; may be empty.

    What a person wrote around them ("please help me to read and edit …") says little to a search, and is nobody's
    business. Only letters and digits are left: nothing in a need is an operator of somebody's search language.
    """
    telling = [word for word in dict.fromkeys(words(need)) if word not in STOP]
    heavy = [word for word in telling if stem_of(word) not in LIGHT]
    kept: list[str] = []
    for word in heavy or telling:
        if len(kept) == _MOST_WORDS or len(" ".join([*kept, word])) > most:
            break
        kept.append(word)
    return " ".join(kept)


def weightiest(asked: str, weights: Mapping[str, float]) -> list[str]:
    """Return the words of :func:`asked_words`, the most telling first; ``weights`` are those of their stems."""
    return sorted(asked.split(), key=lambda word: -weights.get(stem_of(word), 0.0))
