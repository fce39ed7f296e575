"""Cutting English endings: M. F. Porter, *An algorithm for suffix stripping*, Program 14 (3), 1980.

Written from the paper; checked against its own examples in the tests. Words of other alphabets, words with digits and
a few that the rules would confuse pass unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_KEEP: Final = {
    "news": "news", "aws": "aws", "dns": "dns", "css": "css", "ios": "ios", "tls": "tls", "sms": "sms", "gps": "gps",
    "rss": "rss", "cms": "cms", "dbs": "db", "apis": "api", "urls": "url", "pdfs": "pdf",
    "analys": "analys", "analyses": "analys", "analysis": "analys", "analyze": "analys", "analyse": "analys",
    "analyzer": "analys",
    "analytics": "analyt", "indices": "index", "matrices": "matrix", "matrix": "matrix", "statistics": "statist",
    "statistical": "statist", "kubernetes": "kubernetes", "redis": "redis", "pandas": "pandas", "jenkins": "jenkins",
    "windows": "windows", "postgres": "postgresql", "postgresql": "postgresql", "k8s": "kubernetes", "js": "javascript",
    "javascript": "javascript", "weather": "weather", "conversion": "convert", "conversions": "convert",
    "transcript": "transcrib", "transcripts": "transcrib", "transcription": "transcrib", "transcrib": "transcrib",
    "md": "markdown", "maths": "math", "mathematics": "math", "mathematical": "math", "xlsx": "xlsx", "sos": "sos",
    "sqlite3": "sqlite", "colour": "color", "colours": "color", "colors": "color", "organisation": "organ",
}  # fmt: skip
_VOWELS: Final = "aeiou"


def stem(word: str) -> str:
    """Return the stem of one lower-case word."""
    if word in _KEEP:
        return _KEEP[word]
    if len(word) <= 2 or not (word.isascii() and word.isalpha()):
        return word
    word = _step1c(_step1b(_step1a(word)))
    word = _longest(word, _STEP2, 0)
    word = _longest(word, _STEP3, 0)
    return _step5(_step4(word))


def lasting_stem(word: str) -> str:
    """Return the stem that is its own stem: the rules applied until nothing changes."""
    while (cut := stem(word)) != word:
        word = cut
    return word


def _consonant(word: str, i: int) -> bool:
    char = word[i]
    if char in _VOWELS:
        return False
    return char != "y" or i == 0 or not _consonant(word, i - 1)


def _measure(base: str) -> int:
    """Count the vowel-consonant sequences of ``base``: m in the paper."""
    count, vowel = 0, False
    for i in range(len(base)):
        if _consonant(base, i):
            count += vowel
            vowel = False
        else:
            vowel = True
    return count


def _vowel_in(base: str) -> bool:
    return any(not _consonant(base, i) for i in range(len(base)))


def _double(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _consonant(word, len(word) - 1)


def _cvc(word: str) -> bool:
    last = len(word) - 1
    return (
        last >= 2
        and _consonant(word, last)
        and not _consonant(word, last - 1)
        and _consonant(word, last - 2)
        and word[-1] not in "wxy"
    )


def _step1a(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _step1b(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        if word.endswith(ending) and _vowel_in(base := word[: -len(ending)]):
            if base.endswith(("at", "bl", "iz")):
                return base + "e"
            if _double(base) and base[-1] not in "lsz":
                return base[:-1]
            return base + "e" if _measure(base) == 1 and _cvc(base) else base
    return word


def _step1c(word: str) -> str:
    return word[:-1] + "i" if word.endswith("y") and _vowel_in(word[:-1]) else word


_STEP2: Final = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able",
    "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate",
    "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al",
    "iviti": "ive", "biliti": "ble",
}  # fmt: skip
_STEP3: Final = {
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
}  # fmt: skip
_STEP4: Final = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


def _longest(word: str, rules: Mapping[str, str], least: int) -> str:
    if not word.endswith(tuple(rules)):  # one look for most words
        return word
    ending = max(filter(word.endswith, rules), key=len)
    base = word[: -len(ending)]
    return base + rules[ending] if _measure(base) > least else word


def _step4(word: str) -> str:
    if not word.endswith(_STEP4):
        return word
    ending = max(filter(word.endswith, _STEP4), key=len)
    base = word[: -len(ending)]
    if _measure(base) <= 1 or (ending == "ion" and not base.endswith(("s", "t"))):
        return word
    return base


def _step5(word: str) -> str:
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _cvc(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word
