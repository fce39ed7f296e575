"""Text that stands for other text: base64, hexadecimal, percent signs, ROT13, digits for letters. Pure and bounded."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,20000}={0,2}(?![A-Za-z0-9+/=])")
_WRAPPED: Final = re.compile(r"(?<=[A-Za-z0-9+/_-]{60})\s{1,4}(?=[A-Za-z0-9+/_-]{4,})")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:(?:\\\\?x|0x)?[0-9a-f]{2}[ ,:]{0,2}){12,10000}+", re.IGNORECASE)
_ESCAPES: Final = re.compile(r"\\u([0-9a-f]{4})|\\x([0-9a-f]{2})", re.IGNORECASE)
_PERCENT: Final = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_WORDS: Final = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,40}[ \n,.;:]{1,4}[^\W\d_]{2}")
# Common words of six languages, and the folders of keys, as ROT13 leaves them: none of them is a word.
_ROTATED: Final = re.compile(
    r"\b(?:gur|naq|lbhe?|sebz|guvf|jvgu|orsber|hfref?|vtaber|nyy|svyrf?|sbe|zhfg|gbbyf?|ernq|abg|pnyy|ahzoref?|orfg"
    r"|grkg|fraq|vg|nyjnlf|rirel|nsgre|nal|bgure|vf|ner"
    r"|haq|avpug|qre|qvr|qnf|orahgmre|mhrefg|oribe|yrf|ninag|hgvyvfngrhe|gbhgrf|nagrf|hfhnevb|pbagravqb|gbqnf|cevzn|hgragr"
    r")\b|~/\.(?:ffu|njf|aczep|xhor)\b",
    re.IGNORECASE,
)
_LEET: Final = re.compile(r"[\w@$]{2,40}")
_LEET_WORD: Final = re.compile(r"[a-z]{0,20}[013457@$][a-z013457@$]{1,20}", re.IGNORECASE)
_LETTERS: Final = str.maketrans("013457@$", "oleastas")
_MOST: Final = 20


def passages(text: str) -> list[str]:
    """Return the passages of ``text`` that decode to words, at most twenty, each decoded once more if it is encoded."""
    found: list[str] = []
    for decoded in _decoded(text):
        found.append(decoded)
        found += list(_decoded(decoded))[:_MOST]
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def rewritten(text: str) -> Iterator[tuple[str, str]]:
    """Yield (how, plain text) where a whole text is written with percent signs, escapes, in ROT13 or in leetspeak."""
    if len(_PERCENT.findall(text[:5000])) > 4:
        yield "percent", unquote(text, errors="replace")
    if len(_ESCAPES.findall(text[:5000])) > 4:
        yield "escapes", _ESCAPES.sub(lambda match: chr(int(match[1] or match[2], 16)), text)
    if len(_ROTATED.findall(text)) > 1:
        yield "rot13", codecs.encode(text, "rot13")
    words = _LEET.findall(text[:5000])
    if sum(_LEET_WORD.fullmatch(word) is not None and not word.isdigit() for word in words) > max(1, len(words) // 6):
        yield "leet", text.translate(_LETTERS)


def _decoded(text: str) -> Iterator[str]:
    joined = _WRAPPED.sub("", text)
    for count, match in enumerate(_BASE64.finditer(joined)):
        if count < 10 * _MOST and (plain := _readable(_from_base64(match[0]))):
            yield plain
    for count, match in enumerate(_HEX.finditer(text)):
        if count < 10 * _MOST and (plain := _readable(_from_hex(match[0]))):
            yield plain


def _from_base64(token: str) -> bytes:
    plain = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _from_hex(token: str) -> bytes:
    try:
        return bytes.fromhex(re.sub(r"\\\\?x|0x|[ ,:]", "", token, flags=re.IGNORECASE))
    except ValueError:
        return b""


def _readable(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    printable = sum(char.isprintable() or char in "\n\t\r" for char in text)
    return text if text and printable == len(text) and _WORDS.search(text) else ""
