"""Finds the entries of a list that share words with a need, by looking at every one. Pure.

A list that was copied from the network changes every hour: looking through some ten thousand short texts takes a few
hundredths of a second, building an index over them would take longer than it ever saves.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from vsm_mcp.matching.rarity import idf


def spaced(words: str) -> str:
    """Return a text in the form that is looked through: words that begin after a blank."""
    return f" {words}"


def best(query: Mapping[str, float], texts: Sequence[str], limit: int) -> list[int]:
    """Return the places of up to ``limit`` texts, best first; ``query`` weighs stems, which words begin with.

    A rare word says more than a common one, and a short text that holds it more than a long one.
    """
    scores: dict[int, float] = {}
    for stem, weight in query.items():
        begun = f" {stem}"
        holding = [place for place, text in enumerate(texts) if begun in text]
        value = weight * idf(len(texts), len(holding))
        for place in holding:
            scores[place] = scores.get(place, 0.0) + value
    ranked = heapq.nsmallest(limit, scores.items(), key=lambda item: (-item[1], len(texts[item[0]]), item[0]))
    return [place for place, _ in ranked]
