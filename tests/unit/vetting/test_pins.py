"""Pins: the same definition keeps its hash however it travels; another one never has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import ProtocolError
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.vetting.pins import compare, digest, key, pins_of

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def tool(value: Any, name: str = "t", **options: Any) -> Definition:
    return Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps(value, **options).encode("utf-8", "surrogatepass"))


@given(JSON)
def test_white_space_and_escapes_do_not_matter(value: Any) -> None:
    assert digest(tool(value)) == digest(tool(value, indent=3)) == digest(tool(value, ensure_ascii=False))


@given(st.dictionaries(st.text(max_size=5), JSON, min_size=2, max_size=5))
def test_the_order_of_members_does_not_matter(value: dict[str, Any]) -> None:
    assert digest(tool(value)) == digest(tool(dict(reversed(value.items()))))


@given(JSON, JSON)
def test_different_values_have_different_pins(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    if digest(tool(one)) == digest(tool(other)):
        assert same or one == other or _nfc(one) == _nfc(other)


def _nfc(value: Any) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", json.dumps(value, sort_keys=True, ensure_ascii=False))


def test_numbers_are_written_one_way() -> None:
    raws = [b'{"n": 1}', b'{"n": 1.0}', b'{"n": 1e0}', b'{"n":10E-1}']
    assert len({digest(Definition(kind=ItemKind.TOOL, name="t", raw=raw)) for raw in raws}) == 1
    assert digest(tool({"n": 2**60})) != digest(tool({"n": 2**60 + 1}))


def test_composed_and_decomposed_letters_are_one_but_look_alikes_are_not() -> None:
    assert digest(tool("caf\u00e9")) == digest(tool("cafe\u0301"))
    assert digest(tool("format")) != digest(tool("f\u043ermat"))
    assert digest(tool("format")) != digest(tool("format\u200b"))


@pytest.mark.parametrize("raw", [b"{", b"", b'{"n": NaN}', b'{"n": Infinity}', b"[" * 100_000])
def test_what_is_no_json_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        digest(Definition(kind=ItemKind.TOOL, name="t", raw=raw))


def test_comparison_tells_changed_new_and_missing() -> None:
    before = Offer(items=(tool({"a": 1}, "kept"), tool({"a": 1}, "turned"), tool({"a": 1}, "gone")), instructions="hi")
    after = Offer(
        items=(tool({"a": 1.0}, "kept"), tool({"a": 2}, "turned"), tool({"a": 1}, "fresh")), instructions="hi"
    )
    comparison = compare(pins_of(before), after)
    assert comparison.changed == ("tool:turned",)
    assert comparison.new == ("tool:fresh",)
    assert comparison.missing == ("tool:gone",)
    assert not comparison.same
    assert compare(pins_of(before), before).same


def test_instructions_are_pinned_too() -> None:
    pinned = pins_of(Offer(instructions="be nice"))
    assert compare(pinned, Offer(instructions="be evil")).changed == ("instructions:",)


def test_a_second_item_of_the_same_name_cannot_hide_behind_the_first() -> None:
    pinned = pins_of(Offer(items=(tool({"a": 1}, "t"),)))
    assert compare(pinned, Offer(items=(tool({"a": 1}, "t"), tool({"a": 2}, "t")))).new == ("tool:t#2",)


def test_keys_are_normalised() -> None:
    assert key(tool({}, "cafe\u0301")) == key(tool({}, "caf\u00e9"))
