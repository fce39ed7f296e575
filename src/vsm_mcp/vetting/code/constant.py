"""Constant texts, worked out: what code spells in pieces, backwards or encoded so that nobody finds it."""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

UNKNOWN: Final = "\0"
_LONGEST: Final = 65536


def decoded(path: str, method: str, receiver: str | None, given: Sequence[str | None]) -> str | None:
    """Return the text that a decoding call gives for constant arguments, or ``None``."""
    first = given[0] if given else None
    try:
        if path in {"String.fromCharCode", "String.fromCodePoint", "chr"} and given:
            return "".join(chr(int(each)) for each in given if each is not None) if None not in given else None
        if first is None or UNKNOWN in first or len(first) > _LONGEST:
            return None
        if path in {"atob", "base64.b64decode", "base64.urlsafe_b64decode", "binascii.a2b_base64"}:
            return _base64(first)
        if path == "Buffer.from" and len(given) > 1:
            return (
                _base64(first) if (given[1] or "").startswith("base64") else _hex(first) if given[1] == "hex" else None
            )
        if path in {"bytes.fromhex", "bytearray.fromhex", "binascii.unhexlify"}:
            return _hex(first)
        if path == "codecs.decode" and len(given) > 1 and given[1] in {"rot13", "rot_13", "hex", "base64"}:
            return codecs.decode(first, "rot13") if "rot" in str(given[1]) else _hex(first)
        if path in {"unescape", "decodeURIComponent", "decodeURI", "urllib.parse.unquote"}:
            return unquote(first)
    except (ValueError, OverflowError, binascii.Error):
        return None
    return None


def _base64(text: str) -> str:
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "replace")


def _hex(text: str) -> str:
    return bytes.fromhex(text).decode("utf-8", "replace")


def method_result(method: str, text: str | None, given: Sequence[str | None]) -> str | None:
    """Return what a method of a constant text gives, as far as it is worked out here."""
    if text is None or len(text) > _LONGEST:
        return None
    match method:
        case "reversed" | "reverse":
            return text[::-1]
        case "toString" | "decode" | "encode" | "strip" | "trim" | "valueOf" | "String" | "normalize" | "expanduser":
            return text.strip() if method in {"strip", "trim"} else text
        case "resolve" | "absolute" | "as_posix" | "href" | "expandvars":
            return text
        case "split" if given and given[0] == "":
            return text
        case "toLowerCase" | "lower":
            return text.lower()
        case "replace" | "replaceAll" if len(given) == 2 and given[0] and given[1] is not None:
            return text.replace(given[0], given[1]) if not given[0].startswith("/") else None
        case "concat" | "joinpath":
            separator = "/" if method == "joinpath" else ""
            return separator.join([text, *(UNKNOWN if each is None else each for each in given)])
        case _:
            return None
