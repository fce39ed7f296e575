"""Letters that look like others, in names. Pure.

Two signs are looked for, both without use in an honest name: a word that mixes Latin letters with letters of a script
that has look-alikes of them (Unicode Technical Standard 39, "Mixed-Script Detection"), and characters that are only
another form of a plain letter (full width, mathematical). A word wholly in another script is that language's word.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ALIKE: Final = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LISU"})
_FORMS: Final = frozenset({"FULLWIDTH", "MATHEMATICAL", "CIRCLED", "SQUARED", "PARENTHESIZED"})
_WORD: Final = re.compile(r"[^\W\d_]+")


def disguised(name: str) -> str:
    """Return the first letter of ``name`` that looks like another one, with its Unicode name; empty when none does."""
    if name.isascii():
        return ""
    for word in _WORD.findall(name):
        kinds = [unicodedata.name(letter, "").split(" ", 1)[0] for letter in word]
        suspect = _FORMS | _ALIKE if "LATIN" in kinds else _FORMS
        for letter, kind in zip(word, kinds, strict=True):
            if kind in suspect:
                return f"{letter} ({unicodedata.name(letter)})"
    return ""
