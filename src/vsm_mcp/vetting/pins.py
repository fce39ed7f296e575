"""Pins: the hash of each definition as it was approved, and what differs from it now. Pure.

The hash is over canonical JSON (RFC 8785: members sorted by UTF-16 code units, no white space, one way to write each
number and string) with every string in Unicode form NFC, so that a definition that only travels differently keeps its
pin. Integers beyond the exact range of a double keep their digits: RFC 8785 would make neighbours one.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.model.definition import Definition, ItemKind, Offer

INSTRUCTIONS: Final = f"{ItemKind.INSTRUCTIONS.value}:"
"""The key of a server's instructions."""

_MAX_EXACT: Final = 2**53
_CALLED: Final = (ItemKind.TOOL, ItemKind.PROMPT)
_ALIKE: Final = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"))


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the pins and an offer, as sorted keys (``tool:NAME``, ``instructions:``).

    An item whose name is or looks like that of another, pinned one (other case or separators, look-alike letters,
    invisible characters) counts as ``changed``, not as ``new``: to a model they are one.
    """

    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing was changed, added or taken away."""
        return not (self.changed or self.new or self.missing)


def key(definition: Definition) -> str:
    """Return the key a definition is pinned under: its kind and its name in form NFC."""
    return f"{definition.kind.value}:{unicodedata.normalize('NFC', definition.name)}"


def keyed(offer: Offer) -> dict[str, Definition]:
    """Return the items of an offer, its instructions among them, each under a key of its own.

    Of two items with one key both count: the key of the later ones gets ``#2``, ``#3`` …
    """
    found: dict[str, Definition] = {}
    counts: Counter[str] = Counter()
    for item in offer.items:
        name = key(item)
        counts[name] += 1
        while (own := name if counts[name] == 1 else f"{name}#{counts[name]}") in found:
            counts[name] += 1
        found[own] = item
    if offer.instructions and INSTRUCTIONS not in found:
        raw = json.dumps(offer.instructions, ensure_ascii=False).encode("utf-8", "surrogatepass")
        found[INSTRUCTIONS] = Definition(kind=ItemKind.INSTRUCTIONS, name="", raw=raw)
    return found


def digest(definition: Definition) -> str:
    """Return the SHA-256 (hex) of a definition's canonical JSON.

    What has no canonical form (broken JSON, two members of one name, no end of nesting) is pinned byte for byte. Of a
    resource, its ``size`` and when it was last modified are left out: they belong to its content.
    """
    try:
        value = json.loads(definition.raw, object_pairs_hook=_distinct)
        if definition.kind is ItemKind.RESOURCE:
            value = _lasting(value)
        text = _canonical(value).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        text = b"\0" + definition.raw
    return hashlib.sha256(text).hexdigest()


def pins_of(offer: Offer) -> dict[str, str]:
    """Return the pin of every item of an offer and of its instructions, by key."""
    return {name: digest(item) for name, item in keyed(offer).items()}


def compare(pinned: Mapping[str, str], offer: Offer, approved: Offer | None = None) -> Comparison:
    """Return what in ``offer`` differs from the pins; what is ``approved`` byte for byte needs no hash."""
    now = keyed(offer)
    known = {} if approved is None else keyed(approved)
    differs = [name for name in now if name in pinned and not _same(now[name], known.get(name), pinned[name])]
    fresh = [name for name in now if name not in pinned]
    looks = {likeness(name) for name in pinned} if fresh else set()
    disguised = {name for name in fresh if likeness(key(now[name])) in looks}
    return Comparison(
        changed=tuple(sorted({*differs, *disguised})),
        new=tuple(sorted(set(fresh) - disguised)),
        missing=tuple(sorted(pinned.keys() - now.keys())),
    )


def likeness(name: str) -> str:
    """Return what a key looks like; resources and templates look like themselves alone."""
    kind, _, own = name.partition(":")
    if kind not in _CALLED:
        return name
    from vsm_mcp.vetting.folding import fold  # noqa: PLC0415 - for servers that offer something new

    text = re.sub(r"[\W_]+", "", fold(own)) or own
    for pair, single in _ALIKE:
        text = text.replace(pair, single)
    return f"{kind}:{text}"


def _same(item: Definition, approved: Definition | None, pin: str) -> bool:
    return (approved is not None and approved.raw == item.raw) or digest(item) == pin


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {unicodedata.normalize("NFC", name): value for name, value in pairs}
    if len(found) < len(pairs):
        raise ValueError("two members have one name: readers differ in which of them counts")
    return found


def _lasting(value: Any) -> Any:
    """Return a resource's definition without what changes with its content."""
    if not isinstance(value, dict):
        return value
    kept = {name: each for name, each in value.items() if name != "size"}
    notes = kept.get("annotations")
    if isinstance(notes, dict) and "lastModified" in notes:
        kept["annotations"] = {name: each for name, each in notes.items() if name != "lastModified"}
    return kept


def _canonical(value: Any) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return json.dumps(unicodedata.normalize("NFC", value), ensure_ascii=False)
        case int() | float():
            return _number(value)
        case list():
            return f"[{','.join(map(_canonical, value))}]"
        case dict():
            pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{_canonical(name)}:{_canonical(each)}" for name, each in pairs) + "}"
        case _:
            raise ValueError("not a JSON value")


def _number(value: float) -> str:
    """Write a number one way, as ECMAScript does: 1, 1.0 and 1e0 are the same."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError("not a JSON number")
    if value.is_integer() and abs(value) <= _MAX_EXACT:
        return str(int(value))
    return _ecmascript(value)


def _ecmascript(value: float) -> str:
    """Write a double as ``Number::toString`` does (ECMA-262, 6.1.6.1.20): Python takes exponents earlier."""
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return f"{sign}{digits.ljust(point, '0')}"
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
