"""Needs in other languages: the words that are known put into English, so that they can be compared with anything.

The glossary is data: for each English term the words that stand for it in a dozen languages. It knows what people ask
servers for, some fifty things; a sentence whose subject is none of them stays as it is.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from typing import Final

from vsm_mcp.errors import ConfigError

UNSPACED: Final = frozenset({"zh", "ja", "ko"})
_LONGEST_ENDING: Final = 3
_LEAST_STEM: Final = 4
_MAX_TEXT: Final = 2_000


class Glossary:
    """Words by language; built once, then only read."""

    def __init__(self, words: Mapping[str, Mapping[str, str]], skip: Mapping[str, str]) -> None:
        self._words: dict[str, dict[str, str]] = {language: {} for language in skip}
        for english, languages in words.items():
            for language, several in languages.items():
                for word in several.split():
                    self._words[language].setdefault(folded(word), english)
        self._skip = {language: frozenset(map(folded, several.split())) for language, several in skip.items()}

    def english(self, text: str) -> str:
        """Return a text with what is known of its language in English; unchanged where nothing is."""
        plain = folded(text[:_MAX_TEXT])
        parts = plain.split()
        best, found = 0, text
        for language in self._words:
            put = self._inside(language, plain) if language in UNSPACED else self._word_by_word(language, parts)
            if put is not None and put[0] > best:
                best, found = put
        return found

    def _word_by_word(self, language: str, parts: list[str]) -> tuple[int, str] | None:
        known, skip = self._words[language], self._skip[language]
        put = [(_entry(known, part.strip("?!.,;:\"'()«»„“”¿¡")), part) for part in parts]
        hits = sum(english is not None for english, _ in put)
        if not hits:
            return None
        skipped = sum(part in skip for _, part in put)
        return 2 * hits + skipped, " ".join(english or part for english, part in put if english or part not in skip)

    def _inside(self, language: str, text: str) -> tuple[int, str] | None:
        left, found, explained = text, [], 0
        for word in sorted(self._words[language], key=len, reverse=True) if not text.isascii() else ():
            if word in left:
                found.append((left.index(word), self._words[language][word]))
                explained += len(word)
                left = left.replace(word, " " * len(word))
        # What stands between is dropped, but for what is no script of the language: names, file types.
        rest = "".join(char if char.isascii() else " " for char in left).split()
        return (2 * explained, " ".join([*(english for _, english in sorted(found)), *rest])) if found else None


def _entry(known: Mapping[str, str], word: str) -> str | None:
    """Return the English for a word as it is, or with an ending of up to three letters cut off."""
    for ending in range(_LONGEST_ENDING + 1):
        stem = word[: len(word) - ending]
        if ending and len(stem) < _LEAST_STEM:
            return None
        if stem in known:
            return known[stem]
    return None


def folded(text: str) -> str:
    """Return a text in lower case, without accents; letters that stand for others by themselves stay."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char) or ord(char) > 0x3000)
    return unicodedata.normalize("NFC", bare).replace("ß", "ss").replace("ł", "l")


def parse(text: str) -> Glossary:
    """Read a glossary from TOML. Raises :class:`ConfigError` when it has another form."""
    try:
        content = tomllib.loads(text)
        return Glossary(content["words"], content["skip"])
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(f"the glossary cannot be read: {error!r}", "reinstall vsm-mcp") from error
