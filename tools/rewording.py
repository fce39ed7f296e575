"""Says a need in other words: some of them replaced by what WordNet has for the same; build time only.

"update a record" becomes "alter a record". Which words are replaced, and by which, the hash of the text says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.model_texts import digest
from tools.wordnet import meanings, senses

_WORD: Final = re.compile(r"([a-z]+)([?.,!]*)")
_SENSES, _OFTEN = 2, 15
_SHARE: Final = 0.4
_LEFT: Final = re.compile(
    "a|about|all|an|and|any|are|as|at|be|by|can|could|did|do|does|for|from|give|has|have|help|here|how|i|if|in|is|it|let"
    "|me|my|need|not|of|on|or|our|out|please|so|than|that|the|them|there|they|this|those|to|up|us|was|we|what|when|where"
    "|which|who|why|will|with|would|you|your"
)


class Wordnet:
    """The words of WordNet's ``index.*`` and ``data.*`` files in ``folder``, as far as ``texts`` use them, too."""

    def __init__(self, folder: Path, texts: Iterable[str]) -> None:
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update(set(re.findall(r"[a-z]+", text.lower())))
        self._often = {word for word, times in seen.items() if times > _OFTEN}
        self._parts = {part: _senses(folder, part) for part in ("verb", "noun", "adj")}

    def reworded(self, need: str, salt: int = 0) -> str:
        """Return a need in other words; "" where there are none for what was to be replaced."""
        chance = int.from_bytes(digest(f"{salt}\n{need}"), "big")
        words, replaced, first = need.split(), False, True
        for place, word in enumerate(words):
            found = _WORD.fullmatch(word)
            if found is None or _LEFT.fullmatch(found[1]):
                continue
            chance, drawn = divmod(chance, 1000)
            others = self._others(found[1], ("verb",) if first else ("noun", "verb", "adj"))
            first = False
            if others and drawn < 1000 * _SHARE:
                words[place], replaced = others[drawn % len(others)] + found[2], True
        return " ".join(words) if replaced else ""

    def _others(self, word: str, parts: Sequence[str]) -> list[str]:
        for part in parts:
            for stem, ending in ((word, ""), (word.removesuffix("s"), "s"), (word.removesuffix("es"), "es")):
                others = [
                    f"{other}{ending}"
                    for sense in self._parts[part].get(stem, ())[:_SENSES]
                    for other in sense
                    if other != stem and self._often.issuperset(other.split())
                ]
                if others:
                    return others
        return []


def _senses(folder: Path, part: str) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return for each word its senses, the usual first: what is said for each of them, without marks ("alive(p)")."""
    said = {each.place: [word.partition("(")[0] for word in each.words] for each in meanings(folder, part)}
    return {word: [said[place] for place in places] for word, places in senses(folder, part)}
