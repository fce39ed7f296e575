"""Pins: the hash of each definition as it was approved, and what differs from it now. Pure.

The hash is over canonical JSON in the manner of RFC 8785 (members sorted by UTF-16 code units, no white space, one
way to write each number and string) with every string in Unicode form NFC, so that a definition that only travels
differently keeps its pin.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from vsm_mcp.errors import ProtocolError
from vsm_mcp.model.definition import Definition, ItemKind, Offer

_MAX_EXACT = 2**53


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the pins and an offer, as sorted keys (``tool:NAME``, ``instructions:``)."""

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


def digest(definition: Definition) -> str:
    """Return the SHA-256 (hex) of a definition's canonical JSON. Raises :class:`ProtocolError` for broken JSON."""
    try:
        value = json.loads(definition.raw)
        return hashlib.sha256(_canonical(value).encode("utf-8", "surrogatepass")).hexdigest()
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the definition of {definition.kind.value} {definition.name!r} is not JSON") from error


def pins_of(offer: Offer) -> dict[str, str]:
    """Return the pin of every item of an offer and of its instructions, by key.

    Of two items with one key both count: the key of the later ones gets ``#2``, ``#3`` … Raises
    :class:`ProtocolError` for a definition that is not JSON.
    """
    items = [*offer.items]
    if offer.instructions and not offer.of(ItemKind.INSTRUCTIONS):
        raw = json.dumps(offer.instructions, ensure_ascii=False).encode("utf-8", "surrogatepass")
        items.append(Definition(kind=ItemKind.INSTRUCTIONS, name="", raw=raw))
    pins: dict[str, str] = {}
    for item in items:
        name, count = key(item), 1
        while name in pins:
            count += 1
            name = f"{key(item)}#{count}"
        pins[name] = digest(item)
    return pins


def compare(pinned: Mapping[str, str], offer: Offer) -> Comparison:
    """Return what in ``offer`` differs from the pins. Raises :class:`ProtocolError` as :func:`pins_of` does."""
    now = pins_of(offer)
    return Comparison(
        changed=tuple(sorted(name for name in now if name in pinned and pinned[name] != now[name])),
        new=tuple(sorted(now.keys() - pinned.keys())),
        missing=tuple(sorted(pinned.keys() - now.keys())),
    )


def _canonical(value: Any) -> str:
    match value:
        case None | bool() | str():
            return json.dumps(
                unicodedata.normalize("NFC", value) if isinstance(value, str) else value, ensure_ascii=False
            )
        case int() | float():
            return _number(value)
        case list():
            return f"[{','.join(map(_canonical, value))}]"
        case dict():
            pairs = [(unicodedata.normalize("NFC", name), each) for name, each in value.items()]
            pairs.sort(key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{_canonical(name)}:{_canonical(each)}" for name, each in pairs) + "}"
        case _:
            raise ValueError("not a JSON value")


def _number(value: float) -> str:
    """Write a number one way: 1, 1.0 and 1e0 are the same; integers beyond the exact range keep their digits."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError("not a JSON number")
    return str(int(value)) if value.is_integer() and abs(value) <= _MAX_EXACT else repr(value)
