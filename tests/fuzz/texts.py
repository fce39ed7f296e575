"""JSON and JSON-RPC as nobody should write them: texts, not values, because the spelling is what is tried."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Text = st.SearchStrategy[str]


def mostly(plain: st.SearchStrategy[T], odd: st.SearchStrategy[T], percent: int = 93) -> st.SearchStrategy[T]:
    """Something plain, ``percent`` times in a hundred, or something odd: a message gets nowhere if all of it is odd."""
    return st.integers(0, 99).flatmap(lambda chance: plain if chance < percent else odd)


def quoted(*words: str) -> Text:
    """One of some words, as a string of JSON."""
    return st.sampled_from([f'"{word}"' for word in words])


_NUMBERS = [
    "0", "-0", "1", "7", "1.0", "1e0", "1E+0", "10e-1", "-1", "1.50", "9007199254740993", "18446744073709551616",
    "1e999", "-1e-999", "1" * 400, "1" * 5000, "0." + "3" * 400,
]  # fmt: skip
NUMBERS: Text = st.sampled_from(_NUMBERS)
_ODD_STRINGS = [
    '""', '"\\u0000"', '"\\ud83d"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\\\ud83d"', '"\\/"', '"\\u0065cho"',
    '"\x7f"', '"\u2028\ufeff"', '"\U0001f600"', '"\\"},{\\""', f'"{"x" * 3000}"', '"input_required"', '"_meta"', '"7"',
]  # fmt: skip
STRINGS: Text = st.sampled_from(_ODD_STRINGS) | st.builds(json.dumps, st.text(max_size=12), ensure_ascii=st.booleans())
_WORDS: Text = st.sampled_from(["null", "true", "false", "{}", "[]", "[ ]", "{ }"])
_DEEP: Text = st.builds(
    lambda depth, pair: pair[0] * depth + "1" + pair[1] * depth,
    st.sampled_from([3, 60, 900, 5000]),
    st.sampled_from([("[", "]"), ('{"a":', "}")]),
)
SPACE: Text = mostly(st.just(""), st.sampled_from([" ", "\t", " \r"]), 80)


def members(keys: Text, values: Text, most: int = 4) -> Text:
    """Objects; a key may come twice, and space where JSON lets it be."""
    pair = st.builds(lambda key, a, b, value: f"{key}{a}:{b}{value}", keys, SPACE, SPACE, values)
    return st.lists(pair, max_size=most).map(lambda pairs: f"{{{','.join(pairs)}}}")


def object_of(found: dict[str, str]) -> str:
    """Return the object with these members."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in found.items()) + "}"


_SIMPLE: Text = NUMBERS | STRINGS | _WORDS
_INNER: Text = st.lists(_SIMPLE, max_size=3).map(lambda parts: f"[{', '.join(parts)}]") | members(STRINGS, _SIMPLE, 3)
VALUES: Text = st.one_of(_SIMPLE, _INNER, members(STRINGS, _SIMPLE | _INNER, 2))
ANY: Text = mostly(VALUES, _DEEP)
"""Any JSON value; now and then one that is nested deeper than anybody reads."""

IDS: Text = mostly(NUMBERS | STRINGS, ANY)
_BROKEN = [
    "NaN", "Infinity", "-", "+1", "01", "1.", ".5", "1e", "0x1", "tru", "'a'", '"\x01"', '"\\x"', '"\\u12"', '"a',
    "[1,]", '{"a":1,}', '{"a"}', '{"a" 1}', "{a:1}", "[1 2]", "]", "", "[" * 20_000, '{"a":' * 20_000,
]  # fmt: skip
BROKEN: Text = st.sampled_from(_BROKEN)
_SPOILT = st.tuples(st.sampled_from(["missing", "doubled", "broken"]), st.integers(0, 9), BROKEN)


def message(**parts: Text) -> Text:
    """One JSON-RPC message of the members given, in any order; one of them may be missing, doubled or broken."""

    def write(values: dict[str, str], order: list[str], space: str, spoilt: tuple[str, int, str] | None) -> str:
        pairs = [(name, values[name]) for name in order]
        if spoilt is not None:
            how, place, junk = spoilt
            name, value = pairs.pop(place % len(pairs))
            pairs += {"missing": [], "doubled": [(name, value), (name, values[order[0]])], "broken": [(name, junk)]}[
                how
            ]
        return "{" + f",{space}".join(f'"{name}":{space}{value}' for name, value in pairs) + "}"

    order = mostly(st.just(list(parts)), st.permutations(list(parts)), 50)
    return st.builds(write, st.fixed_dictionaries(parts), order, SPACE, mostly(st.none(), _SPOILT))


def mangled(texts: Text) -> st.SearchStrategy[bytes]:
    """The bytes of a text: as it is, more often than not; or with bytes put in, taken out, or in front."""

    def mangle(text: str, how: str, at: float, junk: bytes) -> bytes:
        whole = text.encode("utf-8", "surrogatepass")
        place = int(at * len(whole))
        if how == "insert":
            return whole[:place] + junk + whole[place:]
        if how == "replace":
            return whole[:place] + junk + whole[place + len(junk) :]
        return {"cut": whole[:place], "bom": b"\xef\xbb\xbf" + whole, "space": b" \t" + whole + b" \r"}[how]

    hows = st.sampled_from(["insert", "replace", "cut", "bom", "space"])
    junk = st.sampled_from([b"\0", b"\xff", b"\xc3", b'"', b"\\", b"}", b",", b"\xed\xa0\x80"]) | st.binary(max_size=4)
    odd = st.builds(mangle, texts, hows, st.floats(0, 1, exclude_max=True), junk)
    return mostly(texts.map(lambda text: text.encode("utf-8", "surrogatepass")), odd)


def verbatim(body: bytes) -> Any:
    """Read JSON with numbers as they are written; raises ValueError (or RecursionError) for what is none."""

    def refuse(word: str) -> object:
        raise ValueError(word)

    return json.loads(body.decode(), parse_int=_number, parse_float=_number, parse_constant=refuse)


def _number(written: str) -> tuple[str, str]:
    return ("number", written)


_SURELY_SHORT = 150
"""Characters of an id that is short enough however it is spelled."""

_HALVES = re.compile("[\ud800-\udfff]")
Ident = str | tuple[str, str]


def answers(answer: dict[str, Any], body: bytes) -> bool:
    """Whether a message has the id of the request that ``body`` is; an error about anything else has none."""
    ident, wanted = answer["id"], ident_of(body)
    if ident is None:
        return "error" in answer and (wanted is None or not surely(wanted))
    return bool(ident == wanted)


def surely(ident: Ident) -> bool:
    """Whether an id is short enough however it is spelled."""
    return len("".join(ident)) <= _SURELY_SHORT


def ident_of(body: bytes) -> Ident | None:
    """Return the id of a request, with U+FFFD for half a surrogate pair; ``None`` for what is no request."""
    try:
        value = verbatim(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0" or not isinstance(value.get("method"), str):
        return None
    ident = value.get("id")
    if isinstance(ident, str):
        return _HALVES.sub("\ufffd", ident)
    return ident if isinstance(ident, tuple) else None
