"""Text as a model may read it: look-alike letters folded, spaced letters joined, encoded passages decoded. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from typing import Final

from vsm_mcp.vetting import decoding

MAX_TEXT: Final = 100_000
_ZERO_WIDTH: Final = frozenset(
    "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u180e\u034f\u115f\u1160\u3164\uffa0"
)
_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Joiners shape scripts and emoji; between plain Latin letters they only hide something.
_JOINERS: Final = frozenset("\u200c\u200d")
_ANSI: Final = re.compile(r"\x1b[\[\]()#;?A-Z@-_]|\x9b|\\x1b\[|\\u001b\[|\\033\[", re.IGNORECASE)
_SPACED: Final = re.compile(r"(?<!\w)\w(?:(?P<gap>[ .\-_*·|/]{1,3})\w(?!\w)){11,}", re.UNICODE)
_SPACED_WORD: Final = re.compile(r"(?<!\w)(\w(?:[ .\-_*·|/]\w(?!\w)){2,})")
_LINE_END: Final = re.compile(r"(?<!\n)\n(?!\n)")
_CYRILLIC: Final = re.compile(r"[бвгджзийлптфцчшщыэюя]", re.IGNORECASE)


def hidden_characters(text: str) -> dict[str, int]:
    """Return how many characters of each kind ``text`` hides: zero-width, bidi, tag, ansi, control, selector."""
    counts: dict[str, int] = {}
    for index, char in enumerate(text):
        if char.isascii() and (char.isprintable() or char in "\n\t\r"):
            continue
        kind = _hidden_kind(char, text, index)
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
    ansi = len(_ANSI.findall(text))
    if ansi:
        counts["ansi"] = ansi
    return counts


def _hidden_kind(char: str, text: str, index: int) -> str:
    code = ord(char)
    if char in _JOINERS and _shapes(text, index):
        return ""
    if char in _ZERO_WIDTH:
        return "" if char == "\ufeff" and index == 0 else "zero-width"
    if char in _BIDI:
        return "bidi"
    if 0xE0000 <= code <= 0xE007F:
        return "" if _flag_tag(text, index) else "tag"
    if 0xE0100 <= code <= 0xE01EF or 0xFE00 <= code <= 0xFE0D:
        return "selector"
    if code < 32 or 127 <= code < 160:
        return "" if char == "\x0c" else "control"
    return ""


def _shapes(text: str, index: int) -> bool:
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    return bool(before and after) and not (before.isascii() or after.isascii())


def _flag_tag(text: str, index: int) -> bool:
    """Whether a tag character belongs to an emoji flag (a black flag, at most six tags, the cancel tag)."""
    return "\U0001f3f4" in text[max(0, index - 7) : index]


def reveal(text: str) -> str:
    """Return ``text`` with tag characters turned into the letters they stand for and other hidden ones dropped."""
    kept: list[str] = []
    for char in text:
        code = ord(char)
        if 0xE0020 <= code <= 0xE007E:
            kept.append(chr(code - 0xE0000))
        elif char not in _ZERO_WIDTH and char not in _BIDI and not 0xE0000 <= code <= 0xE01EF:
            kept.append(char)
    return "".join(kept)


def fold(text: str, *, alike: bool = True) -> str:
    """Return ``text`` as plain lower-case letters: hidden characters out, NFKC, look-alikes to Latin, one blank.

    Without ``alike``, letters of other alphabets stay what they are.
    """
    text = unicodedata.normalize("NFKC", reveal(text[:MAX_TEXT]))
    if alike and not text.isascii():
        table = _latin()
        text = "".join(char if char.isascii() else table.get(char, char) for char in text)
        text = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return re.sub(r"[ \t\f\v\r]+", " ", text.casefold())


def skeleton(name: str) -> str:
    """Return what a name looks like: folded, with digits and letter pairs that read as another letter replaced."""
    text = re.sub(r"[^a-z0-9]", "", fold(name))
    for pair, single in (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("3", "e"), ("5", "s")):
        text = text.replace(pair, single)
    return text.replace("i", "l")


@cache
def _latin() -> dict[str, str]:
    """Map each character that Unicode lists as confusable with an ASCII letter or digit to that one."""
    from confusable_homoglyphs import confusables  # noqa: PLC0415 - 60 ms and 10 MB that only foreign letters need

    table: dict[str, str] = {}
    for char, alikes in confusables.confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        plain = [each["c"] for each in alikes if each["c"].isascii() and each["c"].isalnum()]
        if plain:
            table[char] = min(plain, key=lambda letter: (not letter.islower(), letter))
    return table


def letter_spaced(text: str) -> str:
    """Return the longest run of at least twelve single letters set apart by the same few signs, or nothing."""
    runs = [match[0] for match in _SPACED.finditer(text[:MAX_TEXT]) if len(re.findall(r"[^\W\d_]", match[0])) >= 12]
    return max(runs, key=len, default="")


def readings(text: str) -> tuple[tuple[str, str], ...]:
    """Return the ways to read ``text``: (how, folded text), plain first; the others only where there is a reason."""
    text = text[:MAX_TEXT]
    found = [("plain", fold(text))]
    if len(_CYRILLIC.findall(text)) > 3:
        found.append(("cyrillic", fold(text, alike=False)))
    if text.count("\n") * 3 > len(text.split()):
        found.append(("unwrapped", fold(_LINE_END.sub(" ", text))))
    unescaped = html.unescape(text)
    if unescaped != text:
        found.append(("entities", fold(unescaped)))
    if _SPACED_WORD.search(text):
        joined = re.sub(r"(?<=\S)[ .\-_*·|/](?=\w(?!\w))", "", _SPACED_WORD.sub(_joined, text))
        found.append(("spaced", fold(joined)))
    found += [(how, fold(plain)) for how, plain in decoding.rewritten(reveal(text))]
    found += [("encoded", fold(decoded)) for decoded in encoded_passages(text)]
    return tuple(dict.fromkeys(found))


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"[ .\-_*·|/]", "", match[0])


def encoded_passages(text: str) -> list[str]:
    """Return the passages of ``text``, base64 or hexadecimal, that decode to words (at most twenty)."""
    return decoding.passages(unicodedata.normalize("NFKC", reveal(text[:MAX_TEXT])))


def disguised_words(text: str) -> list[str]:
    """Return the words that pass for Latin ones in foreign letters: mixed with Latin letters, or in another width."""
    if text.isascii():
        return []
    table = _latin()
    found = []
    for word in re.findall(r"[^\W\d_]{3,}", text[:MAX_TEXT]):
        foreign = [char for char in word if not char.isascii() and unicodedata.category(char).startswith("L")]
        if foreign and all(_passes_for_latin(char, table) for char in foreign):
            mixed = len(foreign) < len(word)
            if mixed or any(0xFF21 <= ord(char) <= 0xFF5A or 0x1D400 <= ord(char) <= 0x1D7FF for char in foreign):
                found.append(word)
    return found


def _passes_for_latin(char: str, table: dict[str, str]) -> bool:
    """Whether a letter of another alphabet looks like a Latin one; accented Latin letters are what they are."""
    if "LATIN" in unicodedata.name(char, "LATIN") and "FULLWIDTH" not in unicodedata.name(char, ""):
        return False
    return char in table or unicodedata.normalize("NFKC", char).isascii()
