"""Pins: the same definition keeps its hash however it travels; another one never has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.vetting.pins import _ecmascript, compare, digest, key, pins_of

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
def test_what_has_no_canonical_form_is_pinned_byte_for_byte(raw: bytes) -> None:
    def pin(raw: bytes) -> str:
        return digest(Definition(kind=ItemKind.TOOL, name="t", raw=raw))

    assert pin(raw) == pin(raw) != pin(raw + b" ")


def test_a_member_that_is_there_twice_cannot_hide_behind_the_other() -> None:
    once = Definition(kind=ItemKind.TOOL, name="t", raw=b'{"a":{"d":"good"}}')
    twice = Definition(kind=ItemKind.TOOL, name="t", raw=b'{"a":{"d":"evil","d":"good"}}')
    assert digest(once) != digest(twice)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1e21, "1e+21"), (1e-7, "1e-7"), (333333333.33333329, "333333333.3333333"), (4.50, "4.5"), (2e-3, "0.002"),
        (1e-27, "1e-27"), (9.87e20, "987000000000000000000"), (-1.5, "-1.5"), (1e-6, "0.000001"), (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (1.5e22, "1.5e+22"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_ecmascript_writes_them(number: float, written: str) -> None:
    """RFC 8785, 3.2.2.3; what Node.js answers to ``String(n)``."""
    assert _ecmascript(number) == written


def test_what_changes_with_a_resource_is_not_its_definition() -> None:
    def resource(**more: Any) -> Definition:
        raw = json.dumps({"uri": "note://1", "name": "one", **more}).encode()
        return Definition(kind=ItemKind.RESOURCE, name="note://1", raw=raw)

    seen = resource(size=1, annotations={"priority": 1, "lastModified": "2026-01-01"})
    later = resource(size=2, annotations={"priority": 1, "lastModified": "2026-02-02"})
    assert digest(seen) == digest(later) != digest(resource(annotations={"priority": 0}))


@pytest.mark.parametrize("name", ["Format_Code", "f\u043ermat_code", "format_code\u200b", "formatCode", "f0rmat-code"])
def test_names_that_look_alike_are_one(name: str) -> None:
    pinned = pins_of(Offer(items=(tool({"a": 1}, "format_code"),)))
    found = compare(pinned, Offer(items=(tool({"a": 1}, "format_code"), tool({"a": 1}, name))))
    assert found.changed == (f"tool:{name}",)
    assert found.new == ()


def test_other_names_are_new() -> None:
    pinned = pins_of(Offer(items=(tool({}, "再生"), tool({}, "tool_1"))))
    found = compare(pinned, Offer(items=(tool({}, "再生"), tool({}, "停止"), tool({}, "tool_1"), tool({}, "tool_2"))))
    assert found.new == ("tool:tool_2", "tool:停止")


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
    assert compare(pinned, Offer(items=(tool({"a": 1}, "t"), tool({"a": 2}, "t")))).changed == ("tool:t#2",)


def test_keys_are_normalised() -> None:
    assert key(tool({}, "cafe\u0301")) == key(tool({}, "caf\u00e9"))
